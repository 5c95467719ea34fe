/* loop/signal_watch */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <uv.h>

#include "loop/signal_watch.h"

struct received {
	struct signal_watch *watch;
	int numbers[4], count;
};

static void on_received(void *data, int number)
{
	struct received *received = data;
	received->numbers[received->count++] = number;
	if (number != SIGUSR2)
		return;
	signal_watch_free(received->watch);
	received->watch = NULL;
}

static void signals_are_reported_until_the_watch_is_freed(void **state)
{
	static const int numbers[] = { SIGUSR1, SIGUSR2 };
	struct received received = { 0 };
	uv_loop_t loop;
	(void)state;
	assert_int_equal(uv_loop_init(&loop), 0);
	received.watch = signal_watch_new(
		&loop, numbers, 2, &(struct signal_watch_callbacks){ &received, on_received });
	raise(SIGUSR1);
	raise(SIGUSR2);
	/* ends: no handle is left */
	assert_int_equal(uv_run(&loop, UV_RUN_DEFAULT), 0);
	assert_int_equal(received.count, 2);
	assert_int_equal(received.numbers[0], SIGUSR1);
	assert_int_equal(received.numbers[1], SIGUSR2);
	assert_int_equal(uv_loop_close(&loop), 0);
	signal_watch_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(signals_are_reported_until_the_watch_is_freed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
