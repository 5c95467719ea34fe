/* modes/engine_run: which commands start a container, and where --cidfile goes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "modes/engine_run.h"

#define MOST_WORDS 16

/* Splits the line at spaces, in place. */
static void split(char *line, char *ret_words[static MOST_WORDS])
{
	size_t count = 0;
	for (char *rest, *word = strtok_r(line, " ", &rest); word;
		word = strtok_r(NULL, " ", &rest))
		ret_words[count++] = word;
	assert_true(count < MOST_WORDS);
	ret_words[count] = NULL;
}

/* The started command as one line, in which FILE stands for the private file. */
static char *join(char *const argv[], const char *file)
{
	char *line = mem_strdup("");
	for (; *argv; argv++) {
		const char *found = strstr(*argv, file);
		char *longer = mem_printf("%s%s%.*s%s%s", line, *line ? " " : "",
			found ? (int)(found - *argv) : (int)strlen(*argv), *argv,
			found ? "FILE" : "", found ? found + strlen(file) : "");
		free(line);
		line = longer;
	}
	return line;
}

static void a_run_gets_the_option(void **state)
{
	(void)state;
	static const struct {
		const char *command, *started;
	} cases[] = {
		{ "docker run image", "docker run --cidfile=FILE image" },
		{ "/usr/bin/docker -D -H unix:///x --context=c container run --rm image sh",
			"/usr/bin/docker -D -H unix:///x --context=c container run --cidfile=FILE "
			"--rm image sh" },
		{ "podman --remote run image", "podman --remote run --cidfile=FILE image" },
		{ "podman -r --url run run image", "podman -r --url run run --cidfile=FILE image" },
		{ "nerdctl -n k8s.io run image run",
			"nerdctl -n k8s.io run --cidfile=FILE image run" },
		{ "docker run --name run -- image --cidfile=x",
			"docker run --cidfile=FILE --name run -- image --cidfile=x" },
		{ "docker run", "docker run --cidfile=FILE" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *words[MOST_WORDS];
		CLEANUP(cleanup_free) char *line = mem_strdup(cases[i].command);
		split(line, words);
		struct engine_run *run = engine_run_new(words);
		assert_non_null(run);
		CLEANUP(cleanup_free) char *file = mem_strdup(engine_run_id_file(run));
		CLEANUP(cleanup_free) char *started = join(engine_run_begin(run), file);
		assert_string_equal(started, cases[i].started);
		engine_run_free(run);
	}
}

static void what_starts_no_container_is_left_alone(void **state)
{
	(void)state;
	static const char *const commands[] = { "docker", "docker exec run sh",
		"docker -D exec run", "docker compose run app", "docker --context run",
		"docker container start run", "sh -c docker", "dockerd run image",
		"npm run docker" };
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		char *words[MOST_WORDS];
		CLEANUP(cleanup_free) char *line = mem_strdup(commands[i]);
		split(line, words);
		assert_null(engine_run_new(words));
	}
}

static void the_users_own_file_is_read(void **state)
{
	(void)state;
	static const char *const commands[] = { "docker run --cidfile here/id image",
		"docker run --rm --cidfile=here/id image" };
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		char *words[MOST_WORDS];
		CLEANUP(cleanup_free) char *line = mem_strdup(commands[i]);
		split(line, words);
		struct engine_run *run = engine_run_new(words);
		assert_non_null(run);
		assert_string_equal(engine_run_id_file(run), "here/id");
		assert_ptr_equal(engine_run_begin(run), words);
		engine_run_free(run);
	}
}

/* An engine refuses a file that exists: each round finds none, and none is left behind. */
static void the_private_file_is_removed(void **state)
{
	(void)state;
	char *words[MOST_WORDS];
	char line[] = "docker run image";
	split(line, words);
	struct engine_run *run = engine_run_new(words);
	assert_non_null(run);
	CLEANUP(cleanup_free) char *file = mem_strdup(engine_run_id_file(run));
	for (int round = 0; round < 2; round++) {
		(void)engine_run_begin(run);
		assert_int_equal(access(file, F_OK), -1);
		FILE *id = fopen(file, "w");
		assert_non_null(id);
		assert_int_equal(fclose(id), 0);
	}
	engine_run_free(run);
	*strrchr(file, '/') = '\0';
	assert_int_equal(access(file, F_OK), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_run_gets_the_option),
		cmocka_unit_test(what_starts_no_container_is_left_alone),
		cmocka_unit_test(the_users_own_file_is_read),
		cmocka_unit_test(the_private_file_is_removed),
	};
	return cmocka_run_group_tests_name("engine_run", tests, NULL, NULL);
}
