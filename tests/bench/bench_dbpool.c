/* What borrowing costs: libdbpool beside a bare mutex-and-condition pool and libzdb, each with
 * three connections, in one run. See docs/benchmarks.md.
 *
 * bench_dbpool [MILLISECONDS [LIBRARY]]: of each measurement, 1000 by default; LIBRARY is the path
 * of another build of libdbpool.so, which is measured, too. */
#include <dlfcn.h>
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
#define ROUNDS      9 /* a measurement is cut into so many, in which the contenders alternate */
#define SAMPLES     200000 /* of latency, for all threads together: each has its share */
#define MOST        64

static const char *conninfo;
static struct private_server *server;

/* The functions of one build of libdbpool. */
struct library {
	int (*new)(const struct dbpool_config *, struct dbpool **);
	void (*free)(struct dbpool *);
	int (*acquire_at)(struct dbpool *, struct dbpool_lease *, int, const char *);
	PGconn *(*conn)(const struct dbpool_lease *);
	int (*release)(struct dbpool_lease *);
	void (*stats)(struct dbpool *, struct dbpool_stats *, size_t);
	const char *(*error)(void);
};

/* One cycle: acquire, do something, release. All contenders are open all the time. */
struct contender {
	const char *name;
	void (*open)(struct contender *contender);
	void (*cycle)(const struct contender *contender, bool query);
	void (*close)(struct contender *contender);
	enum dbpool_reset reset;
	const struct library *library;
	struct dbpool *pool;
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

static void bare_open(struct contender *contender)
{
	(void)contender;
	for (; bare.n < CONNECTIONS; bare.n++) {
		bare.conns[bare.n] = PQconnectdb(conninfo);
		if (PQstatus(bare.conns[bare.n]) != CONNECTION_OK)
			die(PQerrorMessage(bare.conns[bare.n]));
	}
}

static void bare_cycle(const struct contender *contender, bool query)
{
	(void)contender;
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

static void bare_close(struct contender *contender)
{
	(void)contender;
	while (bare.n)
		PQfinish(bare.conns[--bare.n]);
}

/* --- the same with two readings of the clock: what libdbpool has to know --- */

static void clock_cycle(const struct contender *contender, bool query)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	bare_cycle(contender, query);
	clock_gettime(CLOCK_MONOTONIC, &ts);
}

/* --- libdbpool --- */

static const struct library ours = { dbpool_new, dbpool_free, dbpool_acquire_at, dbpool_conn,
	dbpool_release, dbpool_stats, dbpool_error };
static struct library theirs;

static void find_function(void *library, const char *name, void *ret_function)
{
	void *function = dlsym(library, name);
	if (!function)
		die(dlerror());
	memcpy(ret_function, &function, sizeof(function));
}

static void load(const char *path)
{
	/* otherwise its calls of its own functions would go to the other library */
	void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND);
	if (!library)
		die(dlerror());
	find_function(library, "dbpool_new", &theirs.new);
	find_function(library, "dbpool_free", &theirs.free);
	find_function(library, "dbpool_acquire_at", &theirs.acquire_at);
	find_function(library, "dbpool_conn", &theirs.conn);
	find_function(library, "dbpool_release", &theirs.release);
	find_function(library, "dbpool_stats", &theirs.stats);
	find_function(library, "dbpool_error", &theirs.error);
}

static void pool_open(struct contender *contender)
{
	const struct library *library = contender->library;
	const struct dbpool_config config = { .size = sizeof(config),
		.conninfo = conninfo,
		.name = "bench",
		.min = CONNECTIONS,
		.max = CONNECTIONS,
		.max_uses = DBPOOL_OFF,
		.acquire_timeout_ms = DBPOOL_OFF,
		.reset = contender->reset };
	struct dbpool_stats stats;
	if (library->new (&config, &contender->pool) != DBPOOL_OK)
		die(library->error());
	do {
		usleep(1000);
		library->stats(contender->pool, &stats, sizeof(stats));
	} while (stats.idle < CONNECTIONS);
}

static void pool_cycle(const struct contender *contender, bool query)
{
	const struct library *library = contender->library;
	struct dbpool_lease lease;
	if (library->acquire_at(contender->pool, &lease, DBPOOL_DEFAULT_MS, DBPOOL_HERE) !=
		DBPOOL_OK)
		die(library->error());
	if (query)
		select_one(library->conn(&lease));
	(void)library->release(&lease);
}

static void pool_close(struct contender *contender)
{
	contender->library->free(contender->pool);
}

/* --- libzdb: it does not wait for a connection; its user has to try again --- */

#ifdef HAVE_ZDB
static ConnectionPool_T zdb;
static URL_T zdb_url;

static void zdb_open(struct contender *contender)
{
	(void)contender;
	char url[200];
	snprintf(url, sizeof(url), "postgresql://127.0.0.1:%d/postgres?user=postgres&password=%s",
		private_server_port(server), private_server_password(server));
	zdb_url = URL_new(url);
	zdb = ConnectionPool_new(zdb_url);
	ConnectionPool_setInitialConnections(zdb, CONNECTIONS);
	ConnectionPool_setMaxConnections(zdb, CONNECTIONS);
	ConnectionPool_start(zdb);
}

static void zdb_cycle(const struct contender *contender, bool query)
{
	(void)contender;
	Connection_T conn;
	while (!(conn = ConnectionPool_getConnection(zdb)))
		sched_yield();
	if (query)
		(void)ResultSet_next(Connection_executeQuery(conn, "SELECT 1"));
	ConnectionPool_returnConnection(zdb, conn);
}

static void zdb_close(struct contender *contender)
{
	(void)contender;
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
		run->contender->cycle(run->contender, run->query);
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
	double usec[ROUNDS], cpu_nsec[ROUNDS]; /* of a cycle, by all threads together */
	double p50, p99;                       /* microseconds of a cycle, as one thread sees it */
};

static void measure_round(const struct contender *contender, int threads, bool query, int64_t nsec,
	struct figures *ret, int round)
{
	struct run run = {
		.contender = contender, .query = query, .threads = threads, .nsec = nsec / ROUNDS
	};
	int64_t cpu = now_nsec(CLOCK_PROCESS_CPUTIME_ID);
	double seconds = run_threads(&run);
	cpu = now_nsec(CLOCK_PROCESS_CPUTIME_ID) - cpu;
	long cycles = atomic_load(&run.cycles);
	if (!cycles)
		die("no cycle ended");
	ret->usec[round] = seconds * 1e6 / (double)cycles;
	ret->cpu_nsec[round] = (double)cpu / (double)cycles;
}

static void measure_latency(const struct contender *contender, int threads, bool query,
	int64_t nsec, struct figures *ret)
{
	struct run timed = { .contender = contender,
		.query = query,
		.timed = true,
		.threads = threads,
		.nsec = nsec,
		.samples = calloc(SAMPLES, sizeof(int64_t)) };
	(void)run_threads(&timed);
	long n = gather(&timed);
	qsort(timed.samples, (size_t)n, sizeof(int64_t), compare);
	ret->p50 = n ? (double)timed.samples[n / 2] / 1e3 : 0;
	ret->p99 = n ? (double)timed.samples[n * 99 / 100] / 1e3 : 0;
	free(timed.samples);
}

static int compare_doubles(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static double median(const double values[ROUNDS])
{
	double sorted[ROUNDS];
	memcpy(sorted, values, sizeof(sorted));
	qsort(sorted, ROUNDS, sizeof(sorted[0]), compare_doubles);
	return sorted[ROUNDS / 2];
}

/* The median of the ratios of one round each: what disturbs the machine for longer than a round
 * disturbs both. */
static double ratio(const double values[ROUNDS], const double base[ROUNDS])
{
	double ratios[ROUNDS];
	for (int i = 0; i < ROUNDS; i++)
		ratios[i] = values[i] / base[i];
	return median(ratios);
}

enum { BARE, BARE_CLOCK, NO_RESET, TOLD, USED };

static struct contender contenders[] = {
	[BARE] = { .name = "bare pool",
		.open = bare_open,
		.cycle = bare_cycle,
		.close = bare_close },
	[BARE_CLOCK] = { .name = "bare pool, two clock readings",
		.open = bare_open,
		.cycle = clock_cycle,
		.close = bare_close },
	[NO_RESET] = { "libdbpool, DBPOOL_RESET_NEVER", pool_open, pool_cycle, pool_close,
		DBPOOL_RESET_NEVER, &ours, NULL },
	[TOLD] = { "libdbpool, DBPOOL_RESET_TOLD", pool_open, pool_cycle, pool_close,
		DBPOOL_RESET_TOLD, &ours, NULL },
	[USED] = { "libdbpool, DBPOOL_RESET_USED", pool_open, pool_cycle, pool_close,
		DBPOOL_RESET_USED, &ours, NULL },
#ifdef HAVE_ZDB
	{ .name = "libzdb", .open = zdb_open, .cycle = zdb_cycle, .close = zdb_close },
#endif
	{ "the other libdbpool, DBPOOL_RESET_TOLD", pool_open, pool_cycle, pool_close,
		DBPOOL_RESET_TOLD, &theirs, NULL },
};

#define ALL (sizeof(contenders) / sizeof(contenders[0]))

static size_t n_contenders = ALL - 1;

/* What one thread count costs each contender; prints it. *ret_ratios: processor time beside the
 * bare pool that reads the clock. */
static void measure_all(bool query, int threads, int64_t nsec, double *ret_ratios)
{
	static struct figures figures[ALL];
	for (int round = 0; round < ROUNDS; round++)
		for (size_t n = 0; n < n_contenders; n++) {
			/* each is the first of a round about equally often */
			size_t i = (n + (size_t)round) % n_contenders;
			measure_round(&contenders[i], threads, query, nsec, &figures[i], round);
		}
	for (size_t i = 0; i < n_contenders; i++) {
		const struct figures *base = &figures[BARE_CLOCK];
		measure_latency(&contenders[i], threads, query, nsec, &figures[i]);
		ret_ratios[i] = ratio(figures[i].cpu_nsec, base->cpu_nsec);
		printf("| %s | %d | %.0f | %.0f ns | %.2f | %.2f | %.2f µs | %.2f µs |\n",
			contenders[i].name, threads, 1e6 / median(figures[i].usec),
			median(figures[i].cpu_nsec), ret_ratios[i],
			ratio(figures[i].usec, base->usec), figures[i].p50, figures[i].p99);
		fflush(stdout);
	}
}

static const int thread_counts[] = { 1, 8, 64 };

static void print_table(bool query, int64_t nsec, double ratios[3][ALL])
{
	printf("\n| %s | threads | cycles/s | CPU a cycle | ratio | ratio of time | p50 | p99 |\n"
	       "|---|--:|--:|--:|--:|--:|--:|--:|\n",
		query ? "acquire, `SELECT 1`, release" : "acquire, release");
	for (size_t t = 0; t < 3; t++)
		measure_all(query, thread_counts[t], nsec, ratios[t]);
}

/* The aims; a benchmark fails only where one is missed by a factor of two. */
static bool is_good(double idle[3][ALL], double busy[3][ALL])
{
	bool good = true;
	for (int t = 0; t < 3; t++) {
		bool fast = idle[t][USED] <= 2 && busy[t][TOLD] <= 1.15;
		printf("%d threads: acquire and release %.2f (aim: 2), with SELECT 1 %.2f (aim: "
		       "1.15)%s\n",
			thread_counts[t], idle[t][USED], busy[t][TOLD], fast ? "" : ": missed");
		good = good && idle[t][USED] <= 4 && busy[t][TOLD] <= 2.3;
	}
	return good;
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
	double idle[3][ALL], busy[3][ALL];
	int64_t nsec = (argc > 1 ? atol(argv[1]) : 1000) * INT64_C(1000000);
	if (argc > 2) {
		load(argv[2]);
		n_contenders = ALL;
	}
	if (private_server_start(&options, &server, error) < 0)
		die(error);
	char text[200];
	snprintf(text, sizeof(text), "host=127.0.0.1 port=%d user=postgres dbname=postgres",
		private_server_port(server));
	conninfo = text;
	/* of libpq, under every contender */
	setenv("PGPASSFILE", private_server_passfile(server), 1);
	for (size_t i = 0; i < n_contenders; i++)
		contenders[i].open(&contenders[i]);
	print_table(false, nsec, idle);
	print_table(true, nsec, busy);
	for (size_t i = 0; i < n_contenders; i++)
		contenders[i].close(&contenders[i]);
	printf("\n");
	bool good = is_good(idle, busy);
	good = spike() && good;
	private_server_stop(server);
	return good ? 0 : 1;
}
