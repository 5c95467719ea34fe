/* pool_client CONNINFO ROLE [ARGUMENT]: a process with a pool. Its exit status is the role's, or 99
 * when a check failed; stderr then says which. */
#include "pool_client.h"

#include <pthread.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "live_pool.h"

#define MOST_KINDS   16
#define MOST_THREADS 128
#define TIMEOUT      (60 * 1000)

static const char *conninfo;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int counts[MOST_KINDS];
static char texts[MOST_KINDS][1024];

static void note(void *data, const struct dbpool_event *event)
{
	(void)data;
	pthread_mutex_lock(&lock);
	counts[event->kind]++;
	snprintf(texts[event->kind], sizeof(texts[0]), "%s", event->text);
	pthread_mutex_unlock(&lock);
}

int role_events(enum dbpool_event_kind kind)
{
	pthread_mutex_lock(&lock);
	int count = counts[kind];
	pthread_mutex_unlock(&lock);
	return count;
}

const char *role_event_text(enum dbpool_event_kind kind)
{
	static char copy[1024];
	pthread_mutex_lock(&lock);
	strcpy(copy, texts[kind]);
	pthread_mutex_unlock(&lock);
	return copy;
}

struct dbpool_config role_config(void)
{
	return (struct dbpool_config){
		.size = sizeof(struct dbpool_config),
		.conninfo = conninfo,
		.name = "pooled",
		.check_interval_ms = 200,
		.drain_ms = 50,
		/* a busy machine takes its time to open a connection */
		.acquire_timeout_ms = 30000,
		.connect_timeout_ms = 20000,
		.log = note,
	};
}

void role_start(const struct dbpool_config *config)
{
	CHECK(dbpool_start(config) == DBPOOL_OK);
}

void role_say(const char *line)
{
	puts(line);
	fflush(stdout);
}

void role_pause(void)
{
	for (;;)
		pause();
}

void role_wait(bool (*holds)(void *data), void *data)
{
	for (int i = 0; !holds(data); i += 5) {
		CHECK(i < TIMEOUT);
		usleep(5000);
	}
}

int64_t role_now(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * INT64_C(1000000) + ts.tv_nsec / 1000;
}

struct dbpool_stats role_stats(void)
{
	struct dbpool_stats stats;
	dbpool_stats(NULL, &stats, sizeof(stats));
	return stats;
}

long role_number(PGconn *conn, const char *sql)
{
	PGresult *result = PQexec(conn, sql);
	if (PQresultStatus(result) != PGRES_TUPLES_OK)
		fprintf(stderr, "%s: %s", sql, PQerrorMessage(conn));
	CHECK(PQresultStatus(result) == PGRES_TUPLES_OK);
	long value = PQntuples(result) ? atol(PQgetvalue(result, 0, 0)) : 0;
	PQclear(result);
	return value;
}

void role_exec(PGconn *conn, const char *sql)
{
	PGresult *result = PQexec(conn, sql);
	CHECK(PQresultStatus(result) == PGRES_COMMAND_OK ||
		PQresultStatus(result) == PGRES_TUPLES_OK);
	PQclear(result);
}

PGconn *role_connect(void)
{
	char own[1024];
	snprintf(own, sizeof(own), "%s application_name=" LIVE_POOL_ASIDE, conninfo);
	PGconn *conn = PQconnectdb(own);
	CHECK(PQstatus(conn) == CONNECTION_OK);
	return conn;
}

long role_aside(const char *sql)
{
	PGconn *conn = role_connect();
	long value = role_number(conn, sql);
	PQfinish(conn);
	return value;
}

long role_sessions(void)
{
	char sql[200];
	snprintf(sql, sizeof(sql),
		"SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'pooled/%ld/%%'",
		(long)getpid());
	return role_aside(sql);
}

void role_threads(int n, void *(*run)(void *data), void *data)
{
	pthread_t threads[MOST_THREADS];
	CHECK(n <= MOST_THREADS);
	for (int i = 0; i < n; i++)
		CHECK(pthread_create(&threads[i], NULL, run, data) == 0);
	for (int i = 0; i < n; i++)
		pthread_join(threads[i], NULL);
}

void role_release_ended(struct dbpool_lease *lease)
{
	int result = dbpool_release(lease);
	CHECK(result == DBPOOL_OK || result == DBPOOL_STALE);
}

const struct role *role_find(const char *name)
{
	const struct role *const tables[] = { roles_life, roles_borrow, roles_hurry, roles_recover,
		roles_end, roles_own, roles_traps, roles_late, roles_hidden, roles_route,
		roles_loss };
	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
		for (const struct role *role = tables[i]; role->name; role++)
			if (strcmp(role->name, name) == 0)
				return role;
	return NULL;
}

int main(int argc, char **argv)
{
	if (argc < 3)
		return 2;
	conninfo = argv[1];
	const struct role *role = role_find(argv[2]);
	if (role)
		return role->run(argc > 3 ? argv[3] : "");
	fprintf(stderr, "no such role: %s\n", argv[2]);
	return 2;
}
