/* Unit tests: which of libdbpool's idle connections is lent next. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "dbpool/link.h"
#include "dbpool/slot.h"

/* cmocka.h has a macro fail(), error.h a function of that name. */
#include <cmocka.h>

enum { NOW = 1000 * 1000, N = 4 };

static struct pool_link links[N];

/* A pool with N slots; all of them are idle for long, with no reset under way. */
static struct dbpool *pool_of_idle(void)
{
	static struct dbpool pool;
	pool = (struct dbpool){ .config.max = N };
	pool.n_slots[SLOT_IDLE] = N;
	for (int i = 0; i < N; i++) {
		links[i] = (struct pool_link){ 0 };
		pool.slots[i] = (struct link_slot){ .state = SLOT_IDLE, .link = &links[i] };
	}
	return &pool;
}

static void set_state(struct dbpool *pool, int i, enum slot_state state)
{
	pool->n_slots[pool->slots[i].state]--;
	pool->n_slots[state]++;
	pool->slots[i].state = state;
}

/* The reset was sent so many microseconds ago. */
static void set_reset(struct dbpool *pool, int i, int64_t ago)
{
	links[i].resetting = true;
	pool->slots[i].since = NOW - ago;
}

/* What a thread finds that used slot `last` last. */
static int found_after(struct dbpool *pool, int last)
{
	const struct link_slot *slot = slot_find_idle(pool, last, NOW);
	return slot ? (int)(slot - pool->slots) : -1;
}

static int found(struct dbpool *pool)
{
	return found_after(pool, 0);
}

static void the_first_idle_one_is_lent(void **state)
{
	(void)state;
	struct dbpool *pool = pool_of_idle();
	assert_int_equal(found(pool), 0);
	set_state(pool, 0, SLOT_HELD);
	assert_int_equal(found(pool), 1);
	for (int i = 1; i < N; i++)
		set_state(pool, i, SLOT_CLOSING);
	assert_int_equal(found(pool), -1);
}

/* A borrower would have to wait for the answer of the first. */
static void a_reset_under_way_is_left_to_arrive(void **state)
{
	(void)state;
	struct dbpool *pool = pool_of_idle();
	set_reset(pool, 0, 20);
	assert_int_equal(found(pool), 1);
	set_reset(pool, 1, 2000);
	assert_int_equal(found(pool), 1);
}

/* So that connections which are not needed stay idle, and expire. */
static void a_reset_of_some_time_ago_counts_as_answered(void **state)
{
	(void)state;
	struct dbpool *pool = pool_of_idle();
	for (int i = 0; i < N; i++)
		set_reset(pool, i, 5000 * (i + 1));
	assert_int_equal(found(pool), 0);
}

static void of_resets_under_way_the_oldest_is_lent(void **state)
{
	(void)state;
	struct dbpool *pool = pool_of_idle();
	static const int ago[N] = { 100, 300, 20, 200 };
	for (int i = 0; i < N; i++)
		set_reset(pool, i, ago[i]);
	assert_int_equal(found(pool), 1);
	set_state(pool, 1, SLOT_HELD);
	assert_int_equal(found(pool), 3);
}

/* The connection is in the cache of the thread's processor. */
static void a_thread_gets_the_one_that_it_used_just_now(void **state)
{
	(void)state;
	struct dbpool *pool = pool_of_idle();
	pool->slots[2].since = NOW - 100;
	assert_int_equal(found_after(pool, 2), 2);
	set_reset(pool, 2, 100);
	assert_int_equal(found_after(pool, 2), 0);
	set_state(pool, 2, SLOT_HELD);
	assert_int_equal(found_after(pool, 2), 0);
}

/* So that connections which are not needed stay idle, and expire. */
static void a_thread_that_comes_back_later_gets_the_first(void **state)
{
	(void)state;
	struct dbpool *pool = pool_of_idle();
	pool->slots[2].since = NOW - 2000;
	assert_int_equal(found_after(pool, 2), 0);
}

/* Its slot was one of another pool, which has more of them. */
static void a_slot_that_the_pool_does_not_have_is_not_lent(void **state)
{
	(void)state;
	struct dbpool *pool = pool_of_idle();
	assert_int_equal(found_after(pool, DBPOOL_MAX - 1), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_idle_one_is_lent),
		cmocka_unit_test(a_reset_under_way_is_left_to_arrive),
		cmocka_unit_test(a_reset_of_some_time_ago_counts_as_answered),
		cmocka_unit_test(of_resets_under_way_the_oldest_is_lent),
		cmocka_unit_test(a_thread_gets_the_one_that_it_used_just_now),
		cmocka_unit_test(a_thread_that_comes_back_later_gets_the_first),
		cmocka_unit_test(a_slot_that_the_pool_does_not_have_is_not_lent),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
