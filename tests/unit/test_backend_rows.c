/* collect/backend_rows: what is read of the rows of pg_stat_activity. Hostile answers are
 * tests/fuzz/fuzz_activity.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <libpq-fe.h>
#include <string.h>

#include "collect/backend_rows.h"
#include "model/activity.h"

/* The columns of backend_rows_sql. */
#define COLUMNS 22
#define TYPE    2
#define QUERY   14
#define FACTS   21

static void set(PGresult *result, int row, int column, const char *bytes, size_t length)
{
	assert_true(PQsetvalue(result, row, column, (char *)bytes, (int)length));
}

/* The statement of dbtop's own session, which has the facts, is long and is read in each poll. */
static void only_foreign_statements_are_searched_for_effects(void **state)
{
	(void)state;
	static const char type[] = "client backend", facts[4];
	static const char *const queries[] = { "LISTEN news", "LISTEN to_ours" };
	PGresAttDesc columns[COLUMNS] = { 0 };
	PGresult *result = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);
	for (int i = 0; i < COLUMNS; i++)
		columns[i] = (PGresAttDesc){ .name = (char *)"c", .format = 1 };
	assert_true(PQsetResultAttrs(result, COLUMNS, columns));
	for (int row = 0; row < 2; row++) {
		for (int i = 0; i < COLUMNS; i++)
			assert_true(PQsetvalue(result, row, i, NULL, -1));
		set(result, row, TYPE, type, strlen(type));
		set(result, row, QUERY, queries[row], strlen(queries[row]));
	}
	set(result, 1, FACTS, facts, sizeof(facts));
	const struct backend_rows_options options = { .version = 150000, .stored_bytes = true };
	struct activity *activity = backend_rows_read(result, &options);
	assert_non_null(activity);
	assert_int_equal(activity->n_backends, 2);
	for (int row = 0; row < 2; row++) {
		assert_string_equal(activity->backends[row].query, queries[row]);
		assert_int_equal(activity->backends[row].effects.listening,
			row == 0 ? EFFECT_BEGINS : EFFECT_NONE);
	}
	activity_unref(activity);
	PQclear(result);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_foreign_statements_are_searched_for_effects),
	};
	return cmocka_run_group_tests_name("backend_rows", tests, NULL, NULL);
}
