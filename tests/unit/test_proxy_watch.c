/* collect/proxy: a connection attempt, or a scan, that hangs is reported. The test replaces the
 * scan, the attempt and the clock. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <netinet/in.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "base/instant.h"
#include "base/mem.h"
#include "collect/forwarder.h"
#include "collect/probe.h"
#include "collect/proxy.h"
#include "model/proxy.h"
#include "session/dial.h"
#include "session/params.h"

/* What the clock is ahead. */
static _Atomic int64_t ahead;

/* forwarder_scan() waits for may_end if it is to hang; it returns this. */
static _Atomic bool hangs;
static _Atomic int scan_result;
static sem_t may_end;

/* The attempts; the last one is under way. */
static struct dial_callbacks attempt;
static int attempts, abandoned;

int64_t __real_instant_monotonic(void);
int64_t __wrap_instant_monotonic(void);
int __wrap_forwarder_scan(struct forwarder *forwarder, int64_t now,
	const struct peers_target *where, bool unix_socket, struct proxy *proxy);
struct dial *__wrap_dial_start(uv_loop_t *loop, const struct params *params, unsigned seconds,
	const struct dial_callbacks *callbacks);
void __wrap_dial_abandon(struct dial *dial);
int __real_uv_timer_start(uv_timer_t *timer, uv_timer_cb cb, uint64_t timeout, uint64_t repeat);
int __wrap_uv_timer_start(uv_timer_t *timer, uv_timer_cb cb, uint64_t timeout, uint64_t repeat);

int64_t __wrap_instant_monotonic(void)
{
	return __real_instant_monotonic() + ahead;
}

int __wrap_forwarder_scan(struct forwarder *forwarder, int64_t now,
	const struct peers_target *where, bool unix_socket, struct proxy *proxy)
{
	static const struct in_addr loopback = { 0x0100007f };
	(void)forwarder, (void)now, (void)where, (void)unix_socket;
	if (hangs)
		sem_wait(&may_end);
	if (scan_result < 0)
		return scan_result;
	proxy->status = PROXY_LISTENING;
	proxy->listener = endpoint_make(AF_INET, &loopback, proxy->port);
	proxy->process.pid = 42;
	return 0;
}

struct dial *__wrap_dial_start(uv_loop_t *loop, const struct params *params, unsigned seconds,
	const struct dial_callbacks *callbacks)
{
	(void)loop, (void)params, (void)seconds;
	attempt = *callbacks;
	attempts++;
	return (struct dial *)&attempt;
}

void __wrap_dial_abandon(struct dial *dial)
{
	abandoned += dial != NULL;
}

/* While this is set, no wait is longer than a moment. */
static bool impatient;

int __wrap_uv_timer_start(uv_timer_t *timer, uv_timer_cb cb, uint64_t timeout, uint64_t repeat)
{
	return __real_uv_timer_start(timer, cb, impatient ? 1 : timeout, repeat);
}

struct fixture {
	uv_loop_t loop;
	struct params params;
	struct proxy_watch *watch;
	int published;
};

static void on_published(void *data)
{
	struct fixture *f = data;
	f->published++;
}

static int set_up(void **state)
{
	struct fixture *f = mem_alloc(sizeof(*f));
	assert_int_equal(uv_loop_init(&f->loop), 0);
	const struct proxy_options options = {
		.process = "forwarder",
		.port = 5433,
		.health = "",
		.params = &f->params,
		.data = f,
		.published = on_published,
	};
	f->watch = proxy_watch_new(&f->loop, &options);
	sem_init(&may_end, 0, 0);
	attempts = abandoned = 0;
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	proxy_watch_free(f->watch);
	uv_run(&f->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&f->loop), 0);
	free(f);
	return 0;
}

static void scan(struct fixture *f)
{
	static const struct peers_target where;
	proxy_watch_scan(f->watch, &(struct proxy_own){ .where = &where }, 0);
}

static const struct proxy *run_until(struct fixture *f, int published)
{
	while (f->published < published)
		uv_run(&f->loop, UV_RUN_ONCE);
	assert_int_equal(f->published, published);
	return proxy_watch_latest(f->watch);
}

static void end_attempt(const char *error)
{
	attempt.done(attempt.data, &(struct dial_result){ .error = error });
}

static void an_attempt_that_hangs_is_reported_once(void **state)
{
	struct fixture *f = *state;
	impatient = true;
	scan(f);
	const struct proxy *proxy = run_until(f, 2);
	impatient = false;
	assert_int_equal(attempts, 1);
	assert_int_equal(proxy->status, PROXY_LISTENING);
	assert_string_equal(proxy->detail, "the connection attempt takes too long");
	assert_true(proxy_watch_is_complete(f->watch));
	/* its thread still hangs: another one could hang, too */
	ahead += 60 * USEC_PER_SEC;
	scan(f);
	run_until(f, 3);
	assert_int_equal(attempts, 1);
	/* the end of the late attempt reports nothing, and makes way for the next */
	end_attempt("late");
	assert_int_equal(f->published, 3);
	scan(f);
	run_until(f, 4);
	assert_int_equal(attempts, 2);
	assert_false(proxy_watch_is_complete(f->watch));
	end_attempt("refused");
	proxy = run_until(f, 5);
	assert_string_equal(proxy->detail, "refused");
	assert_int_equal(abandoned, 0);
}

static void a_scan_that_hangs_is_reported(void **state)
{
	struct fixture *f = *state;
	scan(f);
	run_until(f, 1);
	end_attempt("refused");
	run_until(f, 2);
	hangs = true;
	scan(f);
	ahead += 4 * USEC_PER_SEC;
	scan(f);
	assert_int_equal(f->published, 2);
	assert_false(proxy_watch_is_complete(f->watch));
	ahead += 2 * USEC_PER_SEC;
	scan(f);
	scan(f);
	assert_int_equal(f->published, 3);
	const struct proxy *proxy = proxy_watch_latest(f->watch);
	assert_int_equal(proxy->status, PROXY_LISTENING);
	assert_string_equal(proxy->detail, "reading this machine's processes takes too long");
	assert_true(proxy_watch_is_complete(f->watch));
	hangs = false;
	sem_post(&may_end);
	proxy = run_until(f, 4);
	assert_string_equal(proxy->detail, "refused");
}

/* It is configured, so it is reported: nobody has looked who listens there. */
static void a_first_scan_that_hangs_is_awaited(void **state)
{
	struct fixture *f = *state;
	hangs = true;
	scan(f);
	assert_int_equal(proxy_watch_latest(f->watch)->status, PROXY_UNKNOWN);
	assert_int_equal(proxy_watch_latest(f->watch)->port, 5433);
	assert_false(proxy_watch_is_complete(f->watch));
	ahead += 6 * USEC_PER_SEC;
	scan(f);
	assert_int_equal(f->published, 1);
	const struct proxy *proxy = proxy_watch_latest(f->watch);
	assert_int_equal(proxy->status, PROXY_UNKNOWN);
	assert_string_equal(proxy->detail, "reading this machine's processes takes too long");
	assert_false(proxy_watch_is_complete(f->watch));
	hangs = false;
	sem_post(&may_end);
	proxy = run_until(f, 2);
	assert_int_equal(proxy->status, PROXY_LISTENING);
	assert_null(proxy->detail);
}

/* Before the first success, and after one: what was seen then says nothing of now. */
static void a_scan_that_fails_is_reported(void **state)
{
	struct fixture *f = *state;
	scan_result = -EIO;
	scan(f);
	const struct proxy *proxy = run_until(f, 1);
	assert_int_equal(proxy->status, PROXY_UNKNOWN);
	assert_string_equal(proxy->detail, "the kernel's table of sockets cannot be read");
	assert_true(proxy_watch_is_complete(f->watch));
	scan_result = 0;
	scan(f);
	run_until(f, 2);
	attempt.done(attempt.data, &(struct dial_result){ .verified = true });
	proxy = run_until(f, 3);
	assert_int_equal(proxy->status, PROXY_SERVING);
	scan_result = -EIO;
	scan(f);
	proxy = run_until(f, 4);
	assert_int_equal(proxy->status, PROXY_LISTENING);
	assert_string_equal(proxy->detail, "the kernel's table of sockets cannot be read");
	scan_result = 0;
	scan(f);
	proxy = run_until(f, 5);
	assert_int_equal(proxy->status, PROXY_SERVING);
	assert_null(proxy->detail);
}

/* The server's first answer comes after the scan, and after the attempt. */
static void an_answer_after_the_scan_is_a_proof(void **state)
{
	struct fixture *f = *state;
	static const struct in_addr loopback = { 0x0100007f };
	const struct peers_target where = {
		.own = endpoint_make(AF_INET, &loopback, 40000),
		.server = endpoint_make(AF_INET, &loopback, 5433),
		.port = 5433,
	};
	struct proxy_own own = { .where = &where, .latency = 1000 };
	proxy_watch_scan(f->watch, &own, 0);
	run_until(f, 1);
	attempt.done(attempt.data, &(struct dial_result){ .verified = true });
	run_until(f, 2);
	own.answers = true;
	proxy_watch_scan(f->watch, &own, 5 * USEC_PER_SEC);
	assert_true(proxy_watch_is_complete(f->watch));
	const struct proxy *proxy = proxy_watch_latest(f->watch);
	assert_int_equal(proxy->status, PROXY_SERVING);
	assert_int_equal(proxy->latency, 1000);
	assert_true(proxy->our_path);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_attempt_that_hangs_is_reported_once),
		TEST(a_scan_that_hangs_is_reported),
		TEST(a_first_scan_that_hangs_is_awaited),
		TEST(a_scan_that_fails_is_reported),
		TEST(an_answer_after_the_scan_is_a_proof),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
