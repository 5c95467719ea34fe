/* analyze/slot_limits: what is used of the CONNECTION LIMITs of roles and databases. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "analyze/slot_limits.h"
#include "base/arena.h"
#include "model/assessment.h"

static struct backend rows[8];
static size_t n_rows;

static void add(enum backend_kind kind, const char *user, int role_limit, const char *database,
	int database_limit)
{
	rows[n_rows++] = (struct backend){
		.kind = kind,
		.user = user,
		.role_limit = role_limit,
		.database = database,
		.database_limit = database_limit,
	};
}

static struct assessment *count(bool is_known)
{
	struct arena *arena = arena_new();
	struct assessment *assessment = arena_alloc(arena, sizeof(*assessment));
	struct activity *activity = activity_new();
	activity->backends = rows;
	activity->n_backends = n_rows;
	activity->limits_known = is_known;
	assessment->arena = arena;
	assessment->activity = activity;
	assessment->slots.free_at_least = 10;
	slot_limits_count(assessment);
	n_rows = 0;
	return assessment;
}

static void check(const struct assessment *assessment, size_t index, enum slot_limit_kind kind,
	const char *name, int limit, int used, int used_at_most)
{
	const struct slot_limit *found = &assessment->slot_limits[index];
	assert_true(index < assessment->n_slot_limits);
	assert_int_equal(found->kind, kind);
	assert_string_equal(found->name, name);
	assert_int_equal(found->limit, limit);
	assert_int_equal(found->used, used);
	assert_int_equal(found->used_at_most, used_at_most);
}

static void the_tightest_comes_first(void **state)
{
	(void)state;
	add(BACKEND_CLIENT, "app", 5, "shop", 100);
	add(BACKEND_CLIENT, "app", 5, "shop", 100);
	add(BACKEND_WALSENDER, "app", 5, NULL, -1);
	add(BACKEND_CLIENT, "alice", -1, "shop", 100);
	add(BACKEND_OTHER, "app", 5, "shop", 100);
	struct assessment *assessment = count(true);
	assert_int_equal(assessment->n_slot_limits, 3);
	check(assessment, 0, SLOT_LIMIT_ROLE, "app", 5, 3, 3);
	check(assessment, 1, SLOT_LIMIT_DATABASE, "shop", 100, 3, 3);
	check(assessment, 2, SLOT_LIMIT_ROLE, "alice", -1, 1, 1);
	assert_ptr_equal(assessment_binding_limit(assessment), &assessment->slot_limits[0]);
	/* the server itself has less room */
	assessment->slots.free_at_least = 2;
	assert_null(assessment_binding_limit(assessment));
	assessment_free(assessment);
}

/* A hidden row may be a worker. A role and a database of one name are two limits. */
static void hidden_rows_leave_a_bound(void **state)
{
	(void)state;
	add(BACKEND_CLIENT, "app", 2, "app", -1);
	add(BACKEND_HIDDEN, "app", 2, "app", -1);
	add(BACKEND_HIDDEN, "app", 2, "app", -1);
	struct assessment *assessment = count(true);
	assert_int_equal(assessment->n_slot_limits, 2);
	check(assessment, 0, SLOT_LIMIT_ROLE, "app", 2, -1, 3);
	check(assessment, 1, SLOT_LIMIT_DATABASE, "app", -1, -1, 3);
	assert_int_equal(slot_limit_left(&assessment->slot_limits[0]), 0);
	assessment_free(assessment);
}

static void nothing_is_said_where_nothing_was_read(void **state)
{
	(void)state;
	add(BACKEND_CLIENT, "app", -1, "app", -1);
	struct assessment *assessment = count(false);
	assert_null(assessment->slot_limits);
	assert_null(assessment_binding_limit(assessment));
	assessment_free(assessment);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_tightest_comes_first),
		cmocka_unit_test(hidden_rows_leave_a_bound),
		cmocka_unit_test(nothing_is_said_where_nothing_was_read),
	};
	return cmocka_run_group_tests_name("slot_limits", tests, NULL, NULL);
}
