/* Roles that borrow connections: one thread, many threads, held for too long. */
#include "pool_client.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

static void start(void)
{
	struct dbpool_config config = role_config();
	role_start(&config);
}

static int leave_early(int how)
{
	DBPOOL_SCOPED(lease, NULL);
	CHECK(lease.result == DBPOOL_OK);
	CHECK(role_stats().in_use == 1);
	if (how == 0)
		return 0;
	for (int i = 0; i < 3; i++) {
		DBPOOL_SCOPED(inner, NULL);
		CHECK(role_stats().in_use == 2);
		if (how == 1)
			goto out;
		if (i == 1)
			break;
	}
	CHECK(role_stats().in_use == 1);
	/* an error before the release */
	PQclear(PQexec(dbpool_conn(&lease), "BEGIN; SELECT 1/0"));
	CHECK(PQtransactionStatus(dbpool_conn(&lease)) == PQTRANS_INERROR);
out:
	return how;
}

static int scope(const char *argument)
{
	(void)argument;
	start();
	for (int i = 0; i < 30; i++) {
		CHECK(leave_early(i % 3) == i % 3);
		CHECK(role_stats().in_use == 0);
	}
	struct dbpool_stats stats = role_stats();
	CHECK(stats.acquired == stats.released && stats.errors == 0);
	CHECK(role_sessions() <= 3);
	return 0;
}

static bool one_session(void *data)
{
	(void)data;
	return role_sessions() == 1;
}

static void *release_it(void *data)
{
	CHECK(dbpool_release(data) == DBPOOL_OK);
	return NULL;
}

static int misuse(const char *argument)
{
	struct dbpool_config config = role_config();
	struct dbpool_lease lease, copy, other;
	(void)argument;
	config.max = 1;
	role_start(&config);
	CHECK(dbpool_acquire(NULL, &lease) == DBPOOL_OK);
	copy = lease;
	CHECK(dbpool_release(&lease) == DBPOOL_OK);
	/* after the release the lease has no connection, and libpq's functions fail */
	CHECK(!dbpool_conn(&lease) && !dbpool_conn(&copy));
	CHECK(!PQexec(dbpool_conn(&lease), "SELECT 1"));
	/* a second release, by the lease and by a copy, also while another thread holds the
	 * connection */
	CHECK(dbpool_release(&lease) == DBPOOL_STALE);
	CHECK(dbpool_acquire(NULL, &other) == DBPOOL_OK);
	CHECK(dbpool_release(&copy) == DBPOOL_STALE);
	CHECK(role_number(dbpool_conn(&other), "SELECT 7") == 7);
	CHECK(role_stats().in_use == 1);
	/* in another thread */
	role_threads(1, release_it, &other);
	CHECK(role_stats().in_use == 0);
	/* a borrower that ends or replaces the session */
	CHECK(dbpool_acquire(NULL, &lease) == DBPOOL_OK);
	PQreset(dbpool_conn(&lease));
	role_release_ended(&lease);
	CHECK(dbpool_acquire(NULL, &lease) == DBPOOL_OK);
	CHECK(role_number(dbpool_conn(&lease), "SELECT 8") == 8);
	PQfinish(dbpool_conn(&lease));
	role_release_ended(&lease);
	CHECK(dbpool_acquire(NULL, &lease) == DBPOOL_OK);
	/* a statement that still runs */
	CHECK(PQsendQuery(dbpool_conn(&lease), "SELECT pg_sleep(600)"));
	CHECK(dbpool_release(&lease) == DBPOOL_OK);
	CHECK(dbpool_acquire(NULL, &lease) == DBPOOL_OK);
	CHECK(role_number(dbpool_conn(&lease), "SELECT 9") == 9);
	CHECK(dbpool_discard(&lease) == DBPOOL_OK);
	CHECK(dbpool_acquire(NULL, &lease) == DBPOOL_OK);
	/* nobody waits for the end of the sessions that PQreset() and PQfinish() have closed */
	role_wait(one_session, NULL);
	CHECK(dbpool_release(&lease) == DBPOOL_OK);
	return 0;
}

static atomic_int borrowing, most, done;

static void *borrow_often(void *data)
{
	for (int i = 0; i < *(const int *)data; i++) {
		DBPOOL_SCOPED(lease, NULL);
		CHECK(lease.result == DBPOOL_OK);
		int now = atomic_fetch_add(&borrowing, 1) + 1, before = atomic_load(&most);
		while (now > before && !atomic_compare_exchange_weak(&most, &before, now))
			;
		CHECK(role_number(dbpool_conn(&lease), "SELECT 3") == 3);
		atomic_fetch_sub(&borrowing, 1);
	}
	atomic_fetch_add(&done, 1);
	return NULL;
}

static void *watch_sessions(void *data)
{
	char sql[200];
	PGconn *conn = role_connect();
	snprintf(sql, sizeof(sql),
		"SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'pooled/%ld/%%'",
		(long)getpid());
	while (atomic_load(&done) < *(const int *)data) {
		CHECK(role_number(conn, sql) <= 3);
		usleep(1000);
	}
	PQfinish(conn);
	return NULL;
}

/* `argument` threads share three connections. */
static int crowd(const char *argument)
{
	int threads = atoi(argument), rounds = 400 / threads + 5;
	struct dbpool_config config = role_config();
	pthread_t watcher;
	config.acquire_timeout_ms = 60000;
	config.min = DBPOOL_OFF; /* cold */
	role_start(&config);
	CHECK(pthread_create(&watcher, NULL, watch_sessions, &threads) == 0);
	role_threads(threads, borrow_often, &rounds);
	pthread_join(watcher, NULL);
	CHECK(atomic_load(&most) <= 3);
	struct dbpool_stats stats = role_stats();
	CHECK(stats.opened <= 3);
	CHECK(stats.acquired == (uint64_t)(threads * rounds) && stats.in_use == 0);
	CHECK(stats.waiters == 0 && stats.timeouts == 0 && stats.errors == 0);
	return 0;
}

static atomic_int arrived, served[16];

static void *take_turn(void *data)
{
	DBPOOL_SCOPED(lease, NULL);
	CHECK(lease.result == DBPOOL_OK);
	served[atomic_fetch_add(&arrived, 1)] = (int)(intptr_t)data;
	return NULL;
}

static bool so_many_wait(void *data)
{
	return role_stats().waiters == (int)(intptr_t)data;
}

/* Waiters are served in the order in which they came. */
static int turns(const char *argument)
{
	struct dbpool_config config = role_config();
	struct dbpool_lease held;
	pthread_t threads[10];
	(void)argument;
	config.max = 1;
	config.acquire_timeout_ms = DBPOOL_OFF;
	role_start(&config);
	for (int round = 0; round < 3; round++) {
		atomic_store(&arrived, 0);
		CHECK(dbpool_acquire(NULL, &held) == DBPOOL_OK);
		for (int i = 0; i < 10; i++) {
			CHECK(pthread_create(&threads[i], NULL, take_turn, (void *)(intptr_t)i) ==
				0);
			role_wait(so_many_wait, (void *)(intptr_t)(i + 1));
		}
		usleep(2000);
		CHECK(dbpool_release(&held) == DBPOOL_OK);
		for (int i = 0; i < 10; i++)
			pthread_join(threads[i], NULL);
		for (int i = 0; i < 10; i++)
			CHECK(served[i] == i);
	}
	return 0;
}

static atomic_bool stop;

static void *hog(void *data)
{
	(void)data;
	while (!atomic_load(&stop)) {
		DBPOOL_SCOPED(lease, NULL);
		CHECK(lease.result == DBPOOL_OK);
	}
	return NULL;
}

/* Threads that acquire again at once do not starve a waiter. */
static int starving(const char *argument)
{
	struct dbpool_config config = role_config();
	pthread_t hogs[2];
	(void)argument;
	config.max = 1;
	config.max_uses = DBPOOL_OFF;
	role_start(&config);
	for (int i = 0; i < 2; i++)
		CHECK(pthread_create(&hogs[i], NULL, hog, NULL) == 0);
	for (int i = 0; i < 200; i++) {
		DBPOOL_SCOPED(lease, NULL);
		CHECK(lease.result == DBPOOL_OK);
	}
	atomic_store(&stop, true);
	for (int i = 0; i < 2; i++)
		pthread_join(hogs[i], NULL);
	return 0;
}

/* A timeout is never early, and is on time in at least one try, so that a busy machine does not
 * fail the test. */
static int deadline(const char *argument)
{
	struct dbpool_lease held[3], lease;
	int64_t best = INT64_MAX;
	char thread[40];
	int64_t first = role_now();
	(void)argument;
	start();
	for (int i = 0; i < 3; i++)
		CHECK(dbpool_acquire_at(NULL, &held[i], DBPOOL_DEFAULT_MS, "holder.c:77") ==
			DBPOOL_OK);
	for (int i = 0; i < 20; i++) {
		int64_t begin = role_now();
		CHECK(dbpool_acquire_at(NULL, &lease, 25, DBPOOL_HERE) == DBPOOL_TIMEOUT);
		int64_t late = role_now() - begin - 25000;
		CHECK(late >= 0);
		best = late < best ? late : best;
	}
	CHECK(best < 10000);
	int length = snprintf(thread, sizeof(thread), "by thread %d for ", (int)gettid());
	CHECK(strstr(dbpool_error(), "3 of 3 in use"));
	const char *held_for = strstr(dbpool_error(), thread);
	CHECK(held_for);
	double seconds = strtod(held_for + length, NULL);
	CHECK(seconds >= 20 * 0.025 && seconds <= (double)(role_now() - first) / 1000000);
	CHECK(strstr(dbpool_error(), "from holder.c:77"));
	CHECK(role_stats().timeouts == 20 && role_stats().waiters == 0);
	for (int i = 0; i < 3; i++)
		CHECK(dbpool_release(&held[i]) == DBPOOL_OK);
	CHECK(dbpool_acquire(NULL, &lease) == DBPOOL_OK);
	return 0;
}

/* The next borrower finds nothing of what a session can keep. */
static int cleaned(const char *argument)
{
	static const struct {
		const char *change, *left; /* counts what is left of it */
	} cases[] = {
		{ "SET work_mem = '77MB'",
			"SELECT count(*) FROM pg_settings WHERE name = 'work_mem' AND setting = "
			"'78848'" },
		{ "SELECT set_config('search_path', 'nowhere', false)",
			"SELECT count(*) FROM pg_settings WHERE name = 'search_path' AND setting = "
			"'nowhere'" },
		{ "CREATE TEMP TABLE secrets (a int)",
			"SELECT count(*) FROM pg_class WHERE relname = 'secrets'" },
		{ "PREPARE plan AS SELECT 1", "SELECT count(*) FROM pg_prepared_statements" },
		{ "LISTEN news", "SELECT count(*) FROM pg_listening_channels()" },
		{ "SELECT pg_advisory_lock(42)",
			"SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'" },
		{ "BEGIN; DECLARE rows CURSOR WITH HOLD FOR SELECT 1; COMMIT",
			"SELECT count(*) FROM pg_cursors WHERE name = 'rows'" },
		{ "SET ROLE pg_monitor", "SELECT (current_user <> session_user)::int" },
		{ "BEGIN; CREATE TABLE never (a int)",
			"SELECT count(*) FROM pg_class WHERE relname = 'never'" },
		{ "BEGIN; SAVEPOINT a; SET LOCAL work_mem = '1MB'",
			"SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'" },
	};
	struct dbpool_config config = role_config();
	(void)argument;
	config.max = 1;
	role_start(&config);
	long pid = 0;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		{
			DBPOOL_SCOPED(lease, NULL);
			role_exec(dbpool_conn(&lease), cases[i].change);
		}
		DBPOOL_SCOPED(lease, NULL);
		long now = role_number(dbpool_conn(&lease), "SELECT pg_backend_pid()");
		CHECK(!pid || now == pid); /* the same session, so it was cleaned, not replaced */
		pid = now;
		CHECK(role_number(dbpool_conn(&lease), cases[i].left) == 0);
		/* the pool's own settings are restored */
		CHECK(role_number(dbpool_conn(&lease),
			      "SELECT setting FROM pg_settings"
			      " WHERE name = 'client_connection_check_interval'") == 200);
	}
	return 0;
}

/* By the results that libpq got, DBPOOL_RESET_TOLD recognizes what the session keeps; not that a
 * plain SELECT called a function. */
static int told(const char *argument)
{
	struct dbpool_config config = role_config();
	(void)argument;
	config.max = 1;
	config.reset = DBPOOL_RESET_TOLD;
	role_start(&config);
	for (int i = 0; i < 2; i++) {
		{
			DBPOOL_SCOPED(lease, NULL);
			PGresult *result =
				PQprepare(dbpool_conn(&lease), "plan", "SELECT 1", 0, NULL);
			CHECK(PQresultStatus(result) == PGRES_COMMAND_OK);
			PQclear(result);
		}
		DBPOOL_SCOPED(lease, NULL);
		role_exec(dbpool_conn(&lease), "SELECT 1 AS a INTO TEMP copies");
	}
	DBPOOL_SCOPED(lease, NULL);
	role_exec(dbpool_conn(&lease), "CREATE TEMP TABLE copies AS SELECT 1");
	CHECK(dbpool_release(&lease) == DBPOOL_OK);
	CHECK(dbpool_acquire(NULL, &lease) == DBPOOL_OK);
	CHECK(role_number(dbpool_conn(&lease),
		      "SELECT count(*) FROM pg_class WHERE relname = 'copies'") == 0);
	role_exec(dbpool_conn(&lease), "SELECT set_config('work_mem', '77MB', false)");
	CHECK(dbpool_release(&lease) == DBPOOL_OK);
	CHECK(dbpool_acquire(NULL, &lease) == DBPOOL_OK);
	CHECK(role_number(dbpool_conn(&lease),
		      "SELECT setting FROM pg_settings WHERE name = 'work_mem'") == 78848);
	CHECK(role_stats().opened == 1);
	return 0;
}

static bool leaks_reported(void *data)
{
	return role_events(DBPOOL_EVENT_LEAK) >= *(const int *)data;
}

static int leak(const char *argument)
{
	struct dbpool_config config = role_config();
	struct dbpool_lease lease;
	(void)argument;
	config.held_ms = 40;
	role_start(&config);
	for (int round = 1; round <= 2; round++) {
		CHECK(dbpool_acquire_at(NULL, &lease, DBPOOL_DEFAULT_MS, "sync.c:212") ==
			DBPOOL_OK);
		role_wait(leaks_reported, &round);
		usleep(200 * 1000);
		CHECK(role_stats().leaks == 1);
		CHECK(role_events(DBPOOL_EVENT_LEAK) == round); /* once for each hold */
		CHECK(strstr(role_event_text(DBPOOL_EVENT_LEAK), "sync.c:212"));
		CHECK(dbpool_release(&lease) == DBPOOL_OK);
		CHECK(role_stats().leaks == 0);
	}
	return 0;
}

static bool taken_back(void *data)
{
	return role_events(DBPOOL_EVENT_RECLAIMED) >= *(const int *)data;
}

static int reclaim(const char *argument)
{
	struct dbpool_config config = role_config();
	struct dbpool_lease lease, other;
	(void)argument;
	config.reclaim_ms = 100;
	config.max = 1;
	role_start(&config);
	/* during a query, in this thread */
	CHECK(dbpool_acquire(NULL, &lease) == DBPOOL_OK);
	PGconn *conn = dbpool_conn(&lease);
	PGresult *result = PQexec(conn, "SELECT pg_sleep(600)");
	CHECK(PQresultStatus(result) == PGRES_FATAL_ERROR);
	PQclear(result);
	role_wait(taken_back, &(int){ 1 });
	CHECK(!dbpool_conn(&lease));
	/* the next borrower gets another session, and there is only one session */
	CHECK(dbpool_acquire_at(NULL, &other, 30000, DBPOOL_HERE) == DBPOOL_OK);
	if (dbpool_release(&other) == DBPOOL_OK) {
		CHECK(role_events(DBPOOL_EVENT_RECLAIMED) == 1);
		CHECK(role_sessions() == 1);
	} else {
		/* a busy machine kept this thread from the release for as long as that */
		role_wait(taken_back, &(int){ 2 });
	}
	CHECK(dbpool_release(&lease) == DBPOOL_STALE);
	CHECK(dbpool_release(&lease) == DBPOOL_STALE);
	return 0;
}

static bool one_left(void *data)
{
	(void)data;
	return role_stats().size == 1;
}

static bool replaced(void *data)
{
	return role_stats().opened >= (uint64_t)(intptr_t)data;
}

static atomic_int cancels;

/* Stands in for libpq's. */
int PQcancel(PGcancel *cancel, char *error, int size)
{
	int (*real)(PGcancel *, char *, int);
	*(void **)&real = dlsym(RTLD_NEXT, "PQcancel");
	atomic_fetch_add(&cancels, 1);
	return real(cancel, error, size);
}

/* A session whose reset is not read yet needs no cancel request when it is closed. It would come
 * too late: the server would write that into its log. */
static int wearing(const char *argument)
{
	struct dbpool_config config = role_config();
	(void)argument;
	config.max_uses = 5;
	config.max = 1;
	role_start(&config);
	for (int i = 0; i < 20; i++) {
		DBPOOL_SCOPED(lease, NULL);
		CHECK(lease.result == DBPOOL_OK);
		CHECK(role_sessions() == 1);
	}
	role_wait(replaced, (void *)(intptr_t)4);
	CHECK(dbpool_shutdown(NULL) == DBPOOL_OK);

	config = role_config();
	config.idle_lifetime_ms = 50;
	config.held_ms = 40; /* makes the housekeeper check often */
	role_start(&config);
	{
		DBPOOL_SCOPED(first, NULL);
		DBPOOL_SCOPED(second, NULL);
		DBPOOL_SCOPED(third, NULL);
		CHECK(role_stats().size == 3);
		role_exec(dbpool_conn(&first), "SELECT 1");
		role_exec(dbpool_conn(&second), "SELECT 1");
		role_exec(dbpool_conn(&third), "SELECT 1");
	}
	role_wait(one_left, NULL);
	CHECK(dbpool_shutdown(NULL) == DBPOOL_OK);

	config.max_lifetime_ms = 100;
	role_start(&config);
	role_wait(replaced, (void *)(intptr_t)3);
	CHECK(cancels == 0);
	return 0;
}

const struct role roles_borrow[] = {
	{ "scope", scope },
	{ "misuse", misuse },
	{ "crowd", crowd },
	{ "turns", turns },
	{ "starving", starving },
	{ "deadline", deadline },
	{ "cleaned", cleaned },
	{ "told", told },
	{ "leak", leak },
	{ "reclaim", reclaim },
	{ "wearing", wearing },
	{ NULL, NULL },
};
