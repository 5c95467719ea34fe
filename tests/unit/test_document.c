/* config/document: YAML that is damaged, too large or surprising is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "../support/config_fixture.h"
#include "base/arena.h"
#include "base/cleanup.h"
#include "config/config.h"
#include "config/document.h"

static void yaml_surprises_are_refused(void **state)
{
	(void)state;
	static const struct {
		const char *text, *error;
	} cases[] = {
		{ "log: &a x\npages: *a\n", "f.yaml:1: anchors (&name) are not supported" },
		{ "leaks: &a {idle: 1}\n", "f.yaml:1: anchors (&name) are not supported" },
		{ "columns: &a []\n", "f.yaml:1: anchors (&name) are not supported" },
		{ "interval: 1\nlog: *a\n", "f.yaml:2: aliases (*name) are not supported" },
		{ "leaks:\n  <<: {idle: 1}\n", "f.yaml:2: leaks.<<: merge keys are not supported" },
		{ "log: !!binary aGk=\n", "f.yaml:1: tags (!name) are not supported" },
		{ "leaks: !x {idle: 1}\n", "f.yaml:1: tags (!name) are not supported" },
		{ "columns: !x []\n", "f.yaml:1: tags (!name) are not supported" },
		{ "interval: 1\n---\ninterval: 2\n",
			"f.yaml:2: a second document: one file holds one document" },
		{ "log: |\n  a\n  b\n",
			"f.yaml:1: log: contains a line break, or a control or "
			"invisible character" },
		{ "log: \"a\\e[2J\"\n",
			"f.yaml:1: log: contains a line break, or a control or "
			"invisible character" },
		{ "log: \"a\\0b\"\n",
			"f.yaml:1: log: contains a line break, or a control or "
			"invisible character" },
		{ "log: \"a\\u202eb\"\n",
			"f.yaml:1: log: contains a line break, or a control or "
			"invisible character" },
		{ "interval: 1\nleaks: [\n",
			"f.yaml:3: not valid YAML: did not find expected node content, while "
			"parsing a flow node" },
		{ "interval: 1\nlog: @x\n",
			"f.yaml:2: not valid YAML: found character that cannot start any token, "
			"while scanning for the next token" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_refused(cases[i].text, cases[i].error);
}

static void terminal_escapes_in_keys_come_out_clean(void **state)
{
	(void)state;
	assert_refused("\"\\e]0;pwned\\a\": 1\n",
		"f.yaml:1: ␛]0;pwned␇: contains a line break, or a control or invisible character");
	assert_refused("\"x\\u009b2J\": 1\n",
		"f.yaml:1: x\xef\xbf\xbd"
		"2J: contains a line break, or a control or invisible character");
	struct config *config = NULL;
	struct config_error error;
	assert_int_equal(config_parse("\033[2Jf\n", "x", 1, &config, &error), -EINVAL);
	assert_string_equal(error.text, "␛[2Jf␊:1: expected lines of the form KEY: VALUE");
}

static void broken_bytes_are_refused_with_their_line(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		size_t len;
	} cases[] = {
		{ "log: x\n#\xff\n", 9 },
		{ "log: x\n#\xc0\xaf\n", 10 },
		{ "log: x\n#\xed\xa0\x80\n", 11 },
		{ "log: x\n#\xe6\xbc", 10 },
		{ "log: x\n\0: 1\n", 12 },
		{ "log: x\n#\033[2J\n", 13 },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct config_error error = refused(cases[i].text, cases[i].len);
		assert_memory_equal(error.text, "f.yaml:2: not valid YAML: ", 26);
	}
	/* UTF-16 is not recognized by its byte-order mark. */
	static const char utf16[] = "\xff\xfei\0:\0 \0001\0";
	assert_memory_equal(
		refused(utf16, sizeof(utf16) - 1).text, "f.yaml:1: not valid YAML: ", 26);
}

static void what_is_too_much_is_refused(void **state)
{
	(void)state;
	static const struct {
		const char *piece;
		size_t times;
	} cases[] = {
		{ "[", 10000 },
		{ "{", 10000 },
		{ "{a: ", 10000 },
		{ "- ", 10000 },
		{ "? ", 10000 },
		{ "[", 1000000 },
		{ "? [", 100000 },
		{ "- a\n", 250000 },
		{ "a", 1000000 },
		{ "\"", 1000000 },
		{ "%", 1000000 },
		{ "&a ", 100000 },
		{ "---\n", 200000 },
		{ "漢", 300000 },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		CLEANUP(cleanup_free) char *text = repeated(cases[i].piece, cases[i].times);
		refused(text, strlen(text));
	}
}

static void limits_are_reported(void **state)
{
	(void)state;
	struct arena *arena = arena_new();
	CLEANUP(cleanup_free) char *scalar = repeated("x", 5000), *deep = repeated("[", 10000);
	assert_refused(
		arena_printf(arena, "log: %s\n", scalar), "f.yaml:1: log: longer than 4096 bytes");
	assert_refused(arena_printf(arena, "log: %s\n", deep),
		"f.yaml:1: log: nested deeper than 8 levels");
	const char *many = "columns: [";
	CLEANUP(cleanup_free) char *items = repeated("a,\n", 10001);
	assert_refused(
		arena_printf(arena, "%s%s]\n", many, items), "f.yaml:9999: more than 10000 values");
	/* A key that is far too long is cut, and the error still names its line. */
	struct config_error error = refused(scalar, 5000);
	assert_string_equal(error.text, "f.yaml:1: longer than 4096 bytes");
	CLEANUP(cleanup_free) char *wide = repeated("漢", 300);
	const char *text = arena_printf(arena, "%s: 1\n", wide);
	error = refused(text, strlen(text));
	assert_non_null(strstr(error.text, "漢…: unknown key"));
	text = arena_printf(arena, "interval: %s\n", wide);
	error = refused(text, strlen(text));
	assert_non_null(strstr(error.text, "漢…\""));
	arena_free(arena);
}

static void long_paths_keep_their_tail(void **state)
{
	(void)state;
	struct arena *arena = arena_new();
	CLEANUP(cleanup_free) char *folder = repeated("/Größe", 200);
	struct config *config = NULL;
	struct config_error error;
	const char *path = arena_printf(arena, "%s/config.yaml", folder);
	assert_int_equal(config_parse(path, "zebra: 1", 8, &config, &error), -EINVAL);
	assert_clean(error.text);
	assert_memory_equal(error.text, "…", strlen("…"));
	assert_non_null(strstr(error.text, "Größe/config.yaml:1: zebra: unknown key"));
	arena_free(arena);
}

/* A file that is cut anywhere, or has bytes overwritten, is either read or refused. */
static void truncated_and_damaged_files_do_no_harm(void **state)
{
	(void)state;
	CLEANUP(cleanup_free) char *text = read_whole("tests/data/config/full.yaml");
	static const char damage[] = "\0\n\033[{&*!\"'|%:#-?\xff";
	size_t len = strlen(text), taken = 0, refusals = 0;
	for (size_t i = 0; i < len; i++) {
		struct config *config = NULL;
		struct config_error error = { 0 };
		int r = config_parse("f.yaml", text, i, &config, &error);
		char kept = text[i];
		text[i] = damage[i % (sizeof(damage) - 1)];
		taken += r == 0;
		config_free(config);
		config = NULL;
		r = config_parse("f.yaml", text, len, &config, &error);
		refusals += r < 0;
		if (r < 0)
			assert_clean(error.text);
		config_free(config);
		text[i] = kept;
	}
	assert_in_range(taken, 10, len - 1);
	assert_in_range(refusals, 10, len - 1);
}

static void assert_not_loaded(const char *path, int expected, const char *text)
{
	struct config *config = NULL;
	struct config_error error = { 0 };
	assert_int_equal(config_load(path, &config, &error), expected);
	assert_null(config);
	assert_string_equal(error.text, text);
}

static void only_regular_files_of_sane_size_are_read(void **state)
{
	(void)state;
	char folder[] = "/tmp/dbtop-test-XXXXXX", path[64], expected[128];
	assert_non_null(mkdtemp(folder));
#define MISSING "there is no such file: check -c, or begin with a copy of config.example.yaml"
	assert_not_loaded("/nonexistent/x.yaml", -ENOENT, "/nonexistent/x.yaml: " MISSING);
	assert_not_loaded("/dev/null/x.yaml", -ENOTDIR, "/dev/null/x.yaml: " MISSING);
	assert_not_loaded("/dev/zero", -EINVAL, "/dev/zero: not a regular file");
	snprintf(expected, sizeof(expected), "%s: a folder: name the file in it", folder);
	assert_not_loaded(folder, -EINVAL, expected);

	snprintf(path, sizeof(path), "%s/fifo", folder);
	snprintf(expected, sizeof(expected), "%s: not a regular file", path);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_not_loaded(path, -EINVAL, expected);
	assert_int_equal(unlink(path), 0);

	snprintf(path, sizeof(path), "%s/large", folder);
	snprintf(expected, sizeof(expected), "%s: larger than 1 MiB", path);
	FILE *file = fopen(path, "we");
	assert_non_null(file);
	for (int i = 0; i < 1024 * 1024 / 64; i++)
		fprintf(file, "#%62d\n", i);
	assert_int_equal(fclose(file), 0);
	config_free(loaded(path));
	assert_int_equal(truncate(path, 1024 * 1024 + 1), 0);
	assert_not_loaded(path, -EFBIG, expected);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(folder), 0);
}

int main(void)
{
	setlocale(LC_ALL, "C.UTF-8");
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(yaml_surprises_are_refused),
		cmocka_unit_test(terminal_escapes_in_keys_come_out_clean),
		cmocka_unit_test(broken_bytes_are_refused_with_their_line),
		cmocka_unit_test(what_is_too_much_is_refused),
		cmocka_unit_test(limits_are_reported),
		cmocka_unit_test(long_paths_keep_their_tail),
		cmocka_unit_test(truncated_and_damaged_files_do_no_harm),
		cmocka_unit_test(only_regular_files_of_sane_size_are_read),
	};
	return cmocka_run_group_tests_name("document", tests, NULL, NULL);
}
