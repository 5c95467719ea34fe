/* What a page costs a checkout: from C, one call each way beside a bare pool of a mutex and two
 * readings of the clock; then from Python (bench_pages.py), each pool beside its unwatched twin.
 * See docs/benchmarks.md. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "dbpage.h"
#include "demo/private_server.h"

#define CYCLES 200000
#define ROUNDS 20

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int reserve[2] = { 1, 2 }, n = 2;

static void die(const char *what)
{
	fprintf(stderr, "bench_pages: %s\n", what);
	exit(1);
}

static void read_clock(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
}

static void cycle(struct dbpage *page)
{
	pthread_mutex_lock(&lock);
	int pid = reserve[--n];
	pthread_mutex_unlock(&lock);
	read_clock();
	dbpage_slot(page, (unsigned)pid, DBPAGE_SLOT_HELD, pid, DBPAGE_UNKNOWN, "bench_pages.c:39");
	dbpage_slot(page, (unsigned)pid, DBPAGE_SLOT_IDLE, pid, DBPAGE_UNKNOWN, NULL);
	read_clock();
	pthread_mutex_lock(&lock);
	reserve[n++] = pid;
	pthread_mutex_unlock(&lock);
}

/* Nanoseconds of processor time a cycle. */
static double measure(struct dbpage *page)
{
	struct timespec begin, end;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &begin);
	for (int i = 0; i < CYCLES; i++)
		cycle(page);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end);
	return ((double)(end.tv_sec - begin.tv_sec) * 1e9 + (double)(end.tv_nsec - begin.tv_nsec)) /
		CYCLES;
}

/* NULL as a page is the bare pool: its calls return at once. */
static void compare(void)
{
	const struct dbpage_config config = { .size = sizeof(config), .max = 4 };
	struct dbpage *page = dbpage_open(&config, NULL);
	double best[2] = { 1e9, 1e9 };
	if (!page)
		die("no page can be created");
	for (int i = 0; i < 2 * ROUNDS; i++) {
		double ns = measure(i % 2 ? page : NULL);
		best[i % 2] = ns < best[i % 2] ? ns : best[i % 2];
	}
	dbpage_close(page);
	printf("| C: a mutex and two readings of the clock | %.0f ns | %.0f ns | %.2f |\n", best[0],
		best[1], best[1] / best[0]);
	fflush(stdout);
}

static int run_python(const char *conninfo)
{
	pid_t child = fork();
	if (child == 0) {
		setenv("PYTHONPATH", "python", 1);
		setenv("DBTOP_PAGES_LIBRARY", LIBDBPAGE_PATH, 1);
		execl("/usr/bin/python3", "python3", "tests/bench/bench_pages.py", conninfo, NULL);
		_exit(127);
	}
	int status = -1;
	if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status))
		die("python3 cannot be run");
	return WEXITSTATUS(status);
}

int main(void)
{
	struct private_server *server;
	char error[PRIVATE_SERVER_ERROR_MAX], conninfo[128];
	const struct private_server_options options = { .tcp = true };
	puts("| a checkout, and back | bare | watched | ratio |\n|---|--:|--:|--:|");
	compare();
	if (private_server_start(&options, &server, error) < 0)
		die(error);
	snprintf(conninfo, sizeof(conninfo), "host=127.0.0.1 port=%d user=postgres dbname=postgres",
		private_server_port(server));
	setenv("PGPASSFILE", private_server_passfile(server), 1);
	int status = run_python(conninfo);
	private_server_stop(server);
	return status;
}
