/* What borrowing costs: libdbpool beside a bare mutex-and-condition pool and libzdb, each with
 * three connections, in one run. See docs/benchmarks.md.
 *
 * bench_dbpool [MILLISECONDS]: of each measurement, 500 by default. */
#include <libpq-fe.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#ifdef HAVE_ZDB
#include <zdb.h>
#endif

#include "dbpool.h"
#include "demo/private_server.h"

#define CONNECTIONS 3
#define SAMPLES     200000 /* of latency, for all threads together: each has its share */
#define MOST        64

static const char *conninfo;
static struct private_server *server;

/* One cycle: acquire, do something, release. */
struct contender {
	const char *name;
	void (*open)(void);
	void (*cycle)(bool query);
	void (*close)(void);
};

static void die(const char *what)
{
	fprintf(stderr, "bench_dbpool: %s\n", what);
	exit(1);
}

static void select_one(PGconn *conn)
{
	PGresult *result = PQexec(conn, "SELECT 1");
	if (PQresultStatus(result) != PGRES_TUPLES_OK)
		die(PQerrorMessage(conn));
	PQclear(result);
}

/* --- the floor: what everybody writes first --- */

static struct {
	pthread_mutex_t lock;
	pthread_cond_t free;
	PGconn *conns[CONNECTIONS];
	int n;
} bare = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, { NULL }, 0 };

static void bare_open(void)
{
	for (bare.n = 0; bare.n < CONNECTIONS; bare.n++) {
		bare.conns[bare.n] = PQconnectdb(conninfo);
		if (PQstatus(bare.conns[bare.n]) != CONNECTION_OK)
			die(PQerrorMessage(bare.conns[bare.n]));
	}
}

static void bare_cycle(bool query)
{
	pthread_mutex_lock(&bare.lock);
	while (!bare.n)
		pthread_cond_wait(&bare.free, &bare.lock);
	PGconn *conn = bare.conns[--bare.n];
	pthread_mutex_unlock(&bare.lock);
	if (query)
		select_one(conn);
	pthread_mutex_lock(&bare.lock);
	bare.conns[bare.n++] = conn;
	pthread_cond_signal(&bare.free);
	pthread_mutex_unlock(&bare.lock);
}

static void bare_close(void)
{
	while (bare.n)
		PQfinish(bare.conns[--bare.n]);
}

/* --- the same with two readings of the clock: what libdbpool has to know --- */

static void clock_cycle(bool query)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	bare_cycle(query);
	clock_gettime(CLOCK_MONOTONIC, &ts);
}

/* --- libdbpool --- */

static void pool_open_with(enum dbpool_reset reset)
{
	const struct dbpool_config config = { .size = sizeof(config),
		.conninfo = conninfo,
		.name = "bench",
		.min = CONNECTIONS,
		.max = CONNECTIONS,
		.max_uses = DBPOOL_OFF,
		.acquire_timeout_ms = DBPOOL_OFF,
		.reset = reset };
	struct dbpool_stats stats;
	if (dbpool_start(&config) != DBPOOL_OK)
		die(dbpool_error());
	do {
		usleep(1000);
		dbpool_stats(NULL, &stats, sizeof(stats));
	} while (stats.idle < CONNECTIONS);
}

static void pool_open(void)
{
	pool_open_with(DBPOOL_RESET_NEVER);
}

static void resetting_open(void)
{
	pool_open_with(DBPOOL_RESET_USED);
}

static void pool_cycle(bool query)
{
	DBPOOL_SCOPED(lease, NULL);
	if (lease.result != DBPOOL_OK)
		die(dbpool_error());
	if (query)
		select_one(dbpool_conn(&lease));
}

static void pool_close(void)
{
	(void)dbpool_shutdown(NULL);
}

/* --- libzdb: it does not wait for a connection; its user has to try again --- */

#ifdef HAVE_ZDB
static ConnectionPool_T zdb;
static URL_T zdb_url;

static void zdb_open(void)
{
	char url[200];
	snprintf(url, sizeof(url), "postgresql://127.0.0.1:%d/postgres?user=postgres&password=%s",
		private_server_port(server), private_server_password(server));
	zdb_url = URL_new(url);
	zdb = ConnectionPool_new(zdb_url);
	ConnectionPool_setInitialConnections(zdb, CONNECTIONS);
	ConnectionPool_setMaxConnections(zdb, CONNECTIONS);
	ConnectionPool_start(zdb);
}

static void zdb_cycle(bool query)
{
	Connection_T conn;
	while (!(conn = ConnectionPool_getConnection(zdb)))
		sched_yield();
	if (query)
		(void)ResultSet_next(Connection_executeQuery(conn, "SELECT 1"));
	ConnectionPool_returnConnection(zdb, conn);
}

static void zdb_close(void)
{
	ConnectionPool_free(&zdb);
	URL_free(&zdb_url);
}
#endif

/* --- measuring --- */

static int64_t now_nsec(clockid_t clock)
{
	struct timespec ts;
	clock_gettime(clock, &ts);
	return ts.tv_sec * INT64_C(1000000000) + ts.tv_nsec;
}

struct run {
	const struct contender *contender;
	bool query, timed;
	int threads;
	int64_t nsec; /* how long */
	atomic_bool stop;
	atomic_long cycles;
	atomic_int started;
	int64_t *samples; /* each thread's share, one after the other */
	long taken[MOST]; /* how many of its share a thread has used */
	pthread_barrier_t barrier;
};

static void *work(void *data)
{
	struct run *run = data;
	int me = atomic_fetch_add(&run->started, 1);
	long cycles = 0, share = SAMPLES / run->threads, taken = 0;
	int64_t *samples = run->samples + me * share;
	pthread_barrier_wait(&run->barrier);
	while (!atomic_load_explicit(&run->stop, memory_order_relaxed)) {
		int64_t begin = run->timed ? now_nsec(CLOCK_MONOTONIC) : 0;
		run->contender->cycle(run->query);
		cycles++;
		if (run->timed && taken < share)
			samples[taken++] = now_nsec(CLOCK_MONOTONIC) - begin;
	}
	run->taken[me] = taken;
	atomic_fetch_add(&run->cycles, cycles);
	return NULL;
}

static void sleep_nsec(int64_t nsec)
{
	struct timespec ts = { .tv_sec = nsec / 1000000000, .tv_nsec = nsec % 1000000000 };
	nanosleep(&ts, NULL);
}

/* Returns the seconds it took. */
static double run_threads(struct run *run)
{
	pthread_t threads[MOST];
	pthread_barrier_init(&run->barrier, NULL, (unsigned)run->threads + 1);
	for (int i = 0; i < run->threads; i++)
		if (pthread_create(&threads[i], NULL, work, run) != 0)
			die("no thread");
	pthread_barrier_wait(&run->barrier);
	int64_t begin = now_nsec(CLOCK_MONOTONIC);
	sleep_nsec(run->nsec);
	atomic_store(&run->stop, true);
	int64_t end = now_nsec(CLOCK_MONOTONIC);
	for (int i = 0; i < run->threads; i++)
		pthread_join(threads[i], NULL);
	pthread_barrier_destroy(&run->barrier);
	return (double)(end - begin) / 1e9;
}

static int compare(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
	return (x > y) - (x < y);
}

/* Moves the samples together; how many there are. */
static long gather(struct run *run)
{
	long n = 0, share = SAMPLES / run->threads;
	for (int i = 0; i < run->threads; i++) {
		memmove(run->samples + n, run->samples + i * share,
			(size_t)run->taken[i] * sizeof(*run->samples));
		n += run->taken[i];
	}
	return n;
}

struct figures {
	double per_second, cpu_nsec; /* cycles; processor time of a cycle */
	double p50, p99;             /* microseconds of a cycle */
};

static struct figures measure(
	const struct contender *contender, int threads, bool query, int64_t nsec)
{
	struct figures figures;
	struct run plain = {
		.contender = contender, .query = query, .threads = threads, .nsec = nsec
	};
	int64_t cpu = now_nsec(CLOCK_PROCESS_CPUTIME_ID);
	double seconds = run_threads(&plain);
	cpu = now_nsec(CLOCK_PROCESS_CPUTIME_ID) - cpu;
	long cycles = atomic_load(&plain.cycles);
	figures.per_second = (double)cycles / seconds;
	figures.cpu_nsec = cycles ? (double)cpu / (double)cycles : 0;

	struct run timed = { .contender = contender,
		.query = query,
		.timed = true,
		.threads = threads,
		.nsec = nsec,
		.samples = calloc(SAMPLES, sizeof(int64_t)) };
	(void)run_threads(&timed);
	long n = gather(&timed);
	qsort(timed.samples, (size_t)n, sizeof(int64_t), compare);
	figures.p50 = n ? (double)timed.samples[n / 2] / 1e3 : 0;
	figures.p99 = n ? (double)timed.samples[n * 99 / 100] / 1e3 : 0;
	free(timed.samples);
	return figures;
}

static const struct contender contenders[] = {
	{ "bare pool", bare_open, bare_cycle, bare_close },
	{ "bare pool, two clock readings", bare_open, clock_cycle, bare_close },
	{ "libdbpool, no reset", pool_open, pool_cycle, pool_close },
	{ "libdbpool", resetting_open, pool_cycle, pool_close },
#ifdef HAVE_ZDB
	{ "libzdb", zdb_open, zdb_cycle, zdb_close },
#endif
};

#define N_CONTENDERS (sizeof(contenders) / sizeof(contenders[0]))

static void print_table(bool query, int64_t nsec, struct figures table[N_CONTENDERS][3])
{
	static const int threads[] = { 1, 8, 64 };
	printf("\n| %s | threads | cycles/s | CPU a cycle | p50 | p99 "
	       "|\n|---|--:|--:|--:|--:|--:|\n",
		query ? "acquire, `SELECT 1`, release" : "acquire, release");
	for (size_t t = 0; t < 3; t++) {
		for (size_t i = 0; i < N_CONTENDERS; i++) {
			contenders[i].open();
			struct figures figures = measure(&contenders[i], threads[t], query, nsec);
			contenders[i].close();
			table[i][t] = figures;
			printf("| %s | %d | %.0f | %.0f ns | %.2f µs | %.2f µs |\n",
				contenders[i].name, threads[t], figures.per_second,
				figures.cpu_nsec, figures.p50, figures.p99);
			fflush(stdout);
		}
	}
}

/* --- a cold pool, and fifty who want a connection at once --- */

static pthread_barrier_t spike_barrier;
static atomic_int held, most_held;

static void *spike_thread(void *data)
{
	(void)data;
	pthread_barrier_wait(&spike_barrier);
	DBPOOL_SCOPED(lease, NULL);
	if (lease.result != DBPOOL_OK)
		die(dbpool_error());
	int now = atomic_fetch_add(&held, 1) + 1, before = atomic_load(&most_held);
	while (now > before && !atomic_compare_exchange_weak(&most_held, &before, now))
		;
	select_one(dbpool_conn(&lease));
	atomic_fetch_sub(&held, 1);
	return NULL;
}

static bool spike(void)
{
	enum { BORROWERS = 50 };
	const struct dbpool_config config = {
		.size = sizeof(config), .conninfo = conninfo, .name = "bench", .min = DBPOOL_OFF
	};
	pthread_t threads[BORROWERS];
	struct dbpool_stats stats;
	if (dbpool_start(&config) != DBPOOL_OK)
		die(dbpool_error());
	pthread_barrier_init(&spike_barrier, NULL, BORROWERS + 1);
	for (int i = 0; i < BORROWERS; i++)
		if (pthread_create(&threads[i], NULL, spike_thread, NULL) != 0)
			die("no thread");
	int64_t begin = now_nsec(CLOCK_MONOTONIC);
	pthread_barrier_wait(&spike_barrier);
	for (int i = 0; i < BORROWERS; i++)
		pthread_join(threads[i], NULL);
	double ms = (double)(now_nsec(CLOCK_MONOTONIC) - begin) / 1e6;
	dbpool_stats(NULL, &stats, sizeof(stats));
	printf("\n%d borrowers at once on a cold pool of at most 3: %d connections opened, at most "
	       "%d "
	       "in use, all served within %.1f ms\n",
		BORROWERS, (int)stats.opened, atomic_load(&most_held), ms);
	(void)dbpool_shutdown(NULL);
	return stats.opened <= 3 && atomic_load(&most_held) <= 3;
}

int main(int argc, char **argv)
{
	const struct private_server_options options = { .tcp = true };
	char error[PRIVATE_SERVER_ERROR_MAX];
	struct figures idle[N_CONTENDERS][3], busy[N_CONTENDERS][3];
	int64_t nsec = (argc > 1 ? atol(argv[1]) : 500) * INT64_C(1000000);
	if (private_server_start(&options, &server, error) < 0)
		die(error);
	char text[200];
	snprintf(text, sizeof(text), "host=127.0.0.1 port=%d user=postgres dbname=postgres",
		private_server_port(server));
	conninfo = text;
	/* of libpq, under every contender */
	setenv("PGPASSFILE", private_server_passfile(server), 1);
	print_table(false, nsec, idle);
	print_table(true, nsec, busy);
	bool good = spike();
	/* the aims, beside a bare pool with two clock readings: twice its time with one thread, no
	 * more than it with several; missed by a factor of two */
	for (int t = 0; t < 3; t++) {
		if (idle[2][t].cpu_nsec <= (t ? 2 : 4) * idle[1][t].cpu_nsec &&
			busy[2][t].per_second >= busy[1][t].per_second / 4)
			continue;
		printf("too slow\n");
		good = false;
	}
	private_server_stop(server);
	return good ? 0 : 1;
}
