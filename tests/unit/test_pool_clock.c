/* Unit tests of libdbpool's quick clock: it agrees with the real clock while it is calibrated, and
 * after calibration stops. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "dbpool/clock.h"

#define SLACK 300 /* microseconds; an interruption lies between the two real readings */

static int64_t least_wrong(void)
{
	int64_t before = now_usec(), quick = now_quick(), after = now_usec();
	return quick < before ? before - quick : quick > after ? quick - after : 0;
}

static void read_until(int64_t end)
{
	while (now_usec() < end)
		for (int i = 0; i < 1000; i++)
			assert_in_range(least_wrong(), 0, SLACK);
}

static void it_is_right_before_any_comparison(void **state)
{
	(void)state;
	read_until(now_usec() + 10000);
	clock_tune();
	read_until(now_usec() + 10000);
}

static void it_is_right_while_it_is_compared(void **state)
{
	(void)state;
	for (int i = 0; i < 20; i++) {
		clock_tune();
		read_until(now_usec() + 10000);
	}
}

static void it_is_right_afterwards(void **state)
{
	(void)state;
	read_until(now_usec() + 300000);
}

static atomic_bool stop;

static void *tune(void *data)
{
	(void)data;
	while (!atomic_load(&stop)) {
		clock_tune();
		usleep(6000);
	}
	return NULL;
}

static void others_may_compare(void **state)
{
	pthread_t threads[2];
	(void)state;
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, tune, NULL), 0);
	read_until(now_usec() + 200000);
	atomic_store(&stop, true);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_is_right_before_any_comparison),
		cmocka_unit_test(it_is_right_while_it_is_compared),
		cmocka_unit_test(it_is_right_afterwards),
		cmocka_unit_test(others_may_compare),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
