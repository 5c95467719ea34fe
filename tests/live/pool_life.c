/* Roles that start a pool, start it again, and fork. */
#include "pool_client.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define RACERS 64

/* ThreadSanitizer ends a forked child that starts a thread if its parent had several threads. */
#ifdef __SANITIZE_THREAD__
#define IN_TSAN true
#else
#define IN_TSAN false
#endif

static pthread_barrier_t barrier;

static void *race_to_start(void *data)
{
	pthread_barrier_wait(&barrier);
	CHECK(dbpool_start(data) == DBPOOL_OK);
	CHECK(dbpool_default());
	return NULL;
}

static int race(const char *argument)
{
	struct dbpool_config config = role_config();
	(void)argument;
	pthread_barrier_init(&barrier, NULL, RACERS);
	role_threads(RACERS, race_to_start, &config);
	CHECK(role_sessions() == 1);
	CHECK(role_stats().opened == 1);
	CHECK(dbpool_shutdown(NULL) == DBPOOL_OK);
	CHECK(role_sessions() == 0);
	return 0;
}

static int differs(const char *argument)
{
	struct dbpool_config config = role_config();
	(void)argument;
	role_start(&config);
	role_start(&config);
	config.max = 4;
	CHECK(dbpool_start(&config) == DBPOOL_DIFFERENT);
	CHECK(strstr(dbpool_error(), "max differs"));
	CHECK(role_stats().max == 3);
	config.max = 3;
	config.conninfo = "password=sesame";
	CHECK(dbpool_start(&config) == DBPOOL_DIFFERENT);
	CHECK(!strstr(dbpool_error(), "sesame"));
	return 0;
}

static int invalid(const char *argument)
{
	struct dbpool_config config = role_config();
	(void)argument;
	config.min = 5;
	CHECK(dbpool_start(&config) == -EINVAL);
	CHECK(strstr(dbpool_error(), "min is 5"));
	config.min = 1;
	config.max = DBPOOL_MAX + 1;
	CHECK(dbpool_start(&config) == -EINVAL);
	config.max = 3;
	config.conninfo = "hostt=here";
	CHECK(dbpool_start(&config) == -EINVAL);
	CHECK(strstr(dbpool_error(), "hostt"));
	config.size = 0;
	CHECK(dbpool_start(&config) == -EINVAL);
	CHECK(dbpool_start(NULL) == -EINVAL);
	CHECK(!dbpool_default());
	CHECK(role_stats().phase == DBPOOL_NONE);
	/* all other functions work without a pool, too */
	struct dbpool_lease lease;
	CHECK(dbpool_acquire(NULL, &lease) == DBPOOL_SHUTTING_DOWN);
	CHECK(dbpool_release(&lease) == DBPOOL_STALE);
	CHECK(dbpool_shutdown(NULL) == DBPOOL_OK);
	dbpool_pending(NULL, 1);
	CHECK(!dbpool_page_path(NULL));
	return 0;
}

/* The failed start leaves nothing behind; the next one may succeed. */
static int fails(int expected, const char *more)
{
	struct dbpool_config config = role_config(), good = config;
	char conninfo[1024];
	snprintf(conninfo, sizeof(conninfo), "%s %s", config.conninfo, more);
	config.conninfo = conninfo;
	CHECK(dbpool_start(&config) == expected);
	CHECK(dbpool_error()[0]);
	CHECK(!dbpool_default());
	if (expected != DBPOOL_FULL) {
		role_start(&good);
		CHECK(role_sessions() == 1);
		CHECK(dbpool_shutdown(NULL) == DBPOOL_OK);
	}
	return 0;
}

static int unreachable(const char *argument)
{
	(void)argument;
	return fails(DBPOOL_UNREACHABLE, "port=1");
}

static int refused(const char *argument)
{
	(void)argument;
	fails(DBPOOL_REFUSED, "user=nobody_at_all");
	return fails(DBPOOL_REFUSED, "dbname=nowhere");
}

/* The argument is "LIMIT|CONNINFO": which limit is reached with it. */
static int full(const char *argument)
{
	char expected[100];
	const char *more = strchr(argument, '|');
	CHECK(more);
	snprintf(expected, sizeof(expected), "server full: %.*s: ", (int)(more - argument),
		argument);
	fails(DBPOOL_FULL, more + 1);
	CHECK(strncmp(dbpool_error(), expected, strlen(expected)) == 0);
	CHECK(strstr(dbpool_error(), "FATAL:  53300: "));
	CHECK(!strstr(dbpool_error(), "LOCATION") && !strstr(dbpool_error(), ".c:"));
	return 0;
}

/* A lazy pool starts without a server; a borrower gets the reason why there is no connection. */
static int lazy(const char *argument)
{
	static const struct {
		const char *more;
		int result, timeout_ms;
	} cases[] = {
		{ "port=1", DBPOOL_UNREACHABLE, 200 },
		/* no reason to wait */
		{ "user=nobody_at_all", DBPOOL_REFUSED, DBPOOL_OFF },
	};
	(void)argument;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct dbpool_config config = role_config();
		struct dbpool_lease lease;
		char conninfo[1024];
		snprintf(conninfo, sizeof(conninfo), "%s %s", config.conninfo, cases[i].more);
		config.conninfo = conninfo;
		config.lazy = 1;
		role_start(&config);
		CHECK(dbpool_acquire_at(NULL, &lease, cases[i].timeout_ms, DBPOOL_HERE) ==
			cases[i].result);
		CHECK(lease.result == cases[i].result);
		CHECK(role_stats().errors > 0);
		CHECK(role_events(DBPOOL_EVENT_DOWN) >= 1);
		CHECK(dbpool_shutdown(NULL) == DBPOOL_OK);
	}
	return 0;
}

static int restart(const char *argument)
{
	struct dbpool_lease old = { 0 };
	(void)argument;
	for (int i = 1; i <= 10; i++) {
		struct dbpool_config config = role_config();
		struct dbpool_lease lease;
		config.max = i % 3 + 1; /* another configuration each time */
		role_start(&config);
		CHECK(role_sessions() == 1);
		CHECK(dbpool_acquire(NULL, &lease) == DBPOOL_OK);
		CHECK(!dbpool_conn(&old));
		CHECK(dbpool_release(&old) == DBPOOL_STALE);
		CHECK(dbpool_conn(&lease));
		old = lease;
		/* half of them with a connection that was not released */
		if (i % 2)
			CHECK(dbpool_release(&lease) == DBPOOL_OK);
		CHECK(dbpool_shutdown(NULL) == DBPOOL_OK);
		CHECK(dbpool_shutdown(NULL) == DBPOOL_OK);
		CHECK(!dbpool_conn(&lease));
		CHECK(role_sessions() == 0);
		if (i % 2 == 0)
			CHECK(dbpool_release(&lease) == DBPOOL_STALE);
		struct dbpool_stats stats = role_stats();
		CHECK(stats.phase == DBPOOL_DONE);
		CHECK(stats.opened == 1 && stats.acquired == 1 && stats.uptime > 0);
	}
	return 0;
}

static int reuse(const char *argument)
{
	struct dbpool_config config = role_config();
	(void)argument;
	config.reset = DBPOOL_RESET_NEVER;
	role_start(&config);
	int pid = 0;
	for (int i = 0; i < 500; i++) {
		DBPOOL_SCOPED(lease, NULL);
		CHECK(lease.result == DBPOOL_OK);
		CHECK(!pid || pid == PQbackendPID(dbpool_conn(&lease)));
		pid = PQbackendPID(dbpool_conn(&lease));
		CHECK(role_number(dbpool_conn(&lease), "SELECT pg_backend_pid()") == pid);
	}
	struct dbpool_stats stats = role_stats();
	CHECK(stats.opened == 1 && stats.acquired == 500 && stats.released == 500);
	CHECK(stats.size == 1 && stats.idle == 1 && stats.in_use == 0);
	CHECK(role_sessions() == 1);
	return 0;
}

/* Checks what identifies the application's connections, and what ends them when the application
 * cannot. */
static int identity(const char *argument)
{
	struct dbpool_config config = role_config();
	char sql[300];
	(void)argument;
	config.name = "a-name-that-is-much-too-long-for-what-postgresql-keeps-of-it-and-then-some";
	role_start(&config);
	DBPOOL_SCOPED(lease, NULL);
	PGconn *conn = dbpool_conn(&lease);
	snprintf(sql, sizeof(sql),
		"SELECT count(*) FROM pg_stat_activity WHERE pid = pg_backend_pid()"
		" AND application_name LIKE 'a-name-that-is-%%/%ld/1'"
		" AND octet_length(application_name) <= 63",
		(long)getpid());
	CHECK(role_number(conn, sql) == 1);
	CHECK(role_number(conn,
		      "SELECT setting FROM pg_settings"
		      " WHERE name = 'client_connection_check_interval'") == 200);
	CHECK(role_number(conn,
		      "SELECT setting FROM pg_settings"
		      " WHERE name = 'idle_in_transaction_session_timeout'") == 300000);
	return 0;
}

static int in_child(struct dbpool *parents, struct dbpool_lease *lease)
{
	struct dbpool_config config = role_config();
	struct dbpool_lease own;
	CHECK(!dbpool_conn(lease));
	CHECK(dbpool_release(lease) == DBPOOL_FORKED);
	CHECK(dbpool_acquire(parents, &own) == DBPOOL_FORKED);
	CHECK(dbpool_shutdown(parents) == DBPOOL_FORKED);
	CHECK(!dbpool_default());
	if (IN_TSAN)
		return 0;
	role_start(&config);
	CHECK(dbpool_acquire(NULL, &own) == DBPOOL_OK);
	CHECK(role_sessions() == 1);
	CHECK(dbpool_release(&own) == DBPOOL_OK);
	CHECK(dbpool_shutdown(NULL) == DBPOOL_OK);
	return 0;
}

static int forks(const char *argument)
{
	struct dbpool_config config = role_config();
	struct dbpool_lease lease;
	(void)argument;
	role_start(&config);
	struct dbpool *pool = dbpool_default();
	CHECK(dbpool_acquire(NULL, &lease) == DBPOOL_OK);
	long pid = role_number(dbpool_conn(&lease), "SELECT pg_backend_pid()");
	for (int i = 0; i < 3; i++) {
		int status;
		pid_t child = fork();
		CHECK(child >= 0);
		if (child == 0)
			exit(in_child(pool, &lease));
		CHECK(waitpid(child, &status, 0) == child);
		CHECK(status == 0);
		CHECK(role_number(dbpool_conn(&lease), "SELECT pg_backend_pid()") == pid);
	}
	CHECK(dbpool_release(&lease) == DBPOOL_OK);
	CHECK(role_sessions() == 1);
	return 0;
}

/* A child that outlives us must not keep our sessions. Prints its pid. */
static int leaves_child(const char *argument)
{
	struct dbpool_config config = role_config();
	struct dbpool_lease lease;
	(void)argument;
	role_start(&config);
	CHECK(dbpool_acquire(NULL, &lease) == DBPOOL_OK);
	pid_t child = fork();
	CHECK(child >= 0);
	if (child == 0)
		role_pause();
	printf("%d\n", child);
	fflush(stdout);
	_exit(4);
}

const struct role roles_life[] = {
	{ "race", race },
	{ "differs", differs },
	{ "invalid", invalid },
	{ "unreachable", unreachable },
	{ "refused", refused },
	{ "full", full },
	{ "lazy", lazy },
	{ "restart", restart },
	{ "reuse", reuse },
	{ "identity", identity },
	{ "forks", forks },
	{ "leaves-child", leaves_child },
	{ NULL, NULL },
};
