/* host: a line of another dbtop, either way, is taken whole or refused with a line that says why;
 * what is taken is within its limits, and can be merged. */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/arena.h"
#include "collect/host_lines.h"
#include "collect/host_merge.h"
#include "fuzz.h"

static bool is_clean(const char *text)
{
	return text && *text && !strchr(text, '\n') && !strchr(text, '\x1b');
}

/* The ends of the answer itself are asked about; the answer before is the same one. */
static void merge(struct arena *arena, const struct host_answer *answer)
{
	const char *error = NULL;
	struct asked_end *asked = arena_array(arena, answer->n_changes, sizeof(*asked));
	struct host_ends *before = NULL;
	for (size_t i = 0; i < answer->n_changes; i++)
		asked[i] = answer->changes[i].end;
	for (int round = 0; round < 2; round++) {
		struct host_ends *ends =
			host_merge(before, answer, "a", asked, answer->n_changes, &error);
		host_ends_unref(before);
		before = ends;
		if (!ends) {
			MUST(is_clean(error));
			return;
		}
		for (size_t i = 0; i < ends->n_pages; i++)
			MUST(ends->pages[i].process && ends->pages[i].host);
		for (size_t i = 0; i < ends->n_ends; i++)
			MUST(ends->ends[i].process == UINT32_MAX ||
				ends->ends[i].process < ends->n_processes);
	}
	host_ends_unref(before);
	if (answer->n_changes)
		MUST(!host_merge(NULL, answer, "a", NULL, 0, &error) && is_clean(error));
}

static bool read_answer(struct arena *arena, const char *line, size_t size)
{
	struct host_answer answer;
	const char *error = NULL;
	if (host_lines_read_answer(arena, line, size, &answer, &error) < 0) {
		MUST(is_clean(error));
		return false;
	}
	MUST(answer.n_changes <= HOST_ENDS_MOST && answer.n_processes <= HOST_PROCESSES_MOST);
	MUST(answer.target < HOST_TARGETS_MOST && answer.number > 0);
	for (size_t i = 0; i < answer.n_processes; i++) {
		const struct process *process = &answer.processes[i].process;
		MUST(answer.processes[i].id && process->pid > 0);
		MUST(!process->command || !strchr(process->command, '\x1b'));
	}
	merge(arena, &answer);
	MUST(answer.pages.count <= HOST_PAGES_MOST);
	for (size_t i = 0; i < answer.pages.count; i++) {
		const struct host_page *row = &answer.pages.items[i];
		MUST(row->id && (row->is_same || row->page.pid > 0));
		MUST(row->is_same || !strchr(row->page.path, '\x1b'));
	}
	char *again = host_lines_answer(&answer);
	struct host_answer copy;
	MUST(host_lines_read_answer(arena, again, strlen(again), &copy, &error) == 0);
	MUST(copy.n_changes == answer.n_changes && copy.n_processes == answer.n_processes);
	MUST(copy.pages.count == answer.pages.count);
	free(again);
	return true;
}

static bool read_question(struct arena *arena, const char *line, size_t size)
{
	struct host_question question;
	const char *error = NULL;
	if (host_lines_read_question(arena, line, size, &question, &error) < 0) {
		MUST(is_clean(error));
		return false;
	}
	MUST(question.n_add <= HOST_ENDS_MOST && question.n_drop <= HOST_ENDS_MOST);
	MUST(question.n_ports > 0 && question.n_ports <= HOST_PORTS_MOST && question.ports[0]);
	for (size_t i = 0; i < question.n_add; i++)
		MUST((question.add[i].client.family == AF_UNIX) == (question.add[i].backend > 0));
	char *again = host_lines_question(&question);
	struct host_question copy;
	MUST(host_lines_read_question(arena, again, strlen(again), &copy, &error) == 0);
	MUST(copy.n_add == question.n_add && copy.n_drop == question.n_drop);
	free(again);
	return true;
}

bool fuzz_one(const uint8_t *data, size_t size)
{
	struct arena *arena = arena_new();
	struct host_hello hello;
	int version;
	const char *line = (const char *)data, *error = NULL;
	bool taken = read_answer(arena, line, size);
	taken |= read_question(arena, line, size);
	taken |= host_lines_read_hello(arena, line, size, &hello, &error) == 0;
	taken |= host_lines_read_greeting(arena, line, size, &version, &error) == 0;
	arena_free(arena);
	return taken;
}
