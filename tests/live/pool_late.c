/* Roles in which a shutdown leaves something behind that continues later: a hook, a look-up of a
 * name, a release. By then the pool may have been started again, or freed. */
#include "pool_client.h"

#include <dlfcn.h>
#include <netdb.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#define SLOW_HOST "slow.test"

static atomic_bool let_go;       /* what was left behind may continue */
static atomic_int begun, ended;  /* how many have begun and ended so far */
static atomic_int lookup_answer; /* of the slow look-up: 0 or EAI_… */

static bool is_reached(void *data)
{
	const atomic_int *counter = data;
	return atomic_load(counter) > 0;
}

static void await(atomic_int *counter)
{
	role_wait(is_reached, counter);
}

static bool may_go(void *data)
{
	(void)data;
	return atomic_load(&let_go);
}

static void hold_up(void)
{
	atomic_fetch_add(&begun, 1);
	role_wait(may_go, NULL);
}

static void begin(void)
{
	atomic_store(&let_go, false);
	atomic_store(&begun, 0);
	atomic_store(&ended, 0);
}

/* Replaces libc's function, also in libpq, because the program is searched before libc. libc's own
 * would take half a minute without a name server. */
int getaddrinfo(
	const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **ret)
{
	int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
	*(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
	if (!name || strcmp(name, SLOW_HOST) != 0)
		return real(name, service, hints, ret);
	hold_up();
	int answer = atomic_load(&lookup_answer);
	return answer ? answer : real("127.0.0.1", service, hints, ret);
}

/* A stats page is mapped as long as its pool needs it. */
static int pages(void)
{
	char line[1000];
	int n = 0;
	FILE *maps = fopen("/proc/self/maps", "re");
	CHECK(maps);
	while (fgets(line, sizeof(line), maps))
		n += strstr(line, "/dbpool/.") != NULL;
	fclose(maps);
	return n;
}

static bool are_pages(void *data)
{
	return pages() == *(int *)data;
}

static void await_pages(int n)
{
	role_wait(are_pages, &n);
}

static struct dbpool *pool;
static int timeout_ms; /* of the hook's acquisition */

/* The only connection is in use. */
static int acquire_in_vain(void *data)
{
	struct dbpool_lease lease;
	(void)data;
	atomic_fetch_add(&begun, 1);
	int result = dbpool_acquire_at(pool, &lease, timeout_ms, DBPOOL_HERE);
	CHECK(result == DBPOOL_SHUTTING_DOWN);
	atomic_fetch_add(&ended, 1);
	hold_up();
	return 0;
}

/* Does what a hook may do, after the shutdown. On a busy machine it may begin after the shutdown.
 */
static int use_late(void *data)
{
	struct dbpool_lease lease;
	struct dbpool_stats stats;
	int result = dbpool_acquire(pool, &lease);
	if (result == DBPOOL_SHUTTING_DOWN) {
		atomic_fetch_add(&ended, 1);
		return 0;
	}
	CHECK(result == DBPOOL_OK);
	hold_up();
	CHECK(!dbpool_conn(&lease));
	CHECK(dbpool_release(&lease) == DBPOOL_STALE);
	CHECK(dbpool_acquire_at(pool, &lease, DBPOOL_OFF, DBPOOL_HERE) == DBPOOL_SHUTTING_DOWN);
	dbpool_pending(pool, 1);
	CHECK(!dbpool_page_path(pool));
	dbpool_stats(pool, &stats, sizeof(stats));
	CHECK(stats.phase == DBPOOL_DONE && stats.waiters == 0 && stats.acquired == 1);
	CHECK(dbpool_hook_add(pool, data) == DBPOOL_SHUTTING_DOWN);
	CHECK(dbpool_shutdown(pool) == DBPOOL_OK);
	atomic_fetch_add(&ended, 1);
	return 0;
}

static struct dbpool_config one_config(void)
{
	struct dbpool_config config = role_config();
	config.max = 1;
	return config;
}

/* Checks that the new pool opens connections and lends them. */
static void check_fresh_pool(void)
{
	struct dbpool_config config = role_config();
	struct dbpool_lease lease;
	role_start(&config);
	for (int i = 0; i < 20; i++) {
		CHECK(dbpool_acquire(NULL, &lease) == DBPOOL_OK);
		CHECK(role_number(dbpool_conn(&lease), "SELECT 1") == 1);
		CHECK(dbpool_release(&lease) == DBPOOL_OK);
	}
	CHECK(role_stats().waiters == 0 && role_stats().opened == 1);
}

/* A hook waits for a connection beyond its deadline: with a timeout that comes later, or without
 * one. */
static int late_acquire(const char *argument)
{
	static struct dbpool_hook hook = { .name = "late",
		.phase = DBPOOL_HOOK_FLUSH,
		.deadline_ms = 50,
		.run = acquire_in_vain };
	struct dbpool_config config = one_config();
	struct dbpool_lease lease;
	timeout_ms = atoi(argument);
	begin();
	role_start(&config);
	pool = dbpool_default();
	CHECK(dbpool_hook_add(NULL, &hook) == DBPOOL_OK);
	CHECK(dbpool_acquire(NULL, &lease) == DBPOOL_OK);
	CHECK(dbpool_shutdown(NULL) == DBPOOL_OK);
	await(&begun);
	await(&ended);
	CHECK(role_stats().waiters == 0 && role_stats().timeouts == 0);
	CHECK(dbpool_release(&lease) == DBPOOL_STALE);
	check_fresh_pool();
	CHECK(dbpool_default() != pool && pages() == 2);
	atomic_store(&let_go, true);
	await_pages(1);
	check_fresh_pool();
	CHECK(dbpool_shutdown(NULL) == DBPOOL_OK);
	CHECK(pages() == 0);
	return 0;
}

/* Returns whether the hook had borrowed before it was left behind. */
static bool leave_hook(const struct dbpool_hook *hook, bool is_freed)
{
	struct dbpool_config config = one_config();
	config.shutdown_ms = 60000;
	begin();
	CHECK(dbpool_new(&config, &pool) == DBPOOL_OK);
	CHECK(dbpool_hook_add(pool, hook) == DBPOOL_OK);
	if (is_freed)
		dbpool_free(pool);
	else
		CHECK(dbpool_shutdown(pool) == DBPOOL_OK);
	bool has_borrowed = atomic_load(&begun) == 1;
	if (has_borrowed) {
		CHECK(atomic_load(&ended) == 0);
		CHECK(role_sessions() == 0 && pages() == 1);
	}
	atomic_store(&let_go, true);
	await(&ended);
	await_pages(0);
	if (!is_freed)
		dbpool_free(pool);
	return has_borrowed;
}

/* A hook is left behind while it holds a connection, and continues after the shutdown or after
 * dbpool_free(). A round counts only if the hook had borrowed before its deadline. */
static int late_hook(const char *argument)
{
	static struct dbpool_hook hook = {
		.name = "late", .phase = DBPOOL_HOOK_FLUSH, .deadline_ms = 500, .run = use_late
	};
	hook.data = &hook;
	while (!leave_hook(&hook, strcmp(argument, "freed") == 0))
		hook.deadline_ms *= 2;
	return 0;
}

static struct dbpool_config slow_config(char *conninfo, size_t size)
{
	struct dbpool_config config = one_config();
	snprintf(conninfo, size, "%s host=" SLOW_HOST, config.conninfo);
	config.conninfo = conninfo;
	config.lazy = 1;
	config.shutdown_ms = 300;
	return config;
}

static void *acquire_slowly(void *data)
{
	struct dbpool_lease lease;
	CHECK(dbpool_acquire_at(data, &lease, DBPOOL_OFF, DBPOOL_HERE) == DBPOOL_SHUTTING_DOWN);
	return NULL;
}

static void shut_down_in_lookup(struct dbpool *slow)
{
	pthread_t thread;
	CHECK(pthread_create(&thread, NULL, acquire_slowly, slow) == 0);
	await(&begun);
	CHECK(dbpool_shutdown(slow) == DBPOOL_LATE);
	pthread_join(thread, NULL);
}

/* The connector hangs in the look-up of a name until after the shutdown. The look-up ends after a
 * new pool has started, with an address or without. */
static int late_lookup(const char *argument)
{
	char conninfo[1024];
	struct dbpool_config config = slow_config(conninfo, sizeof(conninfo));
	atomic_store(&lookup_answer, strcmp(argument, "fails") == 0 ? EAI_AGAIN : 0);
	begin();
	role_start(&config);
	struct dbpool *slow = dbpool_default();
	shut_down_in_lookup(slow);
	check_fresh_pool();
	CHECK(dbpool_default() != slow && pages() == 2);
	int reported = role_events(DBPOOL_EVENT_DOWN);
	atomic_store(&let_go, true);
	await_pages(1);
	CHECK(role_events(DBPOOL_EVENT_DOWN) == reported);
	check_fresh_pool();
	CHECK(role_sessions() == 1);
	CHECK(dbpool_shutdown(NULL) == DBPOOL_OK);
	CHECK(pages() == 0);
	return 0;
}

/* The same, but the pool is freed before the look-up ends. */
static int late_lookup_freed(const char *argument)
{
	char conninfo[1024];
	struct dbpool_config config = slow_config(conninfo, sizeof(conninfo));
	struct dbpool *slow;
	(void)argument;
	begin();
	CHECK(dbpool_new(&config, &slow) == DBPOOL_OK);
	shut_down_in_lookup(slow);
	dbpool_free(slow);
	CHECK(pages() == 1);
	atomic_store(&let_go, true);
	await_pages(0);
	CHECK(role_sessions() == 0);
	return 0;
}

static void hang_when_released(void *data, const struct dbpool_event *event)
{
	(void)data;
	if (event->kind == DBPOOL_EVENT_RELEASED)
		hold_up();
}

static void *release_late(void *data)
{
	CHECK(dbpool_release(data) == DBPOOL_OK);
	atomic_fetch_add(&ended, 1);
	return NULL;
}

/* A release that hangs in the application's log callback ends after the shutdown, or after
 * dbpool_free(). */
static int late_release(const char *argument)
{
	struct dbpool_config config = one_config();
	struct dbpool_lease lease;
	pthread_t thread;
	begin();
	config.log = hang_when_released;
	config.log_borrowing = 1;
	CHECK(dbpool_new(&config, &pool) == DBPOOL_OK);
	CHECK(dbpool_acquire(pool, &lease) == DBPOOL_OK);
	CHECK(pthread_create(&thread, NULL, release_late, &lease) == 0);
	await(&begun);
	CHECK(dbpool_shutdown(pool) == DBPOOL_LATE);
	bool is_freed = strcmp(argument, "freed") == 0;
	if (is_freed)
		dbpool_free(pool);
	CHECK(pages() == 1);
	atomic_store(&let_go, true);
	pthread_join(thread, NULL);
	CHECK(pages() == 0);
	if (!is_freed)
		dbpool_free(pool);
	return 0;
}

const struct role roles_late[] = {
	{ "late-acquire", late_acquire },
	{ "late-hook", late_hook },
	{ "late-lookup", late_lookup },
	{ "late-lookup-freed", late_lookup_freed },
	{ "late-release", late_release },
	{ NULL, NULL },
};
