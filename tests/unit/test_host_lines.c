/* collect/host_lines and host_merge: what two dbtops say to each other, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/instant.h"
#include "base/mem.h"
#include "collect/host_lines.h"
#include "collect/host_merge.h"

static struct asked_end end(const char *text)
{
	struct endpoint client;
	assert_true(endpoint_parse(text, &client));
	return (struct asked_end){ client, 0 };
}

static void a_question_arrives_as_it_was_sent(void **state)
{
	(void)state;
	struct arena *arena = arena_new();
	struct asked_end add[] = { end("10.0.0.2:40000"), end("[fd00::1]:5"),
		{ { .family = AF_UNIX }, 4711 } };
	struct asked_end drop[] = { end("127.0.0.1:1") };
	const struct host_question sent = { .number = 7,
		.target = 3,
		.is_first = true,
		.ports = { 5432, 6432 },
		.n_ports = 2,
		.own = end("10.0.0.9:50000").client,
		.add = add,
		.n_add = 3,
		.drop = drop,
		.n_drop = 1 };
	struct host_question got;
	const char *error;
	CLEANUP(cleanup_free) char *line = host_lines_question(&sent);
	assert_int_equal(host_lines_read_question(arena, line, strlen(line), &got, &error), 0);
	assert_int_equal(got.number, 7);
	assert_int_equal(got.target, 3);
	assert_true(got.is_first);
	assert_int_equal(got.ports[1], 6432);
	assert_true(endpoint_equal(&got.own, &sent.own));
	assert_int_equal(got.n_add, 3);
	for (size_t i = 0; i < 3; i++)
		assert_true(asked_end_equal(&got.add[i], &add[i]));
	assert_int_equal(got.n_drop, 1);
	arena_free(arena);
}

static int read_greeting(
	struct arena *arena, const char *line, size_t length, const char **ret_error)
{
	int version;
	return host_lines_read_greeting(arena, line, length, &version, ret_error);
}

typedef int read_fn(struct arena *arena, const char *line, size_t length, const char **ret_error);

static int read_hello(struct arena *arena, const char *line, size_t length, const char **ret_error)
{
	struct host_hello hello;
	return host_lines_read_hello(arena, line, length, &hello, ret_error);
}

static int read_question(
	struct arena *arena, const char *line, size_t length, const char **ret_error)
{
	struct host_question question;
	return host_lines_read_question(arena, line, length, &question, ret_error);
}

static int read_answer(struct arena *arena, const char *line, size_t length, const char **ret_error)
{
	struct host_answer answer;
	return host_lines_read_answer(arena, line, length, &answer, ret_error);
}

static void what_is_no_such_line_is_refused(void **state)
{
	(void)state;
	static const struct {
		read_fn *read;
		const char *line, *error;
		int result;
	} cases[] = {
		{ read_hello, "Welcome to Debian \033[31m", "Welcome to Debian ␛[31m", -EPROTO },
		{ read_hello, "", "not a line", -EPROTO },
		{ read_hello, "[1]", "not a line", -EPROTO },
		{ read_hello, "{\"version\":1,\"boot\":\"x\"}", "not a line", -EPROTO },
		{ read_hello, "{\"version\":3,\"boot\":\"x\",\"run\":\"y\"}", "not a line",
			-EPROTO },
		{ read_hello, "{\"error\":\"too\\u001b old\"}", "refuses: too␛ old",
			-EPROTONOSUPPORT },
		{ read_greeting, "{\"dbtop_peers\":[3,4]}", "versions 1 to 2, the other one 3 to 4",
			-EPROTONOSUPPORT },
		{ read_greeting, "{\"dbtop_peers\":[1]}", "not a line", -EPROTO },
		{ read_question, "{\"question\":1,\"target\":64,\"ports\":[1]}", "not a line",
			-EPROTO },
		{ read_question, "{\"question\":1,\"target\":0,\"ports\":[]}", "not a line",
			-EPROTO },
		{ read_question, "{\"question\":1,\"target\":0,\"ports\":[1],\"add\":[\"x\"]}",
			"not a line", -EPROTO },
		{ read_question, "{\"question\":1,\"target\":0,\"ports\":[1],\"add\":[\"unix:0\"]}",
			"not a line", -EPROTO },
		{ read_question, "{\"question\":1,\"target\":0,\"ports\":[1],\"own\":\"10.0.0.1\"}",
			"not a line", -EPROTO },
		{ read_question,
			"{\"question\":1,\"target\":0,\"ports\":[1],\"add\":[\"10.0.0.1\"]}",
			"not a line", -EPROTO },
		{ read_answer, "{\"answer\":0,\"target\":0}", "not a line", -EPROTO },
		{ read_answer, "{\"answer\":1,\"target\":0,\"target\":1}", "not a line", -EPROTO },
		{ read_answer, "{\"answer\":1,\"target\":0,\"ends\":{}}", "not a line", -EPROTO },
		{ read_answer,
			"{\"answer\":1,\"target\":0,\"ends\":[{\"end\":\"10.0.0.1:1\",\"state\":"
			"\"gone\"}]}",
			"not a line", -EPROTO },
		{ read_answer,
			"{\"answer\":1,\"target\":0,\"ends\":[{\"end\":\"10.0.0.1:1\",\"state\":"
			"\"held\"}]}",
			"not a line", -EPROTO },
		{ read_answer,
			"{\"answer\":1,\"target\":0,\"processes\":[{\"id\":1,\"pid\":-1,\"start_"
			"ticks\":1}]}",
			"not a line", -EPROTO },
		/* a sum of two would overflow; no such year can be written */
		{ read_answer,
			"{\"answer\":1,\"target\":0,\"processes\":[{\"id\":1,\"pid\":1,\"start_"
			"ticks\":1,\"rss\":9223372036854775807}]}",
			"not a line", -EPROTO },
		{ read_answer,
			"{\"answer\":1,\"target\":0,\"processes\":[{\"id\":1,\"pid\":1,\"start_"
			"ticks\":1,\"started_at\":253402300800000000}]}",
			"not a line", -EPROTO },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct arena *arena = arena_new();
		const char *error = NULL;
		int r = cases[i].read(arena, cases[i].line, strlen(cases[i].line), &error);
		if (r != cases[i].result || !error || !strstr(error, cases[i].error))
			fail_msg("%s: %d, %s", cases[i].line, r, error ? error : "no error");
		arena_free(arena);
	}
}

/* A list that is longer than its limit is refused before its items are read. */
static void lists_are_limited(void **state)
{
	(void)state;
	struct arena *arena = arena_new();
	const char *error;
	size_t n = HOST_ENDS_MOST + 1;
	struct host_change *changes = mem_alloc(n * sizeof(*changes));
	for (size_t i = 0; i < n; i++)
		changes[i] =
			(struct host_change){ .end = end("10.0.0.1:1"), .state = HOST_END_NONE };
	struct host_answer answer = { .number = 1, .changes = changes, .n_changes = n };
	CLEANUP(cleanup_free) char *line = host_lines_answer(&answer);
	assert_int_equal(read_answer(arena, line, strlen(line), &error), -EPROTO);
	answer.n_changes = n - 1;
	CLEANUP(cleanup_free) char *allowed = host_lines_answer(&answer);
	assert_int_equal(read_answer(arena, allowed, strlen(allowed), &error), 0);
	free(changes);
	arena_free(arena);
}

/* Of the ends with the longest texts. */
static void a_question_about_all_ends_fits_into_a_line(void **state)
{
	(void)state;
	struct asked_end *ends = mem_alloc(HOST_ENDS_MOST * sizeof(*ends));
	for (size_t i = 0; i < HOST_ENDS_MOST; i++)
		ends[i] = end("[fd00:1111:2222:3333:4444:5555:6666:7777]:50000");
	const struct host_question question = { .number = UINT32_MAX,
		.target = HOST_TARGETS_MOST - 1,
		.is_first = true,
		.ports = { 55432, 56432 },
		.n_ports = 2,
		.own = ends[0].client,
		.add = ends,
		.n_add = HOST_ENDS_MOST };
	CLEANUP(cleanup_free) char *line = host_lines_question(&question);
	assert_in_range(strlen(line), HOST_ENDS_MOST, HOST_QUESTION_MOST);
	free(ends);
}

static struct host_answer parse(struct arena *arena, const char *line)
{
	struct host_answer answer;
	const char *error;
	if (host_lines_read_answer(arena, line, strlen(line), &answer, &error) < 0)
		fail_msg("%s", error);
	return answer;
}

#define PROCESS(id, name) "{\"id\":" id ",\"pid\":77,\"start_ticks\":5,\"name\":\"" name "\"}"
#define HELD(end, id)     "{\"end\":\"" end "\",\"state\":\"held\",\"process\":" id "}"

/* Each answer has only what has changed. */
static void answers_add_up(void **state)
{
	(void)state;
	struct arena *arena = arena_new();
	const char *error;
	const struct asked_end asked[] = { end("10.0.0.2:1"), end("10.0.0.2:2"),
		end("10.0.0.2:3") };
	struct host_answer answer = parse(arena,
		"{\"answer\":1,\"target\":0,\"interfaces\":[\"10.0.0.2\"],\"processes\":[" PROCESS(
			"1", "one") "," PROCESS("2", "two") "],\"ends\":[" HELD("10.0.0.2:1",
			"1") "," HELD("10.0.0.2:2", "2") "]}");
	struct host_ends *first = host_merge(NULL, &answer, "a", asked, 3, &error);
	assert_non_null(first);
	assert_int_equal(first->n_ends, 3);
	assert_int_equal(first->n_processes, 2);
	assert_int_equal(first->ends[2].state, HOST_END_UNKNOWN);
	assert_string_equal(first->processes[first->ends[1].process].name, "two");
	assert_string_equal(first->processes[0].host, "a");
	/* the second end is dropped; the first one was closed, and shows who had it */
	const struct asked_end fewer[] = { asked[0], asked[2] };
	answer = parse(arena,
		"{\"answer\":2,\"target\":0,\"processes\":[],\"ends\":["
		"{\"end\":\"10.0.0.2:1\",\"state\":\"none\",\"process\":1}]}");
	struct host_ends *second = host_merge(first, &answer, "a", fewer, 2, &error);
	bool first_is_news = first->is_news;
	host_ends_unref(first);
	assert_non_null(second);
	assert_int_equal(second->number, 2);
	assert_true(first_is_news && second->is_news);
	assert_int_equal(second->n_processes, 1);
	assert_int_equal(second->n_interfaces, 1);
	assert_int_equal(second->ends[0].state, HOST_END_NONE);
	assert_string_equal(second->processes[second->ends[0].process].name, "one");
	/* nothing has changed */
	answer = parse(arena, "{\"answer\":3,\"target\":0}");
	struct host_ends *third = host_merge(second, &answer, "a", fewer, 2, &error);
	host_ends_unref(second);
	assert_non_null(third);
	assert_false(third->is_news);
	assert_int_equal(third->number, 3);
	assert_int_equal(third->ends[0].state, HOST_END_NONE);
	host_ends_unref(third);
	arena_free(arena);
}

/* --- stats pages --- */

#define NOW (INT64_C(1800000000) * USEC_PER_SEC)

static struct pool_page make_page(void)
{
	static struct pool_slot slots[] = {
		{ .number = 1,
			.state = POOL_SLOT_IN_USE,
			.backend_pid = 4711,
			.backend_start = NOW - 7 * USEC_PER_SEC - 1,
			.connected_at = NOW - 7 * USEC_PER_SEC,
			.since = NOW - 5 * USEC_PER_SEC,
			.site = "sync.c:212",
			.thread = 9,
			.borrowed = 3,
			.reported = true },
		{ .number = 2,
			.backend_start = INSTANT_UNKNOWN,
			.connected_at = -5, /* the page may say anything */
			.since = INSTANT_UNKNOWN },
	};
	static struct pool_hook hooks[] = { { "flush", POOL_HOOK_FLUSH, POOL_HOOK_FAILED, -5, 8 } };
	struct pool_page page = {
		.path = "/run/user/7/dbpool/77-1.page",
		.name = "app",
		.pid = 77,
		.inner_pid = 7,
		.start_ticks = 5,
		.uid = 7,
		.owner_visible = true,
		.server = "db:5432/app",
		.phase = "running",
		.max = 2,
		.in_use = 1,
		.acquired_total = UINT64_MAX,
		.wait = { 3, 2, 1, UINT64_MAX },
		.wait_p99 = -1,
		.held_limit = 60 * USEC_PER_SEC,
		.held_max = -1,
		.pending_writes = -1,
		.outbox = { true, 4, 1, NOW - 2 * USEC_PER_SEC, POOL_FSYNC_NORMAL },
		.uptime = 100 * USEC_PER_SEC,
		.read_at = NOW,
		.slots = slots,
		.n_slots = 2,
		.hooks = hooks,
		.n_hooks = 1,
	};
	return page;
}

static bool is_ago(int64_t instant, int64_t ago)
{
	int64_t off = instant_now() - ago - instant;
	return off > -USEC_PER_SEC && off < 60 * USEC_PER_SEC;
}

/* An answer with that process, its end, and the page, by a clock that shows NOW. */
static char *answer_with(const struct pool_page *page, uint32_t id, bool is_same)
{
	struct host_page row = { id, is_same, *page };
	struct host_process process = { 1,
		{ .pid = 77, .start_ticks = 5, .uid = 7, .ended_at = INSTANT_UNKNOWN } };
	struct host_change change = { end("10.0.0.2:1"), HOST_END_HELD, 1, 1 };
	const struct host_answer answer = { .number = 1,
		.processes = &process,
		.n_processes = 1,
		.changes = &change,
		.n_changes = 1,
		.pages = { &row, 1, false } };
	CLEANUP(cleanup_free) char *line = host_lines_answer(&answer);
	char *clock = strstr(line, "\"clock\":");
	assert_non_null(clock);
	return mem_printf(
		"%.*s\"clock\":1800000000000000%s", (int)(clock - line), line, strchr(clock, ','));
}

static struct host_ends *merge_line(
	const struct host_ends *before, char *line, const struct asked_end *asked)
{
	struct arena *arena = arena_new();
	const char *error = NULL;
	struct host_answer answer = parse(arena, line);
	struct host_ends *ends = host_merge(before, &answer, "a", asked, 1, &error);
	assert_non_null(ends);
	free(line);
	arena_free(arena);
	return ends;
}

/* All of it, with the instants by our own clock, whatever the other one shows. */
static void a_page_arrives_as_it_was_sent(void **state)
{
	(void)state;
	const struct asked_end asked[] = { end("10.0.0.2:1") };
	struct pool_page sent = make_page();
	struct host_ends *first = merge_line(NULL, answer_with(&sent, 3, false), asked);
	assert_int_equal(first->n_pages, 1);
	struct host_ends *second = merge_line(first, answer_with(&sent, 3, true), asked);
	host_ends_unref(first);
	assert_int_equal(second->n_pages, 1);
	const struct pool_page *page = &second->pages[0];
	assert_string_equal(page->path, "a:/run/user/7/dbpool/77-1.page");
	assert_string_equal(page->host, "a");
	assert_ptr_equal(page->process, &second->processes[0]);
	assert_int_equal(page->status, POOL_PAGE_LIVE);
	assert_string_equal(page->server, "db:5432/app");
	assert_int_equal(page->inner_pid, 7);
	assert_int_equal(page->wait[2], 1);
	assert_int_equal(page->wait_p99, -1);
	assert_true(page->acquired_total > 0);
	assert_true(is_ago(page->outbox.oldest_at, 2 * USEC_PER_SEC));
	assert_int_equal(page->outbox.fsync, POOL_FSYNC_NORMAL);
	assert_true(is_ago(instant_now() - page->uptime, 100 * USEC_PER_SEC));
	assert_int_equal(page->n_slots, 2);
	assert_int_equal(page->slots[0].backend_start, NOW - 7 * USEC_PER_SEC - 1);
	assert_true(is_ago(page->slots[0].since, 5 * USEC_PER_SEC));
	assert_true(page->slots[0].reported);
	assert_int_equal(page->slots[1].since, INSTANT_UNKNOWN);
	assert_int_equal(page->slots[1].connected_at, INSTANT_UNKNOWN);
	assert_true(page->held_max >= 5 * USEC_PER_SEC - USEC_PER_MSEC);
	assert_string_equal(page->held_site, "sync.c:212");
	assert_int_equal(page->n_hooks, 1);
	assert_int_equal(page->hooks[0].result, -5);
	assert_string_equal(page->hooks[0].name, "flush");
	host_ends_unref(second);
}

/* Of another process, another user, or by a number that was never described. */
static void a_page_of_a_process_without_an_end_is_not_taken(void **state)
{
	(void)state;
	const struct asked_end asked[] = { end("10.0.0.2:1") };
	for (int i = 0; i < 4; i++) {
		struct pool_page sent = make_page();
		sent.pid += i == 1;
		sent.start_ticks += i == 2;
		sent.uid += i == 3;
		struct host_ends *ends = merge_line(NULL, answer_with(&sent, 3, i == 0), asked);
		assert_int_equal(ends->n_pages, 0);
		host_ends_unref(ends);
	}
}

static void pages_that_are_none_are_refused(void **state)
{
	(void)state;
	static const char *const changes[][2] = {
		{ "\"number\":1", "\"number\":257" },
		{ "\"state\":2", "\"state\":3" },
		{ "\"since\":", "\"since\":-" },
		{ "\"pages\":[", "\"pages\":[{}," },
		{ "\"wait\":[", "\"wait\":[0," },
		{ "\"uid\":7,\"server\"", "\"uid\":[],\"server\"" },
		{ "\"outbox_fsync\":1", "\"outbox_fsync\":2" },
		{ "\"slots\":[", "\"slots\":[7,\"x\"],\"x\":[" },
		{ "\"hooks\":", "\"hook\":" },
		{ "\"clock\":", "\"clocks\":" },
	};
	struct pool_page page = make_page();
	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		struct arena *arena = arena_new();
		const char *error = NULL;
		CLEANUP(cleanup_free) char *line = answer_with(&page, 3, false);
		char *from = strstr(line, changes[i][0]);
		assert_non_null(from);
		CLEANUP(cleanup_free)
		char *changed = mem_printf("%.*s%s%s", (int)(from - line), line, changes[i][1],
			from + strlen(changes[i][0]));
		if (read_answer(arena, changed, strlen(changed), &error) != -EPROTO)
			fail_msg("taken: %s", changed);
		arena_free(arena);
	}
}

static void answers_about_others_are_refused(void **state)
{
	(void)state;
	static const char *const lines[] = {
		"{\"answer\":1,\"target\":0,\"processes\":[" PROCESS("1", "x") "],\"ends\":[" HELD(
			"10.0.0.9:1", "1") "]}",
		"{\"answer\":1,\"target\":0,\"processes\":[],\"ends\":[" HELD(
			"10.0.0.2:1", "1") "]}",
	};
	const struct asked_end asked[] = { end("10.0.0.2:1") };
	for (size_t i = 0; i < 2; i++) {
		struct arena *arena = arena_new();
		const char *error = NULL;
		struct host_answer answer = parse(arena, lines[i]);
		assert_null(host_merge(NULL, &answer, "a", asked, 1, &error));
		assert_non_null(strstr(error, i ? "never described" : "not asked about"));
		arena_free(arena);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_question_arrives_as_it_was_sent),
		cmocka_unit_test(what_is_no_such_line_is_refused),
		cmocka_unit_test(lists_are_limited),
		cmocka_unit_test(a_question_about_all_ends_fits_into_a_line),
		cmocka_unit_test(answers_add_up),
		cmocka_unit_test(a_page_arrives_as_it_was_sent),
		cmocka_unit_test(a_page_of_a_process_without_an_end_is_not_taken),
		cmocka_unit_test(pages_that_are_none_are_refused),
		cmocka_unit_test(answers_about_others_are_refused),
	};
	return cmocka_run_group_tests_name("host_lines", tests, NULL, NULL);
}
