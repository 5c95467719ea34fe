/* decode, recording: what --json wrote is read back the same, and hostile input is refused. */
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
#include <unistd.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/instant.h"
#include "base/mem.h"
#include "model/assessment.h"
#include "model/history.h"
#include "report/decode.h"
#include "report/recording.h"
#include "report/snapshot.h"
#include "sample.h"
#include "screen_text.h"
#include "widgets/grid.h"
#include "widgets/ui.h"

static char *print(const struct assessment *assessment)
{
	char *text = NULL;
	size_t size;
	const struct snapshot_options options = { 0 };
	CLEANUP(cleanup_file) FILE *file = open_memstream(&text, &size);
	assert_int_equal(snapshot_print(assessment, &options, file), 0);
	fclose(file);
	file = NULL;
	return text;
}

static struct assessment *decoded(const char *line)
{
	struct assessment *assessment = NULL;
	char error[JSON_ERROR_MAX] = "";
	int r = decode(line, strlen(line), &assessment, error);
	assert_string_equal(error, "");
	assert_int_equal(r, 0);
	return assessment;
}

static char *draw(const struct assessment *assessment, int width, enum grouping grouping)
{
	struct ui_state ui;
	struct grid grid;
	ui_init(&ui, screen_keys, n_screen_keys);
	ui.grouping = grouping;
	grid_init(&grid);
	screen_show(assessment, NULL, &ui, NULL, width, 40, &grid);
	char *text = screen_text_colored(&grid);
	grid_deinit(&grid);
	ui_deinit(&ui);
	return text;
}

static void a_snapshot_comes_back_as_it_was(void **state)
{
	(void)state;
	for (size_t kind = 0; kind < SAMPLE_COUNT; kind++) {
		struct assessment *before = sample_assessment((enum sample_kind)kind);
		CLEANUP(cleanup_free) char *line = print(before);
		struct assessment *after = decoded(line);
		CLEANUP(cleanup_free) char *again = print(after);
		assert_string_equal(line, again);
		assessment_free(before);
		assessment_free(after);
	}
}

/* Values that JSON lacks would be missing on the screen. */
static void it_looks_as_it_did(void **state)
{
	(void)state;
	static const int widths[] = { 200, 120, 80, 40 };
	for (size_t kind = 0; kind < SAMPLE_COUNT; kind++) {
		struct assessment *before = sample_assessment((enum sample_kind)kind);
		CLEANUP(cleanup_free) char *line = print(before);
		struct assessment *after = decoded(line);
		for (size_t i = 0; i < sizeof(widths) / sizeof(widths[0]); i++) {
			for (int grouping = 0; grouping < GROUPING_COUNT; grouping++) {
				CLEANUP(cleanup_free)
				char *then = draw(before, widths[i], (enum grouping)grouping);
				CLEANUP(cleanup_free)
				char *now = draw(after, widths[i], (enum grouping)grouping);
				assert_string_equal(then, now);
			}
		}
		assessment_free(before);
		assessment_free(after);
	}
}

static void many_come_back(void **state)
{
	(void)state;
	struct assessment *before = sample_many(500, 20);
	CLEANUP(cleanup_free) char *line = print(before);
	struct assessment *after = decoded(line);
	CLEANUP(cleanup_free) char *again = print(after);
	assert_string_equal(line, again);
	assert_int_equal(after->n_leaked, before->n_leaked);
	assessment_free(before);
	assessment_free(after);
}

#define HEAD "{\"schema\":1,\"taken_at\":\"2026-01-31T12:00:00Z\""

/* Older recordings, and those of other programs, have fewer keys. */
static void what_is_missing_is_not_known(void **state)
{
	(void)state;
	struct assessment *assessment = decoded(HEAD "}");
	assert_null(assessment->activity);
	assert_int_equal(assessment->slots.used, -1);
	assert_int_equal(assessment->n_connections, 0);
	assert_int_equal(assessment->sources[SOURCE_ACTIVITY].taken_at, INSTANT_UNKNOWN);
	assert_int_equal(assessment->server.latency, -1);
	assert_false(assessment->server.pooler);
	assessment_free(assessment);
	assessment = decoded(HEAD ",\"server\":{\"pooler\":true}}");
	assert_true(assessment->server.pooler);
	assessment_free(assessment);
	/* Rows without the answer to which they belong. */
	assessment = decoded(HEAD ",\"connections\":[{\"status\":\"leaked\"}]}");
	assert_null(assessment->activity);
	assert_int_equal(assessment->n_connections, 0);
	assert_int_equal(assessment->n_leaked, 0);
	assessment_free(assessment);
	assessment = decoded(HEAD ",\"server\":{\"age_ms\":0},\"connections\":[{}]}");
	assert_non_null(assessment->activity);
	assert_int_equal(assessment->n_connections, 1);
	assert_int_equal(assessment->connections[0].process, NO_PROCESS);
	assert_null(assessment->connections[0].backend->query);
	CLEANUP(cleanup_free) char *text = draw(assessment, 120, GROUPING_PROCESS);
	assert_non_null(text);
	assessment_free(assessment);
}

static void mistakes_are_named(void **state)
{
	(void)state;
	static const struct {
		const char *line, *error;
	} cases[] = {
		{ "", "not JSON at byte 0" },
		{ "nothing", "not JSON at byte 7" },
		{ "[1]", "not a JSON object" },
		{ "{}", "schema: expected 1: a line of dbtop --json" },
		{ "{\"schema\":2}", "schema: expected 1: a line of dbtop --json" },
		{ "{\"schema\":\"1\"}", "schema: expected a whole number" },
		{ "{\"schema\":1}", "taken_at: expected an instant" },
		{ "{\"schema\":1,\"taken_at\":\"yesterday\"}",
			"taken_at: expected an instant, 2026-01-31T12:00:00Z" },
		{ HEAD ",\"server\":[]}", "server: expected an object" },
		{ HEAD ",\"server\":{\"status\":\"fine\"}}",
			"server.status: expected a word that this dbtop knows" },
		{ HEAD ",\"server\":{\"port\":1e400}}", "not JSON at byte 68" },
		{ HEAD ",\"server\":{\"host\":7}}", "server.host: expected text" },
		{ HEAD ",\"server\":{\"age_ms\":-1}}", "server.age_ms: expected a number from 0" },
		{ HEAD ",\"slots\":{\"used\":-4}}", "slots.used: expected a number in its range" },
		{ HEAD ",\"slots\":{\"used\":1.5}}", "slots.used: expected a whole number" },
		{ HEAD ",\"connections\":{}}", "connections: expected an array" },
		{ HEAD ",\"connections\":[7]}", "connections[0]: expected an object" },
		{ HEAD ",\"connections\":[{},{\"pid\":99999999999}]}",
			"connections[1].pid: expected a number in its range" },
		{ HEAD ",\"connections\":[{\"client_addr\":\"x\",\"client_port\":1}]}",
			"connections[0].client_addr: expected an address" },
		{ HEAD ",\"connections\":[{\"client_port\":70000}]}",
			"connections[0].client_port: expected a port, or -1" },
		{ HEAD ",\"connections\":[{\"process\":1}]}",
			"connections[0].process: expected an object" },
		{ HEAD ",\"processes\":[{\"alive\":1}]}",
			"processes[0].alive: expected true or false" },
		{ HEAD ",\"pools\":[{\"kind\":\"dbpool\",\"hooks\":{}}]}",
			"pools[0].hooks: expected an array" },
		{ HEAD ",\"pools\":[{\"kind\":\"dbpool\",\"hooks\":[{},{\"state\":\"gone\"}]}]}",
			"pools[0].state: expected a word that this dbtop knows" },
		{ HEAD ",\"connections\":[{\"seconds\":1e300}]}",
			"connections[0].seconds: expected a number from 0" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct assessment *assessment = NULL;
		char error[JSON_ERROR_MAX] = "";
		int r = decode(cases[i].line, strlen(cases[i].line), &assessment, error);
		assert_string_equal(error, cases[i].error);
		assert_int_equal(r, -EINVAL);
		assert_null(assessment);
	}
}

/* A recording may be from anyone: nothing in it may control a terminal. */
static void text_is_made_harmless(void **state)
{
	(void)state;
	struct assessment *assessment = decoded(
		HEAD ",\"server\":{\"host\":\"a\\u001b]0;x\\u0007\",\"age_ms\":0},\"connections\":"
		     "[{\"user\":\"\\u202eevil\\u009b31m\",\"query\":\"a\\nb\\u001b[2J\"}]}");
	assert_null(strchr(assessment->server.host, '\033'));
	assert_null(strstr(assessment->connections[0].backend->user, "\xe2\x80\xae"));
	assert_null(strchr(assessment->connections[0].backend->query, '\033'));
	assert_non_null(strchr(assessment->connections[0].backend->query, '\n'));
	assessment_free(assessment);
}

#define POOL(path, name, start, more)                                                              \
	"{\"kind\":\"dbpool\",\"name\":\"" name                                                    \
	"\",\"pid\":7,\"page_status\":\"live\",\"path\":\"" path "\",\"start_ticks\":" start more  \
	"}"
#define SESSION(pid, more)                                                                         \
	"{\"pid\":" pid ",\"status\":\"idle\",\"pool\":{\"page\":7,\"slot\":1" more "}}"

/* Of several namespaces, of another machine, and two of one process; and a pid that had another
 * process before. */
static void pools_of_one_pid_are_told_apart(void **state)
{
	(void)state;
	static const char line[] = HEAD
		",\"server\":{\"age_ms\":0},\"processes\":["
		"{\"pid\":7,\"start_ticks\":1,\"name\":\"old\"},"
		"{\"pid\":7,\"start_ticks\":2,\"name\":\"app\"},"
		"{\"pid\":7,\"start_ticks\":2,\"name\":\"far\",\"host\":\"h\"}],\"pools\":[" POOL(
			"/c1/p", "one", "2", ",\"process_unseen\":true") "," POOL("/c2/p", "two",
			"2", ",\"process_unseen\":true") "," POOL("h:/p", "far", "2",
			",\"host\":\"h\"") "," POOL("/p", "own", "2", "") "," POOL("/q", "own", "2",
			"") "],\"connections\":[" SESSION("1", ",\"path\":\"/q\"") "," SESSION("2",
			",\"path\":\"h:/p\"") "," SESSION("3",
			",\"path\":\"/c2/p\"") "," SESSION("4", "") "]}";
	static const char *const paths[] = { "/q", "h:/p", "/c2/p", "/c1/p" };
	static const char *const processes[] = { NULL, NULL, "far", "app", "app" };
	struct assessment *assessment = NULL;
	char error[JSON_ERROR_MAX] = "";
	if (decode(line, strlen(line), &assessment, error) < 0)
		fail_msg("%s", error);
	for (size_t i = 0; i < 4; i++) {
		assert_non_null(assessment->connections[i].pool);
		assert_string_equal(assessment->connections[i].pool->page->path, paths[i]);
	}
	assert_int_equal(assessment->n_pools, 5);
	for (size_t i = 0; i < 5; i++) {
		uint32_t process = assessment->pools[i].process;
		if (!processes[i])
			assert_int_equal(process, NO_PROCESS);
		else
			assert_string_equal(
				assessment->processes[process].process.name, processes[i]);
	}
	assessment_free(assessment);
}

/* Input that is cut or changed anywhere gives a result or an error, never a crash. */
static void damage_is_survived(void **state)
{
	(void)state;
	struct assessment *sample = sample_assessment(SAMPLE_SCREEN);
	CLEANUP(cleanup_free) char *line = print(sample);
	size_t length = strlen(line);
	uint32_t random = 1;
	for (size_t i = 0; i < 2000; i++) {
		struct assessment *assessment = NULL;
		char error[JSON_ERROR_MAX];
		CLEANUP(cleanup_free) char *copy = mem_strdup(line);
		for (int j = 0; j < 3; j++) {
			random = random * 1664525 + 1013904223;
			copy[random % length] = (char)(random >> 24);
		}
		size_t end = i % 2 ? length : random % length;
		if (decode(copy, end, &assessment, error) == 0) {
			free(draw(assessment, 100, GROUPING_PROCESS));
			assessment_free(assessment);
		}
	}
	assessment_free(sample);
}

static char *write_file(const char *text)
{
	char path[] = "/tmp/dbtop-test-XXXXXX";
	CLEANUP(cleanup_fd) int fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	return mem_strdup(path);
}

#define LINE(second, used, leaked)                                                                 \
	"{\"schema\":1,\"taken_at\":\"2026-01-31T12:00:" second                                    \
	"Z\",\"slots\":{\"max\":25,\"used\":" used ",\"leaked\":" leaked "}}\n"

static void lines_are_found(void **state)
{
	(void)state;
	CLEANUP(cleanup_free)
	char *path = write_file(LINE("01", "3", "0") "\n" LINE("02", "4", "1")
			LINE("05", "5", "2") "{\"schema\":1,\"tak");
	struct recording *recording = NULL;
	struct assessment *assessment = NULL;
	char error[RECORDING_ERROR_MAX] = "";
	assert_int_equal(recording_open(path, &recording, error), 0);
	assert_int_equal(recording_count(recording), 3);
	int64_t first = recording_at(recording, 0);
	assert_int_equal(recording_at(recording, 2) - first, 4 * USEC_PER_SEC);
	assert_int_equal(recording_find(recording, 0), 0);
	assert_int_equal(recording_find(recording, first + 2 * USEC_PER_SEC), 2);
	assert_int_equal(recording_find(recording, INT64_MAX), 2);
	assert_int_equal(recording_read(recording, 1, &assessment, error), 0);
	assert_int_equal(assessment->slots.used, 4);
	assessment_free(assessment);
	static struct history history;
	recording_history(recording, 1, &history);
	assert_int_equal(history.count, 2);
	assert_int_equal(history_get(&history, 0)->leaked, 1);
	assert_int_equal(history_get(&history, 1)->used, 3);
	recording_free(recording);
	unlink(path);
}

/* A last line that is complete except for its line end counts. */
static void a_whole_last_line_counts(void **state)
{
	(void)state;
	CLEANUP(cleanup_free) char *path = write_file(LINE("01", "3", "0") HEAD "}");
	struct recording *recording = NULL;
	char error[RECORDING_ERROR_MAX] = "";
	assert_int_equal(recording_open(path, &recording, error), 0);
	assert_int_equal(recording_count(recording), 2);
	recording_free(recording);
	unlink(path);
}

static void a_file_that_is_none_is_reported(void **state)
{
	(void)state;
	static const struct {
		const char *text, *error;
	} cases[] = {
		{ "", "there is no snapshot in it" },
		{ "\n \n", "there is no snapshot in it" },
		{ "\nhello\n", "line 2: not JSON at byte 5" },
		{ "{\"schema\":1,\"tak", "line 1: not JSON at byte 16" },
		{ "{\"schema\":9}\n", "line 1: schema: expected 1: a line of dbtop --json" },
	};
	struct recording *recording = NULL;
	char error[RECORDING_ERROR_MAX];
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		CLEANUP(cleanup_free) char *path = write_file(cases[i].text);
		CLEANUP(cleanup_free) char *expected = mem_printf("%s: %s", path, cases[i].error);
		assert_int_equal(recording_open(path, &recording, error), -EINVAL);
		assert_string_equal(error, expected);
		unlink(path);
	}
	assert_int_equal(recording_open("/nonexistent", &recording, error), -ENOENT);
	assert_string_equal(error, "/nonexistent: No such file or directory");
	assert_int_equal(recording_open("/", &recording, error), -EISDIR);
}

#define OF(server, name)                                                                           \
	"{\"schema\":1,\"taken_at\":\"2026-01-31T12:00:01Z\",\"server\":{\"host\":\"" server       \
	"\",\"name\":" name                                                                        \
	"},\"slots\":{\"max\":25,\"limits\":[{\"kind\":\"role\",\"name\":\"" server "\"}]}}\n"

/* By their names: the address may change, as may what else has a name. */
static void lines_of_several_servers_are_refused(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		const char *error; /* NULL: none */
	} cases[] = {
		{ OF("a", "\"shop\"") OF("b", "\"shop\""), NULL },
		{ OF("a", "null") OF("b", "null") OF("b", "\"shop\""), NULL },
		{ LINE("01", "3", "0") OF("b", "\"shop\""), NULL },
		{ OF("a", "\"shop\"") OF("a", "\"shop\"") OF("a", "\"web\""),
			"line 3 is of another server" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		CLEANUP(cleanup_free) char *path = write_file(cases[i].text);
		struct recording *recording = NULL;
		char error[RECORDING_ERROR_MAX] = "";
		int r = recording_open(path, &recording, error);
		assert_int_equal(r, cases[i].error ? -EINVAL : 0);
		if (cases[i].error)
			assert_non_null(strstr(error, cases[i].error));
		else
			recording_free(recording);
		unlink(path);
	}
}

static void a_bad_line_in_the_middle_is_named(void **state)
{
	(void)state;
	CLEANUP(cleanup_free)
	char *path = write_file(LINE("01", "3", "0") "oops\n" LINE("02", "4", "1"));
	struct recording *recording = NULL;
	struct assessment *assessment = NULL;
	char error[RECORDING_ERROR_MAX] = "";
	assert_int_equal(recording_open(path, &recording, error), 0);
	assert_int_equal(recording_count(recording), 3);
	assert_int_equal(recording_at(recording, 1), INSTANT_UNKNOWN);
	assert_int_equal(recording_read(recording, 1, &assessment, error), -EINVAL);
	assert_non_null(strstr(error, ": line 2: not JSON at byte 4"));
	assert_int_equal(recording_read(recording, 2, &assessment, error), 0);
	assessment_free(assessment);
	recording_free(recording);
	unlink(path);
}

static void instants_are_read(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int64_t instant;
	} good[] = {
		{ "1970-01-01T00:00:00Z", 0 },
		{ "2026-01-31T12:00:00.123456Z", INT64_C(1769860800123456) },
		{ "2026-01-31T12:00:00.1234567Z", INT64_C(1769860800123456) },
		{ "2026-01-31T14:00:00.5+02:00", INT64_C(1769860800500000) },
		{ "2026-01-31T12:00:00-00:30", INT64_C(1769862600000000) },
		{ "1969-12-31T23:59:59.000001Z", -999999 },
	};
	static const char *const bad[] = { "", "2026", "2026-01-31", "2026-01-31T12:00:00",
		"2026-01-31 12:00:00Z", "2026-13-31T12:00:00Z", "2026-01-32T12:00:00Z",
		"2026-01-31T24:00:00Z", "2026-01-31T12:00:00.Z", "2026-01-31T12:00:00Zx",
		"2026-01-31T12:00:00+2", "x026-01-31T12:00:00Z", "2026-01-31T12:00:00+99:00" };
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		int64_t instant;
		assert_int_equal(instant_parse(good[i].text, &instant), 0);
		assert_int_equal(instant, good[i].instant);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		int64_t instant = 7;
		assert_int_equal(instant_parse(bad[i], &instant), -EINVAL);
		assert_int_equal(instant, 7);
	}
}

int main(void)
{
	setlocale(LC_CTYPE, "C.UTF-8");
	setenv("TZ", "UTC", 1);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_snapshot_comes_back_as_it_was),
		cmocka_unit_test(it_looks_as_it_did),
		cmocka_unit_test(many_come_back),
		cmocka_unit_test(what_is_missing_is_not_known),
		cmocka_unit_test(mistakes_are_named),
		cmocka_unit_test(text_is_made_harmless),
		cmocka_unit_test(pools_of_one_pid_are_told_apart),
		cmocka_unit_test(damage_is_survived),
		cmocka_unit_test(lines_are_found),
		cmocka_unit_test(a_whole_last_line_counts),
		cmocka_unit_test(a_file_that_is_none_is_reported),
		cmocka_unit_test(lines_of_several_servers_are_refused),
		cmocka_unit_test(a_bad_line_in_the_middle_is_named),
		cmocka_unit_test(instants_are_read),
	};
	return cmocka_run_group_tests_name("replay", tests, NULL, NULL);
}
