/* Roles about what the pool notices of a borrowed connection, and what it reports. */
#include "pool_client.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#define CONNECTIONS 3
#define SECOND      INT64_C(1000000)

static bool has_lost(void *data)
{
	return role_stats().lost >= *(const uint64_t *)data;
}

static void await_lost(uint64_t count)
{
	role_wait(has_lost, &count);
}

static bool has_reported(void *data)
{
	return role_events(DBPOOL_EVENT_LOST) >= *(const int *)data;
}

static void borrow_all(struct dbpool_lease leases[CONNECTIONS])
{
	for (int i = 0; i < CONNECTIONS; i++)
		CHECK(dbpool_acquire_at(NULL, &leases[i], 30000, "forgetful.c:7") == DBPOOL_OK);
}

static void end_backends(const struct dbpool_lease leases[CONNECTIONS])
{
	char sql[200];
	snprintf(sql, sizeof(sql),
		"SELECT count(pg_terminate_backend(pid, 10000)) FROM pg_stat_activity"
		" WHERE pid IN (%d, %d, %d)",
		PQbackendPID(dbpool_conn(&leases[0])), PQbackendPID(dbpool_conn(&leases[1])),
		PQbackendPID(dbpool_conn(&leases[2])));
	CHECK(role_aside(sql) == CONNECTIONS);
}

static void check_stale(struct dbpool_lease leases[CONNECTIONS])
{
	for (int i = 0; i < CONNECTIONS; i++) {
		struct dbpool_lease copy = leases[i];
		CHECK(!dbpool_conn(&leases[i]));
		CHECK(!PQexec(dbpool_conn(&leases[i]), "SELECT 1"));
		CHECK(dbpool_release(&leases[i]) == DBPOOL_STALE);
		CHECK(dbpool_release(&copy) == DBPOOL_STALE);
	}
}

/* Sessions end while they are borrowed by nobody who looks: the slots are free again within a
 * second. A busy machine may be late, but not in each of ten rounds. */
static int lost(const char *argument)
{
	struct dbpool_config config = role_config();
	struct dbpool_lease leases[CONNECTIONS], others[CONNECTIONS];
	int64_t best = INT64_MAX;
	(void)argument;
	role_start(&config);
	borrow_all(leases);
	for (uint64_t round = 1; round <= 10; round++) {
		end_backends(leases);
		int64_t begin = role_now();
		await_lost(round * CONNECTIONS);
		best = role_now() - begin < best ? role_now() - begin : best;
		/* the report follows */
		role_wait(has_reported, &(int){ (int)round * CONNECTIONS });
		CHECK(role_events(DBPOOL_EVENT_LOST) == (int)round * CONNECTIONS);
		CHECK(strstr(role_event_text(DBPOOL_EVENT_LOST), "from forgetful.c:7"));
		borrow_all(others);
		check_stale(leases);
		CHECK(role_stats().in_use == CONNECTIONS);
		for (int i = 0; i < CONNECTIONS; i++)
			CHECK(role_number(dbpool_conn(&others[i]), "SELECT 5") == 5);
		memcpy(leases, others, sizeof(leases));
	}
	CHECK(best < SECOND);
	for (int i = 0; i < CONNECTIONS; i++)
		CHECK(dbpool_release(&leases[i]) == DBPOOL_OK);
	CHECK(role_sessions() <= CONNECTIONS);
	return 0;
}

/* The borrower reads rows while its session ends: it gets what was sent, then an error. */
static int lost_reader(const char *argument)
{
	struct dbpool_config config = role_config();
	struct dbpool_lease lease;
	(void)argument;
	config.max = 1;
	role_start(&config);
	CHECK(dbpool_acquire(NULL, &lease) == DBPOOL_OK);
	PGconn *conn = dbpool_conn(&lease);
	CHECK(PQsendQuery(conn,
		"SELECT i FROM generate_series(1, 1000) i UNION ALL"
		" SELECT pg_terminate_backend(pg_backend_pid())::int"));
	await_lost(1);
	PGresult *result = PQgetResult(conn);
	CHECK(PQresultStatus(result) == PGRES_FATAL_ERROR);
	PQclear(result);
	CHECK(dbpool_release(&lease) == DBPOOL_STALE);
	CHECK(dbpool_acquire_at(NULL, &lease, 30000, DBPOOL_HERE) == DBPOOL_OK);
	CHECK(dbpool_release(&lease) == DBPOOL_OK);
	return 0;
}

/* The pool is shut down, started again and freed while forgotten leases of lost sessions are
 * left. */
static int lost_end(const char *argument)
{
	struct dbpool_config config = role_config();
	struct dbpool_lease leases[CONNECTIONS];
	struct dbpool *pool;
	(void)argument;
	role_start(&config);
	borrow_all(leases);
	PGconn *conn = dbpool_conn(&leases[0]);
	end_backends(leases);
	await_lost(CONNECTIONS);
	CHECK(dbpool_shutdown(NULL) == DBPOOL_OK);
	CHECK(role_stats().lost == CONNECTIONS);
	/* the page's memory is still there for the results of a forgotten connection */
	PQclear(PQexec(conn, "SELECT 1"));
	check_stale(leases);
	CHECK(dbpool_new(&config, &pool) == DBPOOL_OK);
	CHECK(dbpool_acquire(pool, &leases[0]) == DBPOOL_OK);
	conn = dbpool_conn(&leases[0]);
	dbpool_free(pool);
	PQclear(PQexec(conn, "SELECT 1"));
	CHECK(dbpool_release(&leases[0]) == DBPOOL_STALE);
	return 0;
}

/* Forgets all connections until somebody ends their sessions; then it can borrow again, and waits
 * for a signal. */
static int forgetful(const char *argument)
{
	struct dbpool_config config = role_config();
	struct dbpool_lease leases[CONNECTIONS], lease;
	(void)argument;
	config.held_ms = 200;
	config.log = NULL;
	role_start(&config);
	borrow_all(leases);
	CHECK(dbpool_acquire_at(NULL, &lease, 1, DBPOOL_HERE) == DBPOOL_TIMEOUT);
	role_say("ready");
	CHECK(dbpool_acquire_at(NULL, &lease, 60000, DBPOOL_HERE) == DBPOOL_OK);
	CHECK(role_number(dbpool_conn(&lease), "SELECT 6") == 6);
	CHECK(dbpool_release(&lease) == DBPOOL_OK);
	await_lost(CONNECTIONS);
	check_stale(leases);
	borrow_all(leases);
	for (int i = 0; i < CONNECTIONS; i++)
		CHECK(dbpool_release(&leases[i]) == DBPOOL_OK);
	role_say("free again");
	role_pause();
}

static bool has_event(void *data)
{
	return role_events(*(const enum dbpool_event_kind *)data) > 0;
}

static void await_event(enum dbpool_event_kind kind)
{
	role_wait(has_event, &kind);
}

#define HELD_MS 300

/* Runs statements for three times as long as a hold may last without one. It may be reported as a
 * leak only where this thread was late itself, on a busy machine: then it is excused until the
 * report has been taken back. */
static void work_steadily(const struct dbpool_lease *lease)
{
	int64_t begin = role_now(), last = begin;
	bool excused = true;
	while (last - begin < 3 * HELD_MS * INT64_C(1000)) {
		int64_t before = role_now();
		CHECK(role_number(dbpool_conn(lease), "SELECT 2") == 2);
		int leaks = role_stats().leaks;
		excused = excused || role_now() - last > (HELD_MS - 50) * INT64_C(1000);
		CHECK(leaks == 0 || excused);
		excused = excused && leaks > 0;
		last = before; /* the result came after this */
		usleep(2000);
	}
}

/* A hold without results is a leak; the next result takes the report back; a hold with results is
 * none, however long it lasts. */
static int active(const char *argument)
{
	struct dbpool_config config = role_config();
	struct dbpool_lease lease;
	(void)argument;
	config.held_ms = HELD_MS;
	role_start(&config);
	CHECK(dbpool_acquire_at(NULL, &lease, 30000, "slow.c:9") == DBPOOL_OK);
	await_event(DBPOOL_EVENT_LEAK);
	CHECK(role_number(dbpool_conn(&lease), "SELECT 1") == 1);
	await_event(DBPOOL_EVENT_ACTIVE);
	CHECK(strstr(role_event_text(DBPOOL_EVENT_ACTIVE), "from slow.c:9"));
	work_steadily(&lease);
	CHECK(dbpool_release(&lease) == DBPOOL_OK);
	CHECK(role_stats().leaks == 0);
	return 0;
}

/* Writes what the default log writes: the argument is "quiet" for no_log. */
static int stderr_log(const char *argument)
{
	struct dbpool_config config = role_config();
	struct dbpool_lease lease;
	config.log = NULL;
	config.held_ms = 50;
	config.no_log = strcmp(argument, "quiet") == 0;
	config.log_borrowing = 1; /* these are no warnings */
	role_start(&config);
	CHECK(dbpool_acquire_at(NULL, &lease, 30000, "leaky.c:5") == DBPOOL_OK);
	while (role_stats().leaks == 0)
		usleep(1000);
	/* the report is written after the page has changed, and before the pool has ended */
	CHECK(dbpool_release(&lease) == DBPOOL_OK);
	CHECK(dbpool_shutdown(NULL) == DBPOOL_OK);
	return 0;
}

/* One line at the start: limits, server, what shuts the pool down, and whether Ctrl-C works. */
static int start_line(const char *argument)
{
	static const struct {
		int no_signals, no_exit;
		const char *text;
	} cases[] = {
		{ 0, 0, "SIGINT, SIGTERM and exit() shut it down in 10s at most" },
		{ 1, 0, "exit() shuts it down" },
		{ 0, 1, "SIGINT and SIGTERM shut it down" },
		{ 1, 1, "only dbpool_shutdown() shuts it down" },
	};
	(void)argument;
	for (int i = 0; i < 8; i++) {
		struct dbpool_config config = role_config();
		bool ignored = i >= 4;
		signal(SIGINT, ignored ? SIG_IGN : SIG_DFL);
		config.no_signals = cases[i % 4].no_signals;
		config.no_exit = cases[i % 4].no_exit;
		config.min = 2;
		role_start(&config);
		const char *text = role_event_text(DBPOOL_EVENT_START);
		CHECK(role_events(DBPOOL_EVENT_START) == i + 1);
		CHECK(strncmp(text, "2 to 3 connections to 127.0.0.1:", 32) == 0);
		CHECK(strstr(text, cases[i % 4].text));
		CHECK(!!strstr(text, "but SIGINT was ignored") == (ignored && !config.no_signals));
		CHECK(dbpool_shutdown(NULL) == DBPOOL_OK);
	}
	return 0;
}

/* Acquisitions and releases are events only if that is asked for. */
static int log_borrowing(const char *argument)
{
	(void)argument;
	for (int on = 0; on <= 1; on++) {
		struct dbpool_config config = role_config();
		struct dbpool_lease lease;
		config.log_borrowing = on;
		role_start(&config);
		for (int i = 0; i < 3; i++) {
			CHECK(dbpool_acquire_at(NULL, &lease, 30000, "busy.c:3") == DBPOOL_OK);
			CHECK(dbpool_release(&lease) == DBPOOL_OK);
		}
		CHECK(role_events(DBPOOL_EVENT_ACQUIRED) == 3 * on);
		CHECK(role_events(DBPOOL_EVENT_RELEASED) == 3 * on);
		CHECK(dbpool_shutdown(NULL) == DBPOOL_OK);
	}
	CHECK(strstr(role_event_text(DBPOOL_EVENT_ACQUIRED), "at busy.c:3"));
	CHECK(strstr(role_event_text(DBPOOL_EVENT_RELEASED), "at busy.c:3"));
	return 0;
}

const struct role roles_loss[] = {
	{ "lost", lost },
	{ "lost-reader", lost_reader },
	{ "lost-end", lost_end },
	{ "forgetful", forgetful },
	{ "active", active },
	{ "stderr-log", stderr_log },
	{ "start-line", start_line },
	{ "log-borrowing", log_borrowing },
	{ NULL, NULL },
};
