/* report/shutdown: the verdict as text, as JSON and as JUnit XML, for a command with any bytes.
 * jansson reads the JSON; the XML must be valid XML 1.0. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/instant.h"
#include "base/mem.h"
#include "base/text.h"
#include "model/shutdown.h"
#include "report/shutdown.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char *const plain[] = { "python3", "app.py", NULL };

static const struct shutdown_event events[] = {
	{ .at = 0, .kind = EVENT_SIGNAL, .text = "SIGINT sent", .connections = 2 },
	{ .at = 41999, .kind = EVENT_CLOSED, .pid = 9912, .text = "9912 closed", .connections = 1 },
};

static struct shutdown_survivor survivors[] = {
	{ .session = true, .pid = 9913, .what = "idle in transaction", .result = "terminated" },
	{ .pid = 77, .what = "python3", .result = "killed" },
};

static const struct shutdown_verdict failed = {
	.behaviour = BEHAVIOUR_LEFT_SESSIONS,
	.sentence = "it left 1 session",
	.before = 2,
	.after = 1,
	.exit_status = 130,
	.pending_writes = 3,
	.outbox_waiting = 12,
	.drained = -1,
	.rolled_back_write = true,
	.timeline = events,
	.n_events = COUNT(events),
};

static const struct shutdown_verdict passed = {
	.behaviour = BEHAVIOUR_CLOSED,
	.pass = true,
	.sentence = "every connection was closed",
	.before = 2,
	.exit_status = 0,
	.drained = 42 * USEC_PER_MSEC,
};

static const struct shutdown_verdict undecided = {
	.sentence = "the server does not answer",
	.exit_status = -1,
	.pending_writes = -1,
	.outbox_waiting = -1,
	.drained = -1,
};

struct fixture {
	struct shutdown_record record;
	struct shutdown_report report;
};

static int set_up(void **state)
{
	struct fixture *f = mem_alloc(sizeof(*f));
	f->record = (struct shutdown_record){
		.signal_number = SIGINT,
		.signalled_wall = INT64_C(1700000000) * USEC_PER_SEC,
	};
	f->report = (struct shutdown_report){
		.command = plain,
		.record = &f->record,
		.verdict = &passed,
		.round = 1,
		.rounds = 1,
		.duration = 1250 * USEC_PER_MSEC,
	};
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	free(*state);
	return 0;
}

static char *print_text(const struct shutdown_report *report)
{
	const struct printer_style style = { .utf8 = true, .width = 80 };
	char *text = NULL;
	size_t size;
	FILE *file = open_memstream(&text, &size);
	assert_int_equal(shutdown_print_text(report, &style, file), 0);
	fclose(file);
	return text;
}

static json_t *print_json(const struct shutdown_report *report)
{
	CLEANUP(cleanup_free) char *text = NULL;
	size_t size;
	FILE *file = open_memstream(&text, &size);
	assert_int_equal(shutdown_print_json(report, file), 0);
	fclose(file);
	/* one line, with its end */
	assert_ptr_equal(strchr(text, '\n'), text + size - 1);
	json_t *root = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(root);
	return root;
}

static char *print_junit(const struct shutdown_report *reports, size_t n)
{
	CLEANUP(cleanup_free) char *cases = NULL;
	char *text = NULL;
	size_t size;
	struct shutdown_tally tally = { 0 };
	FILE *file = open_memstream(&cases, &size);
	for (size_t i = 0; i < n; i++)
		shutdown_print_junit_case(&reports[i], &tally, file);
	fclose(file);
	file = open_memstream(&text, &size);
	assert_int_equal(shutdown_print_junit(&tally, cases, file), 0);
	fclose(file);
	return text;
}

static void text_is_for_people(void **state)
{
	struct fixture *f = *state;
	f->report.verdict = &failed;
	f->report.round = 2;
	f->report.rounds = 3;
	f->record.survivors = survivors;
	f->record.n_survivors = COUNT(survivors);
	CLEANUP(cleanup_free) char *text = print_text(&f->report);
	assert_string_equal(text,
		"2 of 3  FAIL  left_sessions: it left 1 session\n"
		"       0 ms  SIGINT sent\n"
		"      41 ms  9912 closed\n"
		"still there, and ended now:\n"
		"           backend 9913 idle in transaction: terminated\n"
		"           process 77 python3: killed\n");
}

static void without_a_verdict_text_says_why(void **state)
{
	struct fixture *f = *state;
	f->report.verdict = &undecided;
	CLEANUP(cleanup_free) char *text = print_text(&f->report);
	assert_string_equal(text, "NO VERDICT  the server does not answer\n");
}

static const char *string_of(const json_t *root, const char *key)
{
	return json_string_value(json_object_get(root, key));
}

static void json_holds_the_verdict(void **state)
{
	struct fixture *f = *state;
	f->report.verdict = &failed;
	f->report.strict = true;
	f->record.survivors = survivors;
	f->record.n_survivors = COUNT(survivors);
	json_t *root = print_json(&f->report), *item;
	assert_int_equal(json_integer_value(json_object_get(root, "schema")), 1);
	assert_string_equal(string_of(root, "verdict"), "fail");
	assert_string_equal(string_of(root, "behaviour"), "left_sessions");
	assert_string_equal(string_of(root, "signal"), "INT");
	assert_true(json_is_null(json_object_get(root, "target")));
	assert_string_equal(string_of(root, "text"), "it left 1 session");
	assert_true(json_is_true(json_object_get(root, "strict")));
	assert_true(json_is_true(json_object_get(root, "rolled_back_write")));
	assert_int_equal(json_integer_value(json_object_get(root, "exit_status")), 130);
	assert_int_equal(json_integer_value(json_object_get(root, "connections_after")), 1);
	assert_int_equal(json_integer_value(json_object_get(root, "pending_writes")), 3);
	assert_int_equal(json_integer_value(json_object_get(root, "outbox_waiting")), 12);
	assert_true(json_is_null(json_object_get(root, "drained_ms")));
	item = json_array_get(json_object_get(root, "timeline"), 1);
	assert_string_equal(string_of(item, "event"), "closed");
	assert_int_equal(json_integer_value(json_object_get(item, "pid")), 9912);
	assert_int_equal(json_integer_value(json_object_get(item, "connections")), 1);
	item = json_array_get(json_object_get(root, "timeline"), 0);
	assert_true(json_is_null(json_object_get(item, "pid")));
	item = json_array_get(json_object_get(root, "survivors"), 0);
	assert_string_equal(string_of(item, "kind"), "session");
	assert_string_equal(string_of(item, "result"), "terminated");
	json_decref(root);
}

/* A value that is not known is null, never 0. */
static void json_without_a_verdict_is_null(void **state)
{
	struct fixture *f = *state;
	static const char *const nulls[] = { "behaviour", "exit_status", "connections_after",
		"connections_opened", "processes_after", "drained_ms", "pending_writes",
		"outbox_waiting" };
	f->report.verdict = &undecided;
	json_t *root = print_json(&f->report);
	for (size_t i = 0; i < COUNT(nulls); i++)
		assert_true(json_is_null(json_object_get(root, nulls[i])));
	json_decref(root);
}

static const char *const hostile[] = { "a\"b\\c", "</testcase>&amp;]]>", "two\nlines\x1b[2J",
	"\xef\xbf\xbe\xef\xbf\xbf", "", "näh 💣", NULL };

static void json_keeps_a_hostile_command(void **state)
{
	struct fixture *f = *state;
	f->report.command = hostile;
	json_t *root = print_json(&f->report);
	const json_t *command = json_object_get(root, "command");
	assert_int_equal(json_array_size(command), COUNT(hostile) - 1);
	for (size_t i = 0; hostile[i]; i++)
		assert_string_equal(json_string_value(json_array_get(command, i)), hostile[i]);
	json_decref(root);
}

/* Checks for characters of XML 1.0 and for tags closed in the right order: enough to find a missing
 * escape. */
static void assert_well_formed(const char *xml)
{
	const char *open[8];
	size_t lengths[8], depth = 0;
	const char *s = xml;
	for (char32_t c; (c = text_next(&s));)
		assert_true((c >= ' ' || c == '\n') && c != 0xfffe && c != 0xffff);
	for (s = strstr(xml, "?>") + 2; (s = strchr(s, '<')); s++) {
		bool closes = s[1] == '/';
		const char *name = s + 1 + closes, *tag_end = strchr(s, '>');
		size_t length = strcspn(name, " />");
		assert_non_null(tag_end);
		assert_null(memchr(s + 1, '<', (size_t)(tag_end - s - 1)));
		if (closes) {
			assert_true(depth-- > 0);
			assert_int_equal(lengths[depth], length);
			assert_memory_equal(open[depth], name, length);
		} else if (tag_end[-1] != '/') {
			assert_true(depth < COUNT(open));
			open[depth] = name;
			lengths[depth++] = length;
		}
	}
	assert_int_equal(depth, 0);
	for (s = xml; (s = strchr(s, '&')); s++)
		assert_true(strncmp(s, "&amp;", 5) == 0 || strncmp(s, "&lt;", 4) == 0 ||
			strncmp(s, "&gt;", 4) == 0 || strncmp(s, "&quot;", 6) == 0 ||
			strncmp(s, "&#10;", 5) == 0);
}

static void junit_counts_its_cases(void **state)
{
	struct fixture *f = *state;
	struct shutdown_report reports[] = { f->report, f->report, f->report };
	for (int i = 0; i < 3; i++) {
		reports[i].round = i + 1;
		reports[i].rounds = 3;
	}
	reports[1].verdict = &failed;
	reports[2].verdict = &undecided;
	CLEANUP(cleanup_free) char *xml = print_junit(reports, 3);
	assert_well_formed(xml);
	assert_non_null(strstr(xml,
		"<testsuite name=\"dbtop --shutdown-test\" tests=\"3\" failures=\"1\" "
		"errors=\"1\" skipped=\"0\" time=\"3.750\">"));
	assert_non_null(strstr(xml,
		"name=\"SIGINT python3 app.py (1 of 3)\" time=\"1.250\">\n"
		"    <properties><property name=\"behaviour\" value=\"closed\"/></properties>\n"
		"    <system-out>closed: every connection was closed\n</system-out>\n"));
	assert_non_null(
		strstr(xml, "<failure type=\"left_sessions\" message=\"it left 1 session\"/>"));
	assert_non_null(
		strstr(xml, "<error type=\"no verdict\" message=\"the server does not answer\"/>"));
	assert_non_null(strstr(xml, "      41 ms  9912 closed\n"));
}

static void junit_withstands_a_hostile_command(void **state)
{
	struct fixture *f = *state;
	f->report.command = hostile;
	CLEANUP(cleanup_free) char *xml = print_junit(&f->report, 1);
	assert_well_formed(xml);
	assert_non_null(strstr(xml,
		"name=\"SIGINT a&quot;b\\c &lt;/testcase&gt;&amp;amp;]]&gt; "
		"two&#10;lines[2J   näh 💣\""));
}

/* A report of SIGINT, with the piece repeated as the arguments, and the expected text. */
static void check_name(struct fixture *f, const char *const *command, const char *piece, size_t n,
	const char *then)
{
	char *wanted = NULL;
	size_t size;
	FILE *file = open_memstream(&wanted, &size);
	fputs("name=\"SIGINT ", file);
	for (size_t i = 0; i < n; i++)
		fputs(piece, file);
	fprintf(file, "%s\" time=", then);
	fclose(file);
	f->report.command = command;
	CLEANUP(cleanup_free) char *xml = print_junit(&f->report, 1);
	assert_well_formed(xml);
	if (!strstr(xml, wanted))
		fail_msg("%s is not in %s", wanted, xml);
	free(wanted);
}

/* The name has at most 200 characters of the command, and none is cut. */
static void junit_shortens_a_long_command(void **state)
{
	struct fixture *f = *state;
	static char bombs[1000 * 4 + 1];
	for (size_t i = 0; i < 1000; i++)
		memcpy(bombs + 4 * i, "💣", 4);
	check_name(f, (const char *const[]){ bombs, NULL }, "💣", 200, "…");
	/* An entity counts as one character. It does not matter in which argument the limit is
	 * reached. */
	static char ands[201 + 1];
	memset(ands, '&', 201);
	check_name(f, (const char *const[]){ ands, NULL }, "&amp;", 200, "…");
	check_name(f, (const char *const[]){ ands + 1, NULL }, "&amp;", 200, "");
	check_name(f, (const char *const[]){ ands + 1, "", NULL }, "&amp;", 200, "…");
	const char *many[1001] = { "a" };
	for (size_t i = 1; i < 1000; i++)
		many[i] = "a";
	check_name(f, many, "a ", 100, "…");
	/* Each round has a name of its own. */
	f->report.round = 2;
	f->report.rounds = 3;
	check_name(f, (const char *const[]){ bombs, NULL }, "💣", 200, "… (2 of 3)");
}

static void a_full_disk_is_reported(void **state)
{
	const struct fixture *f = *state;
	const struct shutdown_tally tally = { 0 };
	const struct printer_style style = { .width = 80 };
	CLEANUP(cleanup_file) FILE *text = fopen("/dev/full", "w");
	CLEANUP(cleanup_file) FILE *json = fopen("/dev/full", "w");
	CLEANUP(cleanup_file) FILE *junit = fopen("/dev/full", "w");
	assert_int_equal(shutdown_print_text(&f->report, &style, text), -ENOSPC);
	assert_int_equal(shutdown_print_json(&f->report, json), -ENOSPC);
	assert_int_equal(shutdown_print_junit(&tally, "", junit), -ENOSPC);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(text_is_for_people),
		TEST(without_a_verdict_text_says_why),
		TEST(json_holds_the_verdict),
		TEST(json_without_a_verdict_is_null),
		TEST(json_keeps_a_hostile_command),
		TEST(junit_counts_its_cases),
		TEST(junit_withstands_a_hostile_command),
		TEST(junit_shortens_a_long_command),
		TEST(a_full_disk_is_reported),
	};
	return cmocka_run_group_tests_name("shutdown_report", tests, NULL, NULL);
}
