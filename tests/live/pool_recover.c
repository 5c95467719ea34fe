/* Roles with failures around them: a server that goes away, a process that died before, an end. */
#include "pool_client.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "page/reader.h"

static int bad_statement(const char *argument)
{
	struct dbpool_config config = role_config();
	(void)argument;
	role_start(&config);
	for (int i = 0; i < 50; i++) {
		DBPOOL_SCOPED(lease, NULL);
		PGresult *result = PQexec(dbpool_conn(&lease), "SELEKT");
		CHECK(PQresultStatus(result) == PGRES_FATAL_ERROR);
		PQclear(result);
	}
	struct dbpool_stats stats = role_stats();
	CHECK(stats.errors == 0 && stats.opened == 1);
	return 0;
}

static void end_backend(long pid)
{
	char sql[80];
	snprintf(sql, sizeof(sql), "SELECT pg_terminate_backend(%ld, 10000)::int", pid);
	CHECK(role_aside(sql) == 1);
}

static bool ten_were_reported(void *data)
{
	(void)data;
	return role_events(DBPOOL_EVENT_LOST) >= 10;
}

static int killed_backend(const char *argument)
{
	struct dbpool_config config = role_config();
	struct dbpool_lease lease;
	(void)argument;
	config.max = 1;
	config.validate_after_ms = 1;
	role_start(&config);
	for (int i = 0; i < 5; i++) {
		/* idle: the next borrower does not notice */
		CHECK(dbpool_acquire(NULL, &lease) == DBPOOL_OK);
		long pid = role_number(dbpool_conn(&lease), "SELECT pg_backend_pid()");
		CHECK(dbpool_release(&lease) == DBPOOL_OK);
		end_backend(pid);
		usleep(3000);
		CHECK(dbpool_acquire(NULL, &lease) == DBPOOL_OK);
		pid = role_number(dbpool_conn(&lease), "SELECT pg_backend_pid()");
		/* in use: its borrower notices, the next one does not */
		end_backend(pid);
		PGresult *result = PQexec(dbpool_conn(&lease), "SELECT 1");
		CHECK(PQresultStatus(result) == PGRES_FATAL_ERROR);
		PQclear(result);
		role_release_ended(&lease);
	}
	CHECK(role_stats().errors >= 10);
	/* the housekeeper frees the slot, then reports */
	role_wait(ten_were_reported, NULL);
	CHECK(role_events(DBPOOL_EVENT_LOST) == 10);
	CHECK(dbpool_acquire(NULL, &lease) == DBPOOL_OK);
	CHECK(role_sessions() == 1);
	return 0;
}

static long server_start; /* milliseconds since 1970 */

static bool works(void *data)
{
	struct dbpool_lease lease;
	(void)data;
	if (dbpool_acquire_at(NULL, &lease, 100, DBPOOL_HERE) != DBPOOL_OK)
		return false;
	PGresult *result = PQexec(dbpool_conn(&lease),
		"SELECT (extract(epoch FROM pg_postmaster_start_time()) * 1000)::bigint");
	bool good = PQresultStatus(result) == PGRES_TUPLES_OK;
	if (good)
		server_start = atol(PQgetvalue(result, 0, 0));
	PQclear(result);
	role_release_ended(&lease);
	return good;
}

/* Whether a server that was started at another time than that answers: a slow answer is no outage.
 */
static bool works_again(void *data)
{
	return works(NULL) && server_start != *(const long *)data;
}

/* The test restarts the server once this role is ready. */
static int outage(const char *argument)
{
	struct dbpool_config config = role_config();
	(void)argument;
	role_start(&config);
	role_wait(works, NULL);
	long before = server_start;
	role_say("ready");
	role_wait(works_again, &before);
	CHECK(role_stats().errors > 0);
	CHECK(role_sessions() <= 3);
	return 0;
}

static int listener, accepted;

static void *accept_all(void *data)
{
	(void)data;
	while (accept(listener, NULL, NULL) >= 0)
		__atomic_fetch_add(&accepted, 1, __ATOMIC_RELAXED);
	return NULL;
}

static int listen_silently(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(address);
	pthread_t thread;
	listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	CHECK(bind(listener, (struct sockaddr *)&address, size) == 0);
	CHECK(listen(listener, 100) == 0);
	CHECK(getsockname(listener, (struct sockaddr *)&address, &size) == 0);
	CHECK(pthread_create(&thread, NULL, accept_all, NULL) == 0);
	pthread_detach(thread);
	return ntohs(address.sin_port);
}

static bool has_failed(void *data)
{
	return role_events(DBPOOL_EVENT_DOWN) > *(const int *)data;
}

static void *give_up(void *data)
{
	struct dbpool_lease lease;
	(void)data;
	CHECK(dbpool_acquire_at(NULL, &lease, 700, DBPOOL_HERE) == DBPOOL_UNREACHABLE);
	CHECK(strstr(dbpool_error(), "does not answer"));
	return NULL;
}

static void *wait_in_vain(void *data)
{
	struct dbpool_lease lease;
	(void)data;
	CHECK(dbpool_acquire_at(NULL, &lease, DBPOOL_OFF, DBPOOL_HERE) == DBPOOL_SHUTTING_DOWN);
	return NULL;
}

static bool was_accepted(void *data)
{
	return __atomic_load_n(&accepted, __ATOMIC_RELAXED) > *(int *)data;
}

/* A server that accepts connections and never answers: there is one attempt at a time, and each
 * ends. */
static int silent(const char *argument)
{
	struct dbpool_config config = role_config();
	char conninfo[100];
	(void)argument;
	snprintf(conninfo, sizeof(conninfo),
		"host=127.0.0.1 port=%d user=a dbname=a sslmode=disable", listen_silently());
	config.conninfo = conninfo;
	config.connect_timeout_ms = 200;
	int64_t begin = role_now();
	CHECK(dbpool_start(&config) == DBPOOL_UNREACHABLE);
	CHECK(role_now() - begin >= 200000);
	CHECK(__atomic_load_n(&accepted, __ATOMIC_RELAXED) <= 1);
	config.lazy = 1;
	int failures = role_events(DBPOOL_EVENT_DOWN);
	role_start(&config);
	/* who comes before the first attempt has failed may not learn why there is no connection */
	role_wait(has_failed, &failures);
	role_threads(20, give_up, NULL);
	/* 200 ms each, and 75 ms or more between them */
	CHECK(__atomic_load_n(&accepted, __ATOMIC_RELAXED) <= 2 + (role_now() - begin) / 200000);
	CHECK(dbpool_shutdown(NULL) == DBPOOL_OK);
	/* an attempt that a shutdown aborts is no failure */
	int before = __atomic_load_n(&accepted, __ATOMIC_RELAXED);
	int reported = role_events(DBPOOL_EVENT_DOWN);
	config.connect_timeout_ms = 600000;
	role_start(&config);
	pthread_t thread;
	CHECK(pthread_create(&thread, NULL, wait_in_vain, NULL) == 0);
	role_wait(was_accepted, &before);
	CHECK(dbpool_shutdown(NULL) == DBPOOL_OK);
	pthread_join(thread, NULL);
	CHECK(role_events(DBPOOL_EVENT_DOWN) == reported && role_stats().errors == 0);
	return 0;
}

static pthread_mutex_t order_lock = PTHREAD_MUTEX_INITIALIZER;
static char order[16];

static int note_order(void *data)
{
	pthread_mutex_lock(&order_lock);
	strncat(order, data, sizeof(order) - strlen(order) - 1);
	pthread_mutex_unlock(&order_lock);
	return *(const char *)data == 'b' ? -5 : 0;
}

static int hang(void *data)
{
	(void)note_order(data);
	sleep(3600);
	return 0;
}

static bool hook_is_noted(void *data)
{
	pthread_mutex_lock(&order_lock);
	bool is_noted = strchr(order, *(const char *)data) != NULL;
	pthread_mutex_unlock(&order_lock);
	return is_noted;
}

/* Writes pending data over a connection of the pool, which now lends only to hooks. The thread of
 * the hook before, which was left behind, may get a processor only now. */
static int flush(void *data)
{
	role_wait(hook_is_noted, (void *)"c");
	for (int left = 3; left-- > 0;) {
		DBPOOL_SCOPED(lease, NULL);
		CHECK(lease.result == DBPOOL_OK);
		role_exec(dbpool_conn(&lease), "INSERT INTO flushed VALUES (1)");
		dbpool_pending(NULL, left);
		CHECK(role_stats().pending == left);
		CHECK(role_stats().phase == DBPOOL_FLUSHING);
	}
	return note_order(data);
}

static int hooks(const char *argument)
{
	struct dbpool_hook list[] = {
		{ "last", DBPOOL_HOOK_CLOSED, 0, note_order, (void *)"e" },
		{ "first", DBPOOL_HOOK_STOP, 0, note_order, (void *)"a" },
		{ "failing", DBPOOL_HOOK_FLUSH, 0, note_order, (void *)"b" },
		{ "hanging", DBPOOL_HOOK_FLUSH, 100, hang, (void *)"c" },
		{ "flush", DBPOOL_HOOK_FLUSH, 0, flush, (void *)"d" },
	};
	struct dbpool_config config = role_config();
	(void)argument;
	role_start(&config);
	CHECK(role_stats().pending == -1);
	dbpool_pending(NULL, 3);
	for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++)
		CHECK(dbpool_hook_add(NULL, &list[i]) == DBPOOL_OK);
	role_aside("CREATE TABLE flushed (a int); SELECT 1");
	CHECK(dbpool_shutdown(NULL) == DBPOOL_OK);
	CHECK(strcmp(order, "abcde") == 0);
	CHECK(role_events(DBPOOL_EVENT_HOOK) == 5);
	CHECK(role_stats().pending == 0);
	CHECK(role_aside("SELECT count(*) FROM flushed") == 3);
	CHECK(role_sessions() == 0);
	return 0;
}

static struct page_copy copy;
static int found;

static void take(void *data, const char *path, int status, const struct page_copy *page)
{
	(void)data;
	(void)path;
	if (status == PAGE_OK && page->pid == getpid()) {
		copy = *page;
		found++;
	}
}

static void read_page(void)
{
	static struct page_copy buffer;
	struct page_host host;
	char folder[PAGE_PATH_MAX];
	snprintf(folder, sizeof(folder), "%s/dbpool", getenv("XDG_RUNTIME_DIR"));
	page_host_read("/proc", &host);
	found = 0;
	CHECK(page_scan(folder, &host, &buffer, take, NULL) == 0);
}

static bool leak_shown(void *data)
{
	(void)data;
	read_page();
	return copy.slots[0].leaked;
}

/* The time that borrowers wait is on the page: of one, in vain. */
static void time_of_waits(void)
{
	struct dbpool_lease leases[3], none;
	for (int i = 0; i < 3; i++)
		CHECK(dbpool_acquire(NULL, &leases[i]) == DBPOOL_OK);
	read_page();
	uint64_t before = copy.totals.waited;
	CHECK(dbpool_acquire_at(NULL, &none, 20, NULL) == DBPOOL_TIMEOUT);
	read_page();
	CHECK(copy.totals.waited >= before + 20000 && copy.totals.timeouts == 1);
	for (int i = 0; i < 3; i++)
		CHECK(dbpool_release(&leases[i]) == DBPOOL_OK);
}

static int shows_itself(const char *argument)
{
	struct dbpool_config config = role_config();
	struct dbpool_lease lease;
	(void)argument;
	config.held_ms = 50;
	role_start(&config);
	CHECK(dbpool_acquire_at(NULL, &lease, DBPOOL_DEFAULT_MS, "../src/sync.c:212") == DBPOOL_OK);
	read_page();
	CHECK(found == 1);
	CHECK(copy.phase == PAGE_RUNNING && copy.limits.max == 3 && copy.limits.held == 50000);
	CHECK(copy.totals.held == 1 && copy.totals.acquired == 1);
	CHECK(copy.slots[0].state == PAGE_SLOT_HELD);
	CHECK(copy.slots[0].backend_pid == PQbackendPID(dbpool_conn(&lease)));
	CHECK(copy.slots[0].thread == gettid());
	CHECK(strcmp(copy.slots[0].site, "src/sync.c:212") == 0);
	char sql[200];
	snprintf(sql, sizeof(sql),
		"SELECT count(*) FROM pg_stat_activity WHERE pid = %d AND"
		" (extract(epoch FROM backend_start) * 1000000)::bigint = %lld",
		copy.slots[0].backend_pid, (long long)copy.slots[0].backend_start);
	CHECK(role_aside(sql) == 1);
	role_wait(leak_shown, NULL);
	CHECK(dbpool_release(&lease) == DBPOOL_OK);
	int64_t begin = role_now();
	CHECK(dbpool_acquire_at(NULL, &lease, DBPOOL_DEFAULT_MS, "other.c:1") == DBPOOL_OK);
	read_page();
	CHECK(strcmp(copy.slots[0].site, "other.c:1") == 0);
	/* on a busy machine it may be one again by now */
	CHECK(!copy.slots[0].leaked || role_now() - begin >= config.held_ms * INT64_C(1000));
	CHECK(copy.slots[0].uses == 2);
	CHECK(dbpool_release(&lease) == DBPOOL_OK);
	read_page();
	CHECK(copy.slots[0].state == PAGE_SLOT_IDLE && copy.totals.idle == 1);
	time_of_waits();
	CHECK(dbpool_shutdown(NULL) == DBPOOL_OK);
	read_page();
	CHECK(found == 0);
	return 0;
}

static bool is_renewed(void *data)
{
	struct stat st;
	CHECK(stat(data, &st) == 0);
	return time(NULL) - st.st_mtime < 3600;
}

/* An old file would be removed from /tmp. */
static int aged_page(const char *argument)
{
	struct dbpool_config config = role_config();
	struct timespec old = { .tv_sec = time(NULL) - 7200 };
	char path[PAGE_PATH_MAX];
	(void)argument;
	role_start(&config);
	snprintf(path, sizeof(path), "%s", dbpool_page_path(NULL));
	CHECK(utimensat(AT_FDCWD, path, (struct timespec[]){ old, old }, 0) == 0);
	role_wait(is_renewed, path);
	CHECK(dbpool_shutdown(NULL) == DBPOOL_OK);
	CHECK(access(path, F_OK) < 0);
	return 0;
}

/* Dies during a query, on a server that does not check its clients. */
static int victim(const char *argument)
{
	struct dbpool_config config = role_config();
	struct dbpool_lease lease;
	config.name = argument;
	config.check_interval_ms = DBPOOL_OFF;
	config.no_predecessors = 1;
	role_start(&config);
	CHECK(dbpool_acquire(NULL, &lease) == DBPOOL_OK);
	CHECK(PQsendQuery(dbpool_conn(&lease), "SELECT pg_sleep(601)"));
	role_say("ready");
	role_pause();
}

/* Ends the sessions of the dead processes of the same name; the argument is their number. */
static int heir(const char *argument)
{
	struct dbpool_config config = role_config();
	role_start(&config);
	CHECK(role_events(DBPOOL_EVENT_PREDECESSOR) == atoi(argument));
	if (role_events(DBPOOL_EVENT_PREDECESSOR))
		CHECK(strstr(role_event_text(DBPOOL_EVENT_PREDECESSOR), "pool_recover.c"));
	return 0;
}

const struct role roles_recover[] = {
	{ "bad-statement", bad_statement },
	{ "killed-backend", killed_backend },
	{ "outage", outage },
	{ "silent", silent },
	{ "hooks", hooks },
	{ "page", shows_itself },
	{ "aged-page", aged_page },
	{ "victim", victim },
	{ "heir", heir },
	{ NULL, NULL },
};
