/* model: endpoints, PostgreSQL's words, history. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include "base/instant.h"
#include "model/activity.h"
#include "model/assessment.h"
#include "model/endpoint.h"
#include "model/forecast.h"
#include "model/history.h"
#include "model/identifier.h"
#include "model/rules.h"

static struct endpoint parse(int family, const char *text, uint16_t port)
{
	unsigned char address[16];
	assert_int_equal(inet_pton(family, text, address), 1);
	return endpoint_make(family, address, port);
}

static void endpoint_folds_mapped_addresses(void **state)
{
	(void)state;
	struct endpoint v4 = parse(AF_INET, "127.0.0.1", 5432);
	struct endpoint mapped = parse(AF_INET6, "::ffff:127.0.0.1", 5432);
	assert_true(endpoint_equal(&v4, &mapped));
	assert_int_equal(endpoint_key(&v4), endpoint_key(&mapped));
	assert_true(endpoint_is_loopback(&mapped));
	struct endpoint v6 = parse(AF_INET6, "::1", 5432);
	assert_false(endpoint_equal(&v4, &v6));
	assert_true(endpoint_is_loopback(&v6));
}

static void endpoint_is_written_as_people_type_it(void **state)
{
	(void)state;
	char text[ENDPOINT_TEXT_MAX];
	struct endpoint v4 = parse(AF_INET, "10.1.2.3", 5432), v6 = parse(AF_INET6, "fe80::1", 80);
	struct endpoint local = { .family = AF_UNIX }, none = { 0 };
	assert_string_equal(endpoint_format(&v4, text), "10.1.2.3:5432");
	assert_string_equal(endpoint_format(&v6, text), "[fe80::1]:80");
	assert_string_equal(endpoint_address(&v6, text), "fe80::1");
	assert_string_equal(endpoint_format(&local, text), "local");
	assert_string_equal(endpoint_format(&none, text), "");
}

static void effects_of_statements_are_seen(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		enum effect listening, backup;
	} rows[] = {
		{ NULL, EFFECT_NONE, EFFECT_NONE },
		{ "", EFFECT_NONE, EFFECT_NONE },
		{ "LISTEN jobs", EFFECT_BEGINS, EFFECT_NONE },
		{ "listen \"a b\"", EFFECT_BEGINS, EFFECT_NONE },
		{ "  \n LISTEN\tjobs", EFFECT_BEGINS, EFFECT_NONE },
		{ "/* app */ LISTEN jobs", EFFECT_BEGINS, EFFECT_NONE },
		{ "-- hi\nLISTEN jobs", EFFECT_BEGINS, EFFECT_NONE },
		{ "/* a /* b */ c */ listen x;", EFFECT_BEGINS, EFFECT_NONE },
		{ ";LISTEN x", EFFECT_BEGINS, EFFECT_NONE },
		{ "LISTEN x; COMMIT", EFFECT_BEGINS, EFFECT_NONE },
		{ "BEGIN; LISTEN x; SELECT 1", EFFECT_BEGINS, EFFECT_NONE },
		{ "SELECT ';'; LISTEN x", EFFECT_BEGINS, EFFECT_NONE },
		{ "LISTENER", EFFECT_NONE, EFFECT_NONE },
		{ "SELECT 'LISTEN x'", EFFECT_NONE, EFFECT_NONE },
		{ "SELECT '; LISTEN x'", EFFECT_NONE, EFFECT_NONE },
		{ "SELECT 'it''s; LISTEN x'", EFFECT_NONE, EFFECT_NONE },
		{ "SELECT E'\\'; LISTEN x'", EFFECT_NONE, EFFECT_NONE },
		{ "DO $$; LISTEN x; $$", EFFECT_NONE, EFFECT_NONE },
		{ "DO $a$ $$ ; LISTEN x $a$; LISTEN y", EFFECT_BEGINS, EFFECT_NONE },
		{ "SELECT $1; LISTEN x", EFFECT_BEGINS, EFFECT_NONE },
		{ "SELECT a AS listen x", EFFECT_NONE, EFFECT_NONE },
		{ "\"LISTEN\" x", EFFECT_NONE, EFFECT_NONE },
		{ "UNLISTEN jobs", EFFECT_NONE, EFFECT_NONE },
		{ "UNLISTEN *", EFFECT_ENDS, EFFECT_NONE },
		{ "unlisten/**/*;", EFFECT_ENDS, EFFECT_NONE },
		{ "DISCARD ALL", EFFECT_ENDS, EFFECT_NONE },
		{ "DISCARD PLANS", EFFECT_NONE, EFFECT_NONE },
		{ "LISTEN a; UNLISTEN *", EFFECT_ENDS, EFFECT_NONE },
		{ "UNLISTEN *; LISTEN a", EFFECT_BEGINS, EFFECT_NONE },
		{ "/* LISTEN x", EFFECT_NONE, EFFECT_NONE },
		{ "-- LISTEN x", EFFECT_NONE, EFFECT_NONE },
		{ "LISTEN", EFFECT_NONE, EFFECT_NONE },
		{ "/*", EFFECT_NONE, EFFECT_NONE },
		{ "'", EFFECT_NONE, EFFECT_NONE },
		{ "$$", EFFECT_NONE, EFFECT_NONE },
		{ "\"", EFFECT_NONE, EFFECT_NONE },
		{ "SELECT pg_backup_start('x', true)", EFFECT_NONE, EFFECT_BEGINS },
		{ "select PG_START_BACKUP ('x', false, false)", EFFECT_NONE, EFFECT_BEGINS },
		{ "-- nightly\nSELECT * FROM pg_catalog.pg_backup_start('x')", EFFECT_NONE,
			EFFECT_BEGINS },
		{ "BEGIN; SELECT \"pg_backup_start\"('x');", EFFECT_NONE, EFFECT_BEGINS },
		{ "SELECT \"PG_BACKUP_START\"('x')", EFFECT_NONE, EFFECT_NONE },
		{ "SELECT 'pg_backup_start()'", EFFECT_NONE, EFFECT_NONE },
		{ "SELECT pg_backup_start", EFFECT_NONE, EFFECT_NONE },
		{ "SELECT my_pg_backup_start('x')", EFFECT_NONE, EFFECT_NONE },
		{ "SELECT labelfile FROM pg_backup_stop()", EFFECT_NONE, EFFECT_ENDS },
		{ "SELECT pg_stop_backup(false)", EFFECT_NONE, EFFECT_ENDS },
		{ "SELECT pg_backup_start('a'); SELECT pg_backup_stop()", EFFECT_NONE,
			EFFECT_ENDS },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct statement_effects found = statement_effects(rows[i].text);
		if (found.listening != rows[i].listening || found.backup != rows[i].backup)
			fail_msg("%s: %d %d", rows[i].text, found.listening, found.backup);
	}
}

static void identifiers_are_quoted_as_sql_wants_it(void **state)
{
	(void)state;
	static const char *const rows[][2] = { { "app", "app" }, { "app_7", "app_7" },
		{ "7app", "\"7app\"" }, { "App", "\"App\"" }, { "", "\"\"" },
		{ "a\"b", "\"a\"\"b\"" }, { "user", "\"user\"" }, { "order", "\"order\"" },
		{ "users", "users" }, { "public", "\"public\"" },
		{ "zo\xc3\xab", "\"zo\xc3\xab\"" } };
	char text[IDENTIFIER_TEXT_MAX], small[8];
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_string_equal(identifier_quote(rows[i][0], text, sizeof(text)), rows[i][1]);
	assert_true(strlen(identifier_quote("ABCDEFGHIJ", small, sizeof(small))) < 8);
}

static void unknown_words_are_unknown(void **state)
{
	(void)state;
	assert_int_equal(backend_state_parse(NULL), BACKEND_STATE_UNKNOWN);
	assert_int_equal(backend_state_parse("disabled"), BACKEND_STATE_UNKNOWN);
	assert_int_equal(backend_state_parse("idle"), BACKEND_STATE_IDLE);
	assert_int_equal(backend_kind_parse(NULL), BACKEND_HIDDEN);
	assert_int_equal(backend_kind_parse("client backend"), BACKEND_CLIENT);
	assert_int_equal(backend_kind_parse("autovacuum worker"), BACKEND_OTHER);
}

static void history_keeps_the_largest_of_a_second(void **state)
{
	(void)state;
	static struct history history;
	assert_null(history_get(&history, 0));
	history_add(&history, (struct history_sample){ .at = 1000000, .used = 3, .leaked = 1 });
	history_add(&history, (struct history_sample){ .at = 1900000, .used = 5, .leaked = 0 });
	history_add(&history, (struct history_sample){ .at = 2000000, .used = 2, .leaked = 0 });
	assert_int_equal(history.count, 2);
	assert_int_equal(history_get(&history, 0)->used, 2);
	assert_int_equal(history_get(&history, 1)->used, 5);
	assert_int_equal(history_get(&history, 1)->leaked, 1);
	for (int i = 3; i < 3 + 2 * HISTORY_SAMPLES; i++)
		history_add(&history, (struct history_sample){ .at = i * USEC_PER_SEC, .used = i });
	assert_int_equal(history.count, HISTORY_SAMPLES);
	assert_int_equal(history_get(&history, 0)->used, 2 + 2 * HISTORY_SAMPLES);
	assert_non_null(history_get(&history, HISTORY_SAMPLES - 1));
	assert_null(history_get(&history, HISTORY_SAMPLES));
}

/* Used slots, one sample every five seconds until now; the last one is the newest. */
static int64_t forecast(int room, const int *used, size_t count, int64_t newest_age)
{
	const int64_t now = 1000 * USEC_PER_SEC;
	struct history history = { .count = 0 };
	for (size_t i = 0; i < count; i++)
		history_add(&history,
			(struct history_sample){ .at = now - newest_age -
					(int64_t)(count - 1 - i) * 5 * USEC_PER_SEC,
				.used = used[i] });
	return forecast_full(&history, room, now);
}

static void only_a_steady_rise_is_a_forecast(void **state)
{
	(void)state;
	int rise[25], late[25], steps[25], noise[25], flat[25], fall[25], gap[25], stopped[25];
	for (int i = 0; i < 25; i++) {
		rise[i] = i;
		late[i] = i < 20 ? 5 : 5 + (i - 20);
		steps[i] = i / 5;
		noise[i] = i % 2 ? 12 : 4;
		flat[i] = 9;
		fall[i] = 24 - i;
		gap[i] = i == 15 ? -1 : i;
		stopped[i] = i < 13 ? i : 12;
	}
	/* a slot in five seconds, 16 of 40 are left */
	assert_true(forecast(40, rise, 25, 0) == 80 * USEC_PER_SEC);
	/* a slot in 25 seconds */
	int64_t stepwise = forecast(8, steps, 25, 0);
	assert_true(stepwise > 80 * USEC_PER_SEC && stepwise < 120 * USEC_PER_SEC);
	assert_true(forecast(40, late, 25, 0) < 0);
	assert_true(forecast(40, noise, 25, 0) < 0);
	assert_true(forecast(40, flat, 25, 0) < 0);
	assert_true(forecast(40, fall, 25, 0) < 0);
	assert_true(forecast(40, stopped, 25, 0) < 0);
	/* the samples before a gap do not count, and those after it are too few */
	assert_true(forecast(40, gap, 25, 0) < 0);
	assert_true(forecast(40, rise, 10, 0) < 0);
	/* in use already, in more than an hour, or not fresh */
	assert_true(forecast(24, rise, 25, 0) < 0);
	assert_true(forecast(5000, rise, 25, 0) < 0);
	assert_true(forecast(40, rise, 25, 60 * USEC_PER_SEC) < 0);
	assert_true(forecast_full(&(const struct history){ .count = 0 }, 40, 0) < 0);
}

/* Each of these has only one thing against it. */
static void a_rise_that_is_small_uneven_or_over_is_no_forecast(void **state)
{
	(void)state;
	int small[25], uneven[25], over[25];
	for (int i = 0; i < 25; i++) {
		small[i] = i < 6 ? 0 : i <= 18 ? 1 : 2;
		uneven[i] = i / 3 + (i % 2 ? 6 : 0);
		over[i] = i < 16 ? i : 16;
	}
	assert_true(forecast(40, small, 25, 0) < 0);
	assert_true(forecast(40, uneven, 25, 0) < 0);
	assert_true(forecast(40, over, 25, 0) < 0);
	/* five samples are too few, six are enough */
	struct history history = { .count = 0 };
	for (int i = 0; i < 6; i++) {
		history_add(&history,
			(struct history_sample){ .at = i * 20 * USEC_PER_SEC, .used = 2 * i });
		int64_t left = forecast_full(&history, 40, i * 20 * USEC_PER_SEC);
		assert_true(i < 5 ? left < 0 : left == 300 * USEC_PER_SEC);
	}
}

static void old_is_more_than_half_of_the_limit(void **state)
{
	(void)state;
	const struct rules_limits limits = { 300, 100, -1 };
	static const struct {
		enum status status;
		enum protection protection;
		int64_t age;
		bool old;
	} cases[] = {
		{ STATUS_IDLE, PROTECTION_NONE, 150, false },
		{ STATUS_IDLE, PROTECTION_NONE, 151, true },
		{ STATUS_IDLE, PROTECTION_NONE, -1, false },
		{ STATUS_IDLE, PROTECTION_LISTENER, 151, false },
		{ STATUS_IDLE_IN_TRANSACTION, PROTECTION_NONE, 50, false },
		{ STATUS_IDLE_IN_TRANSACTION, PROTECTION_NONE, 51, true },
		{ STATUS_ACTIVE, PROTECTION_NONE, 1000, false },
		{ STATUS_LEAKED, PROTECTION_NONE, 1000, false },
		{ STATUS_UNKNOWN, PROTECTION_NONE, 1000, false },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct verdict verdict = { .status = cases[i].status,
			.protection = cases[i].protection,
			.age = cases[i].age };
		assert_int_equal(verdict_is_old(&verdict, &limits), cases[i].old);
	}
}

static void patterns_and_service_users(void **state)
{
	(void)state;
	const char *items[] = { "psql*", "backup" };
	struct patterns patterns = { .items = items, .count = 2 };
	assert_true(patterns_match(&patterns, "psql - nightly"));
	assert_true(patterns_match(&patterns, "backup"));
	assert_false(patterns_match(&patterns, "my psql"));
	assert_false(patterns_match(&patterns, NULL));
	assert_true(rules_is_service_user("cloudsqladmin"));
	assert_false(rules_is_service_user("cloudsqladmin2"));
	assert_false(rules_is_service_user(NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(endpoint_folds_mapped_addresses),
		cmocka_unit_test(endpoint_is_written_as_people_type_it),
		cmocka_unit_test(effects_of_statements_are_seen),
		cmocka_unit_test(identifiers_are_quoted_as_sql_wants_it),
		cmocka_unit_test(unknown_words_are_unknown),
		cmocka_unit_test(history_keeps_the_largest_of_a_second),
		cmocka_unit_test(only_a_steady_rise_is_a_forecast),
		cmocka_unit_test(a_rise_that_is_small_uneven_or_over_is_no_forecast),
		cmocka_unit_test(old_is_more_than_half_of_the_limit),
		cmocka_unit_test(patterns_and_service_users),
	};
	return cmocka_run_group_tests_name("model", tests, NULL, NULL);
}
