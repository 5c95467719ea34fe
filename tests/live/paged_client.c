/* An application with libdbpool: paged_client CONNINFO FOLDER NAME ROLE[:HELD_MS]
 *
 * HELD_MS is the pool's limit for a hold.
 *
 * Its pool has its page in FOLDER and three connections at most, all of them open before it prints
 * "ready". Roles: work (borrows and gives back, for ever), forget (borrows one and keeps it),
 * steady (the same, but runs a statement on it every 20 ms), rest (leaves all in the reserve),
 * sleep (a statement runs for long), fork (a child inherits all sockets, and lives on). It stays
 * until it is killed. */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "dbpool.h"

#define CONNECTIONS 3

static void give_up(const char *what)
{
	fprintf(stderr, "paged_client: %s: %s\n", what, dbpool_error());
	exit(1);
}

static void rest_us(long us)
{
	const struct timespec time = { us / 1000000, us % 1000000 * 1000 };
	nanosleep(&time, NULL);
}

/* A min of three is kept open, but opened one after the other. */
static void open_all(void)
{
	struct dbpool_lease leases[CONNECTIONS];
	for (int i = 0; i < CONNECTIONS; i++)
		if (dbpool_acquire(dbpool_default(), &leases[i]) != DBPOOL_OK)
			give_up("acquire");
	for (int i = 0; i < CONNECTIONS; i++)
		if (dbpool_release(&leases[i]) != DBPOOL_OK)
			give_up("release");
}

static void *work(void *data)
{
	unsigned seed = (unsigned)(getpid() ^ (long)(size_t)data);
	for (;;) {
		struct dbpool_lease lease;
		if (dbpool_acquire(dbpool_default(), &lease) != DBPOOL_OK)
			give_up("acquire");
		PGresult *result = PQexec(dbpool_conn(&lease), "SELECT 1 AS work");
		PQclear(result);
		rest_us(rand_r(&seed) % 20000);
		if (dbpool_release(&lease) != DBPOOL_OK)
			give_up("release");
		rest_us(rand_r(&seed) % 20000);
	}
	return NULL;
}

static void play_work(void)
{
	for (size_t i = 0; i < CONNECTIONS; i++) {
		pthread_t thread;
		if (pthread_create(&thread, NULL, work, (void *)i) != 0)
			give_up("thread");
	}
}

static void play_forget(void)
{
	static struct dbpool_lease forgotten;
	if (dbpool_acquire(dbpool_default(), &forgotten) != DBPOOL_OK) /* the line to be told */
		give_up("acquire");
	printf("line %d\n", __LINE__ - 2);
}

static void *run_steadily(void *data)
{
	struct dbpool_lease lease;
	if (dbpool_acquire(dbpool_default(), &lease) != DBPOOL_OK)
		give_up("acquire");
	for (;;) {
		PQclear(PQexec(dbpool_conn(&lease), "SELECT 1 AS steady"));
		rest_us(20000);
	}
	return data;
}

static void play_steady(void)
{
	pthread_t thread;
	if (pthread_create(&thread, NULL, run_steadily, NULL) != 0)
		give_up("thread");
}

static void play_sleep(void)
{
	static struct dbpool_lease lease;
	if (dbpool_acquire(dbpool_default(), &lease) != DBPOOL_OK ||
		!PQsendQuery(dbpool_conn(&lease), "SELECT pg_sleep(600)") ||
		PQflush(dbpool_conn(&lease)) != 0)
		give_up("acquire");
}

/* Not by fork(): libdbpool would notice that and close the child's copies. The child's pid is
 * printed, so that the test can kill the child, too. */
static void play_fork(void)
{
	pid_t child = (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
	if (child == 0) {
		alarm(300);
		for (;;)
			pause();
	}
	printf("child %d\n", (int)child);
}

static const struct {
	const char *name;
	void (*play)(void);
} roles[] = {
	{ "work", play_work },
	{ "forget", play_forget },
	{ "steady", play_steady },
	{ "sleep", play_sleep },
	{ "fork", play_fork },
};

int main(int argc, char **argv)
{
	if (argc != 5) {
		fputs("usage: paged_client CONNINFO FOLDER NAME ROLE\n", stderr);
		return 2;
	}
	const char *limit = strchr(argv[4], ':');
	size_t length = strcspn(argv[4], ":");
	const struct dbpool_config config = {
		.size = sizeof(config),
		.conninfo = argv[1],
		.page_folder = argv[2],
		.name = argv[3],
		.min = CONNECTIONS,
		.max = CONNECTIONS,
		.held_ms = limit ? atoi(limit + 1) : 0,
	};
	if (dbpool_start(&config) != DBPOOL_OK)
		give_up("start");
	open_all();
	for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++)
		if (strlen(roles[i].name) == length && strncmp(argv[4], roles[i].name, length) == 0)
			roles[i].play();
	printf("ready\n");
	fflush(stdout);
	for (;;)
		pause();
}
