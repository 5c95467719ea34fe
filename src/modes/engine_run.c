/* Reads the command line of an engine's client: PROGRAM [OPTION]… [container] run [OPTION]… IMAGE.
 */
#include "modes/engine_run.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"

#define ID_OPTION "--cidfile"

struct engine_run {
	char **argv;
	char *folder, *path; /* private; NULL: the user named a file */
	char *option;        /* "--cidfile=PATH" */
	const char *id_file;
};

static bool is_one_of(const char *text, const char *const *names)
{
	while (*names && strcmp(text, *names) != 0)
		names++;
	return *names != NULL;
}

static bool is_engine(const char *program)
{
	static const char *const engines[] = { "docker", "podman", "podman-remote", "nerdctl",
		NULL };
	const char *slash = strrchr(program, '/');
	return is_one_of(slash ? slash + 1 : program, engines);
}

/* Options before the subcommand that have no value. All others have one, in the same argument
 * (--context=NAME) or in the next. */
static bool has_no_value(const char *option)
{
	static const char *const flags[] = { "-D", "--debug", "--tls", "--tlsverify", "-r",
		"--remote", "--syslog", "--transient-store", "--noout", "--debug-full",
		"--experimental", "--insecure-registry", NULL };
	return is_one_of(option, flags) || strchr(option, '=');
}

/* Returns the index after "run"; 0 if the command starts no container. */
static size_t after_run(char *const command[])
{
	size_t i = 1;
	if (!is_engine(command[0]))
		return 0;
	for (; command[i] && command[i][0] == '-'; i++)
		if (!has_no_value(command[i]) && command[i + 1])
			i++;
	if (command[i] && strcmp(command[i], "container") == 0)
		i++;
	return command[i] && strcmp(command[i], "run") == 0 ? i + 1 : 0;
}

/* The file that the user named. An argument of the container's own program may look the same: then
 * that file has no id, and the container stays unknown. */
static const char *named_file(char *const arguments[])
{
	for (; *arguments && strcmp(*arguments, "--") != 0; arguments++) {
		if (strncmp(*arguments, ID_OPTION "=", sizeof(ID_OPTION)) == 0)
			return *arguments + sizeof(ID_OPTION);
		if (strcmp(*arguments, ID_OPTION) == 0)
			return arguments[1];
	}
	return NULL;
}

static int make_folder(struct engine_run *run)
{
	const char *parent = getenv("TMPDIR");
	run->folder = mem_printf("%s/dbtop-run-XXXXXX", parent && *parent ? parent : "/tmp");
	if (mkdtemp(run->folder))
		return 0;
	fprintf(stderr, "dbtop: the container is not followed: cannot make %s: %s\n", run->folder,
		strerror(errno));
	free(run->folder);
	run->folder = NULL;
	return -1;
}

static void insert_option(struct engine_run *run, char *const command[], size_t at)
{
	size_t count = 0;
	while (command[count])
		count++;
	run->path = mem_printf("%s/id", run->folder);
	run->option = mem_printf(ID_OPTION "=%s", run->path);
	run->argv = mem_alloc((count + 2) * sizeof(*run->argv));
	memcpy(run->argv, command, at * sizeof(*run->argv));
	run->argv[at] = run->option;
	memcpy(run->argv + at + 1, command + at, (count - at) * sizeof(*run->argv));
	run->id_file = run->path;
	fprintf(stderr, "dbtop: added %s to the options of \"%s run\", to follow the container\n",
		run->option, command[0]);
}

struct engine_run *engine_run_new(char *const command[])
{
	size_t at = after_run(command);
	if (!at)
		return NULL;
	struct engine_run *run = mem_alloc(sizeof(*run));
	run->id_file = named_file(command + at);
	if (run->id_file) {
		run->argv = (char **)command;
		return run;
	}
	if (make_folder(run) < 0) {
		free(run);
		return NULL;
	}
	insert_option(run, command, at);
	return run;
}

void engine_run_free(struct engine_run *run)
{
	if (!run)
		return;
	if (run->folder) {
		(void)unlink(run->path);
		(void)rmdir(run->folder);
		free(run->argv);
	}
	free(run->folder);
	free(run->path);
	free(run->option);
	free(run);
}

char *const *engine_run_begin(struct engine_run *run)
{
	if (run->path)
		(void)unlink(run->path);
	return run->argv;
}

const char *engine_run_id_file(const struct engine_run *run)
{
	return run->id_file;
}
