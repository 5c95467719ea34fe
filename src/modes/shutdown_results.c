/* Prints each round's result on stdout when it ends, and writes the JUnit file after the last. */
#include "modes/shutdown_results.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/journal.h"
#include "base/mem.h"
#include "base/safe_folder.h"
#include "base/text.h"
#include "model/shutdown.h"
#include "modes/options.h"
#include "modes/shutdown_options.h"
#include "report/shutdown.h"

struct shutdown_results {
	const struct options *options;
	const char *target; /* NULL: no signal is sent */
	struct arena *arena;
	const char **command; /* clean; NULL-terminated */
	long round, rounds;
	bool failed, undecided;
	FILE *junit; /* NULL: no JUnit file is wanted, and the fields below are not used */
	FILE *cases; /* the file's text, in memory */
	char *cases_text;
	size_t cases_size;
	struct shutdown_tally tally;
};

/* Copies argv as clean text. */
static void copy_command(struct shutdown_results *results)
{
	char **command = results->options->command;
	size_t count = 0;
	while (command[count])
		count++;
	results->command = arena_array(results->arena, count + 1, sizeof(*results->command));
	for (size_t i = 0; i < count; i++)
		results->command[i] =
			text_clean(results->arena, command[i], strlen(command[i]), TEXT_BLOCK);
}

/* Opens the file before anything is started: a file that cannot be written is a usage error. */
static FILE *open_junit(const char *path)
{
	int fd = safe_folder_create(path);
	FILE *file = fd < 0 ? NULL : fdopen(fd, "w");
	if (!file)
		fprintf(stderr, "dbtop: --junit: %s: %s\n", path,
			journal_strerror(fd < 0 ? fd : -errno));
	return file;
}

struct shutdown_results *shutdown_results_new(
	const struct options *options, const struct shutdown_options *wanted)
{
	FILE *junit = NULL;
	if (options->junit && !(junit = open_junit(options->junit)))
		return NULL;
	struct shutdown_results *results = mem_alloc(sizeof(*results));
	results->options = options;
	results->rounds = wanted->rounds;
	if (wanted->signal_number)
		results->target = wanted->alone ? "leader" : "group";
	results->junit = junit;
	if (junit)
		results->cases = open_memstream(&results->cases_text, &results->cases_size);
	if (junit && !results->cases)
		abort();
	results->arena = arena_new();
	copy_command(results);
	return results;
}

const char *shutdown_results_program(const struct shutdown_results *results)
{
	return results->command[0];
}

/* A reader that has closed the pipe does not change the result. */
static void check_written(int r)
{
	if (r < 0 && r != -EPIPE)
		fprintf(stderr, "dbtop: cannot write: %s\n", strerror(-r));
}

void shutdown_results_add(struct shutdown_results *results, const struct shutdown_record *record,
	const struct shutdown_verdict *verdict, int64_t duration)
{
	bool decided = verdict->behaviour != BEHAVIOUR_NONE;
	results->failed |= decided && !verdict->pass;
	results->undecided |= !decided;
	const struct shutdown_report shutdown_report = {
		.command = results->command,
		.record = record,
		.verdict = verdict,
		.target = results->target,
		.strict = results->options->strict,
		.round = ++results->round,
		.rounds = results->rounds,
		.duration = duration,
	};
	const struct printer_style style = printer_style_for(stdout);
	if (results->options->json)
		check_written(shutdown_print_json(&shutdown_report, stdout));
	else
		check_written(shutdown_print_text(&shutdown_report, &style, stdout));
	if (results->cases)
		shutdown_print_junit_case(&shutdown_report, &results->tally, results->cases);
}

int shutdown_results_status(const struct shutdown_results *results)
{
	if (results->failed)
		return EXIT_LEAKS;
	return results->undecided ? EXIT_UNKNOWN : EXIT_CLEAN;
}

void shutdown_results_name_survivors(const struct shutdown_record *record)
{
	for (size_t i = 0; i < record->n_survivors; i++) {
		const struct shutdown_survivor *survivor = &record->survivors[i];
		fprintf(stderr, "dbtop: %s %d (%s): %s\n",
			survivor->session ? "backend" : "process", survivor->pid, survivor->what,
			survivor->result);
	}
}

static void write_junit(struct shutdown_results *results)
{
	fclose(results->cases);
	check_written(shutdown_print_junit(&results->tally, results->cases_text, results->junit));
	fclose(results->junit);
	free(results->cases_text);
}

void shutdown_results_free(struct shutdown_results *results)
{
	if (results->junit)
		write_junit(results);
	arena_free(results->arena);
	free(results);
}
