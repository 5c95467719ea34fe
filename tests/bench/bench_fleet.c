/* One dbtop on many databases beside one dbtop for each: bench_fleet [DATABASES [SECONDS]]. The
 * first fails if it takes much more processor time than all of the others together. */
#include "live.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "measure.h"

#define MOST 50

/* Ratio at which it fails. */
#define MOST_RATIO 2.0

#define WAIT_MS 60000

/* The first scans of this machine are over after so many seconds. */
#define WARM_UP 15

static char *config;
static int n_databases = 25, seconds = 15;

static void sleep_for(double time)
{
	struct timespec left = { (time_t)time, (long)((time - (double)(time_t)time) * 1e9) };
	while (nanosleep(&left, &left) < 0)
		;
}

/* Connections come and go, one a second, on one of the databases. */
static void let_time_pass(const char *churn)
{
	for (int i = 0; i < seconds; i++) {
		PGconn *conn = churn ? live_connect(churn) : NULL;
		sleep_for(1);
		if (conn)
			PQfinish(conn);
	}
}

/* Processor time of all programs for each database and second, in µs. */
static double measure(struct live_program *const *programs, int count, const char *churn)
{
	double used = 0;
	for (int i = 0; i < count; i++)
		used -= measure_cpu(live_pid(programs[i]));
	let_time_pass(churn);
	for (int i = 0; i < count; i++)
		used += measure_cpu(live_pid(programs[i]));
	return used / seconds / n_databases;
}

static struct live_program *start(const char *name)
{
	struct live_program *dbtop =
		live_dbtop_start(NULL, "--metrics", "0", "-c", config, name, NULL);
	live_wait_err(dbtop, "connected", WAIT_MS);
	return dbtop;
}

struct figures {
	double quiet, churn;
	long pss;
};

static struct figures run(bool together, const char *churn)
{
	struct live_program *programs[MOST];
	int count = together ? 1 : n_databases;
	struct figures figures = { 0 };
	for (int i = 0; i < count; i++) {
		char name[16];
		snprintf(name, sizeof(name), "s%d", i);
		programs[i] = start(together ? "--all" : name);
	}
	sleep_for(WARM_UP);
	figures.quiet = measure(programs, count, NULL);
	figures.churn = measure(programs, count, churn);
	for (int i = 0; i < count; i++) {
		figures.pss += measure_pss(live_pid(programs[i]));
		live_free(programs[i]);
	}
	printf("%-10s | %10.0f µs | %10.0f µs | %6.1f MB\n", together ? "one dbtop" : "one each",
		figures.quiet, figures.churn, (double)figures.pss / 1024);
	fflush(stdout);
	return figures;
}

int main(int argc, char **argv)
{
	static const char *const settings[] = { "max_connections=120", NULL };
	if (argc > 1)
		n_databases = atoi(argv[1]);
	if (argc > 2)
		seconds = atoi(argv[2]);
	if (n_databases < 1 || n_databases > MOST || seconds < 1)
		return 2;
	struct private_server *server = live_server_start(settings);
	CLEANUP(cleanup_free) char *churn = live_conninfo(server, LIVE_TCP4, NULL);
	char *text = NULL;
	size_t length;
	FILE *file = open_memstream(&text, &length);
	fputs("databases:\n", file);
	for (int i = 0; i < n_databases; i++) {
		CLEANUP(cleanup_free) char *sql = mem_printf("CREATE DATABASE db%d", i);
		CLEANUP(cleanup_free) char *name = mem_printf("dbname=db%d", i);
		CLEANUP(cleanup_free) char *conninfo = live_conninfo(server, LIVE_TCP4, name);
		live_sql(server, sql);
		fprintf(file, "  s%d: %s\n", i, conninfo);
	}
	fclose(file);
	config = live_file(live_folder(), "fleet.yaml", text);
	printf("%d databases   |      quiet    |     churn     | PSS\n", n_databases);
	struct figures all = run(true, churn), each = run(false, churn);
	double quiet = all.quiet / each.quiet, churned = all.churn / each.churn;
	printf("ratio      | %13.2f | %13.2f |\n", quiet, churned);
	private_server_stop(server);
	free(config);
	free(text);
	return quiet > MOST_RATIO || churned > MOST_RATIO;
}
