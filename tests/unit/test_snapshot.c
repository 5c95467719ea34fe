/* report/snapshot: the JSON of schema 1, key by key. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/instant.h"
#include "model/assessment.h"
#include "model/proxy.h"
#include "report/snapshot.h"
#include "sample.h"

static const struct snapshot_options everything;

static char *print(const struct assessment *assessment, const struct snapshot_options *options)
{
	char *text = NULL;
	size_t size = 0;
	FILE *file = open_memstream(&text, &size);
	assert_int_equal(snapshot_print(assessment, options, file), 0);
	fclose(file);
	return text;
}

/* One line, one value, no key twice. */
static json_t *parse(const struct assessment *assessment, const struct snapshot_options *options)
{
	CLEANUP(cleanup_free) char *text = print(assessment, options);
	assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
	json_error_t error;
	json_t *json = json_loads(text, JSON_REJECT_DUPLICATES, &error);
	if (!json)
		fail_msg("%s at %d", error.text, error.position);
	return json;
}

static json_t *parse_sample(enum sample_kind kind)
{
	struct assessment *assessment = sample_assessment(kind);
	json_t *json = parse(assessment, &everything);
	assessment_free(assessment);
	return json;
}

/* The value at a path of keys and, for arrays, indices. */
static json_t *at(json_t *json, const char *path)
{
	char copy[128];
	snprintf(copy, sizeof(copy), "%s", path);
	char *rest = copy;
	for (char *step; (step = strsep(&rest, "."));)
		json = json_is_array(json) ? json_array_get(json, (size_t)atoi(step))
					   : json_object_get(json, step);
	if (!json)
		fail_msg("there is no %s", path);
	return json;
}

static json_t *connection_of(json_t *json, int pid)
{
	size_t i;
	json_t *connection;
	json_array_foreach(at(json, "connections"), i,
		connection) if (json_integer_value(at(connection, "pid")) == pid) return connection;
	fail_msg("no connection %d", pid);
	return NULL;
}

/* The documented element of the same kind, where there are several kinds. */
static json_t *alike(json_t *documented, json_t *printed)
{
	size_t i;
	json_t *one;
	const char *kind = json_string_value(json_object_get(printed, "kind"));
	json_array_foreach(documented, i, one)
	{
		const char *other = json_string_value(json_object_get(one, "kind"));
		if (kind && other && strcmp(kind, other) == 0)
			return one;
	}
	return json_array_get(documented, 0);
}

/* Exactly the documented keys, in their documented order. */
static void assert_same_keys(json_t *documented, json_t *printed)
{
	void *a = json_object_iter(documented), *b = json_object_iter(printed);
	for (; a && b;
		a = json_object_iter_next(documented, a), b = json_object_iter_next(printed, b)) {
		assert_string_equal(json_object_iter_key(a), json_object_iter_key(b));
		json_t *x = json_object_iter_value(a), *y = json_object_iter_value(b);
		if (json_is_object(x) && json_is_object(y))
			assert_same_keys(x, y);
		if (json_is_array(x) && json_array_size(x) > 0)
			assert_true(json_is_array(y) || json_is_null(y));
		for (size_t i = 0;
			json_is_array(x) && json_array_size(x) > 0 && i < json_array_size(y); i++)
			assert_same_keys(alike(x, json_array_get(y, i)), json_array_get(y, i));
	}
	assert_null(a);
	assert_null(b);
}

static void every_key_is_there_whatever_is_known(void **state)
{
	(void)state;
	json_t *documented = json_load_file("tests/data/report/schema1.json", 0, NULL);
	assert_non_null(documented);
	for (size_t kind = 0; kind < SAMPLE_COUNT; kind++) {
		json_t *json = parse_sample((enum sample_kind)kind);
		assert_same_keys(documented, json);
		json_decref(json);
	}
	json_decref(documented);
}

static void a_leaked_connection_is_reported_as_documented(void **state)
{
	(void)state;
	json_t *json = parse_sample(SAMPLE_SCREEN);
	json_t *leaked = connection_of(json, 9912);
	static const struct {
		const char *path, *value;
	} strings[] = {
		{ "backend_start", "2026-01-31T08:03:53.921912Z" },
		{ "state", "idle in transaction" },
		{ "state_change", "2026-01-31T11:56:32.000000Z" },
		{ "xact_start", "2026-01-31T11:56:31.980000Z" },
		{ "client_addr", "127.0.0.1" },
		{ "wait_event", "ClientRead" },
		{ "status", "leaked" },
		{ "reason", "held_too_long" },
		{ "certainty", "declared" },
		{ "process.command", "python3 main.py" },
		{ "process.unit", "app.service" },
		{ "process.matched_by", "tcp" },
	};
	for (size_t i = 0; i < sizeof(strings) / sizeof(strings[0]); i++)
		assert_string_equal(
			json_string_value(at(leaked, strings[i].path)), strings[i].value);
	assert_int_equal(json_integer_value(at(leaked, "client_port")), 51234);
	assert_int_equal(json_integer_value(at(leaked, "process.pid")), 4312);
	assert_true(fabs(json_real_value(at(leaked, "seconds")) - 432.0) < 1e-9);
	assert_true(json_is_null(at(leaked, "protected")));
	assert_string_equal(
		json_string_value(at(connection_of(json, 9914), "protected")), "pool_reserve");
	json_decref(json);
}

static void ports_are_as_postgresql_says_them(void **state)
{
	(void)state;
	json_t *json = parse_sample(SAMPLE_SCREEN);
	json_t *local = connection_of(json, 9950);
	assert_true(json_is_null(at(local, "client_addr")));
	assert_int_equal(json_integer_value(at(local, "client_port")), -1);
	assert_string_equal(json_string_value(at(local, "process.matched_by")), "unix");
	json_decref(json);
}

static void what_is_hidden_is_null(void **state)
{
	(void)state;
	json_t *json = parse_sample(SAMPLE_SCREEN);
	json_t *hidden = connection_of(json, 9980);
	static const char *const nulls[] = { "backend_start", "application_name", "client_addr",
		"client_port", "state", "state_change", "xact_start", "query_start",
		"wait_event_type", "wait_event", "query", "reason", "certainty", "protected",
		"seconds", "process" };
	for (size_t i = 0; i < sizeof(nulls) / sizeof(nulls[0]); i++)
		assert_true(json_is_null(at(hidden, nulls[i])));
	assert_string_equal(json_string_value(at(hidden, "status")), "unknown");
	json_decref(json);
}

static void a_server_that_did_not_let_us_in_is_not_zero(void **state)
{
	(void)state;
	json_t *json = parse_sample(SAMPLE_FULL);
	static const char *const nulls[] = { "server.version", "server.started_at", "server.age_ms",
		"slots.max", "slots.reserved", "slots.used", "slots.free", "slots.active",
		"slots.idle", "slots.idle_in_transaction", "slots.leaked", "slots.unknown",
		"sources.0.age_ms" };
	for (size_t i = 0; i < sizeof(nulls) / sizeof(nulls[0]); i++)
		assert_true(json_is_null(at(json, nulls[i])));
	assert_string_equal(json_string_value(at(json, "server.status")), "full");
	assert_string_equal(json_string_value(at(json, "taken_at")), "2026-01-31T12:03:44.000000Z");
	assert_int_equal(json_array_size(at(json, "connections")), 0);
	assert_int_equal(json_array_size(at(json, "processes")), 4);
	json_decref(json);
}

/* A list that is empty because its source did not answer is null; one that was read is empty. */
static void lists_that_nobody_read_are_null(void **state)
{
	(void)state;
	static const struct {
		size_t source;
		enum source_status status;
		bool answered;
		bool processes, pools; /* known */
	} cases[] = {
		{ SOURCE_PEERS, SOURCE_OK, true, true, true },
		{ SOURCE_PEERS, SOURCE_FAILED, true, false, true },
		{ SOURCE_PEERS, SOURCE_WAITING, false, false, true },
		{ SOURCE_PEERS, SOURCE_STALE, true, true, true },
		{ SOURCE_PAGES, SOURCE_FAILED, true, true, false },
		{ SOURCE_PAGES, SOURCE_WAITING, false, true, false },
		{ SOURCE_PAGES, SOURCE_STALE, true, true, true },
		/* a PgBouncer */
		{ SOURCE_COUNT, SOURCE_OK, true, true, true },
		{ SOURCE_COUNT, SOURCE_FAILED, true, true, false },
		{ SOURCE_COUNT, SOURCE_WAITING, false, true, false },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct assessment *assessment = sample_assessment(SAMPLE_EMPTY);
		struct source_state sources[SOURCE_COUNT + 1];
		assessment->n_processes = assessment->n_pools = 0;
		for (size_t k = 0; k < SOURCE_COUNT + 1; k++)
			sources[k] = (struct source_state){
				.name = "a source", .status = SOURCE_OK, .taken_at = SAMPLE_NOW
			};
		sources[cases[i].source].status = cases[i].status;
		if (!cases[i].answered)
			sources[cases[i].source].taken_at = INSTANT_UNKNOWN;
		assessment->sources = sources;
		assessment->n_sources = SOURCE_COUNT + (cases[i].source == SOURCE_COUNT);
		json_t *json = parse(assessment, &everything);
		json_t *processes = at(json, "processes"), *pools = at(json, "pools");
		if (json_is_null(processes) == cases[i].processes ||
			json_is_null(pools) == cases[i].pools)
			fail_msg("case %zu: processes %s, pools %s", i,
				json_is_null(processes) ? "null" : "a list",
				json_is_null(pools) ? "null" : "a list");
		assert_int_equal(json_array_size(processes) + json_array_size(pools), 0);
		json_decref(json);
		assessment_free(assessment);
	}
}

static void the_age_is_the_datas(void **state)
{
	(void)state;
	json_t *json = parse_sample(SAMPLE_STALE);
	assert_int_equal(json_integer_value(at(json, "server.age_ms")), 14000);
	assert_int_equal(json_integer_value(at(json, "sources.0.age_ms")), 14000);
	assert_string_equal(json_string_value(at(json, "sources.0.status")), "stale");
	assert_string_equal(json_string_value(at(json, "taken_at")), "2026-01-31T12:03:30.000000Z");
	assert_int_equal(json_integer_value(at(json, "slots.used")), 18);
	json_decref(json);
}

static void an_outbox_is_told_as_documented(void **state)
{
	(void)state;
	json_t *json = parse_sample(SAMPLE_OUTBOX);
	json_t *outbox = at(json, "pools.0.outbox");
	assert_int_equal(json_integer_value(at(outbox, "waiting")), 12);
	assert_int_equal(json_integer_value(at(outbox, "rejected")), 2);
	/* to the time of the snapshot, as all ages */
	assert_float_equal(json_number_value(at(outbox, "oldest_seconds")), 192.012, 0.0005);
	assert_string_equal(json_string_value(at(outbox, "fsync")), "full");
	json_decref(json);
	struct assessment *assessment = sample_assessment(SAMPLE_OUTBOX);
	assessment->pages->items[0].outbox = (struct pool_outbox){
		.present = true, .oldest_at = INSTANT_UNKNOWN, .fsync = POOL_FSYNC_NORMAL
	};
	json = parse(assessment, &everything);
	assert_true(json_is_null(at(json, "pools.0.outbox.oldest_seconds")));
	assert_string_equal(json_string_value(at(json, "pools.0.outbox.fsync")), "normal");
	json_decref(json);
	assessment_free(assessment);
	json = parse_sample(SAMPLE_SCREEN);
	assert_true(json_is_null(at(json, "pools.0.outbox")));
	json_decref(json);
}

static void hostile_strings_come_back_as_they_were(void **state)
{
	(void)state;
	struct assessment *assessment = sample_assessment(SAMPLE_HOSTILE);
	json_t *json = parse(assessment, &everything);
	for (size_t i = 0; i < assessment->n_connections; i++) {
		const struct backend *backend = assessment->connections[i].backend;
		json_t *printed = json_array_get(at(json, "connections"), i);
		const struct {
			const char *key, *value;
		} pairs[] = { { "application_name", backend->application_name },
			{ "database", backend->database }, { "user", backend->user },
			{ "query", backend->query } };
		for (size_t j = 0; j < sizeof(pairs) / sizeof(pairs[0]); j++)
			if (pairs[j].value)
				assert_string_equal(json_string_value(at(printed, pairs[j].key)),
					pairs[j].value);
	}
	json_decref(json);
	assessment_free(assessment);
}

static void only_what_is_in_scope_is_listed(void **state)
{
	(void)state;
	struct assessment *assessment = sample_assessment(SAMPLE_SCREEN);
	for (size_t i = 0; i < assessment->n_connections; i++)
		assessment->connections[i].in_scope = i < 3;
	for (size_t i = 0; i < assessment->n_processes; i++)
		assessment->processes[i].connections = i < 2;
	for (size_t i = 0; i < assessment->n_waiters; i++)
		assessment->waiters[i].in_scope = false;
	json_t *json = parse(assessment, &everything);
	assert_int_equal(json_array_size(at(json, "connections")), 3);
	assert_int_equal(json_array_size(at(json, "processes")), 2);
	assert_int_equal(json_array_size(at(json, "waiting")), 0);
	assert_int_equal(json_integer_value(at(json, "slots.used")), 18);
	json_decref(json);
	assessment_free(assessment);
}

static void no_query_text_leaves_none(void **state)
{
	(void)state;
	struct assessment *assessment = sample_assessment(SAMPLE_SCREEN);
	static const struct snapshot_options silent = { .no_query_text = true };
	json_t *json = parse(assessment, &silent);
	size_t i;
	json_t *connection;
	json_array_foreach(at(json, "connections"), i, connection)
		assert_true(json_is_null(at(connection, "query")));
	json_decref(json);
	assessment_free(assessment);
}

static void numbers_keep_their_form(void **state)
{
	(void)state;
	struct assessment *assessment = sample_assessment(SAMPLE_SCREEN);
	sample_find(assessment, 9912)->verdict.age = 432001999;
	sample_find(assessment, 9801)->verdict.age = INT64_C(315360000000000);
	assessment->processes[0].process.cpu_percent = 99.96;
	assessment->processes[1].process.cpu_percent = (double)INFINITY;
	CLEANUP(cleanup_free) char *text = print(assessment, &everything);
	assert_non_null(strstr(text, "\"seconds\":432.001,"));
	assert_non_null(strstr(text, "\"seconds\":315360000.000,"));
	assert_non_null(strstr(text, "\"cpu_percent\":100.0,"));
	assert_non_null(strstr(text, "\"cpu_percent\":null,\"rss_bytes\":null,"));
	assessment_free(assessment);
}

static void the_proxy_is_reported_when_there_is_one(void **state)
{
	(void)state;
	struct assessment *assessment = sample_assessment(SAMPLE_SCREEN);
	struct proxy *proxy = proxy_new();
	assessment->proxy = proxy;
	json_t *json = parse(assessment, &everything);
	/* No proxy is configured, and none is there. */
	assert_true(json_is_null(at(json, "proxy")));
	json_decref(json);
	proxy->status = PROXY_SERVING;
	proxy->port = 5433;
	proxy->process.pid = 812;
	proxy->latency = 2100;
	CLEANUP(cleanup_free) char *text = print(assessment, &everything);
	assert_non_null(strstr(text,
		"\"proxy\":{\"status\":\"serving\",\"pid\":812,\"port\":5433,"
		"\"latency_ms\":2.100,\"detail\":null}"));
	proxy->status = PROXY_ABSENT;
	proxy->expected = true;
	proxy->process.pid = 0;
	proxy->latency = -1;
	proxy->detail = "nobody listens on port 5433";
	CLEANUP(cleanup_free) char *absent = print(assessment, &everything);
	assert_non_null(strstr(absent,
		"\"proxy\":{\"status\":\"absent\",\"pid\":null,\"port\":5433,"
		"\"latency_ms\":null,\"detail\":\"nobody listens"));
	assessment_free(assessment);
}

static void a_stream_that_fails_is_reported(void **state)
{
	(void)state;
	struct assessment *assessment = sample_assessment(SAMPLE_SCREEN);
	FILE *full = fopen("/dev/full", "w");
	assert_non_null(full);
	assert_int_equal(snapshot_print(assessment, &everything, full), -ENOSPC);
	fclose(full);
	assessment_free(assessment);
}

/* Neither process has a connection, and the waiters are out of scope. Searching all waiters for
 * each process would take minutes. */
static void so_many_wait(void **state)
{
	(void)state;
	enum { MANY = 300000 };
	struct assessment *assessment = sample_assessment(SAMPLE_EMPTY);
	static const struct bouncer_client client;
	static const struct bouncer console = { .name = "127.0.0.1:6432" };
	assessment->processes =
		arena_array(assessment->arena, MANY, sizeof(*assessment->processes));
	assessment->waiters = arena_array(assessment->arena, MANY, sizeof(*assessment->waiters));
	assessment->n_processes = assessment->n_waiters = MANY;
	for (size_t i = 0; i < MANY; i++)
		assessment->waiters[i] = (struct waiter){
			.client = &client, .console = &console, .process = (uint32_t)i
		};
	CLEANUP(cleanup_free) char *text = print(assessment, &everything);
	assert_non_null(strstr(text, "\"processes\":[]"));
	/* the process that is written */
	assessment->waiters[MANY / 2].in_scope = true;
	assessment->processes[MANY / 2].process.pid = 4711;
	assessment->n_waiters = MANY / 2;
	assessment->waiters[0] = assessment->waiters[MANY / 2];
	json_t *json = parse(assessment, &everything);
	assert_int_equal(json_array_size(json_object_get(json, "processes")), 1);
	assert_int_equal(json_integer_value(at(json, "processes.0.pid")), 4711);
	json_decref(json);
	assessment_free(assessment);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_key_is_there_whatever_is_known),
		cmocka_unit_test(a_leaked_connection_is_reported_as_documented),
		cmocka_unit_test(ports_are_as_postgresql_says_them),
		cmocka_unit_test(what_is_hidden_is_null),
		cmocka_unit_test(a_server_that_did_not_let_us_in_is_not_zero),
		cmocka_unit_test(lists_that_nobody_read_are_null),
		cmocka_unit_test(the_age_is_the_datas),
		cmocka_unit_test(an_outbox_is_told_as_documented),
		cmocka_unit_test(hostile_strings_come_back_as_they_were),
		cmocka_unit_test(only_what_is_in_scope_is_listed),
		cmocka_unit_test(no_query_text_leaves_none),
		cmocka_unit_test(numbers_keep_their_form),
		cmocka_unit_test(the_proxy_is_reported_when_there_is_one),
		cmocka_unit_test(a_stream_that_fails_is_reported),
		cmocka_unit_test(so_many_wait),
	};
	return cmocka_run_group_tests_name("snapshot", tests, NULL, NULL);
}
