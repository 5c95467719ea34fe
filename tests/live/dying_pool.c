/* One application of libdbpool's and its shutdown: dying_pool CONNINFO BEHAVIOUR
 *
 * A pool of two connections, and a loop that works with them. The second connection is opened when
 * everything else is ready: a test that waits for two signals a program that is prepared. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dboutbox.h"
#include "dbpool.h"

#define WRITES 12

static struct dbpool_config config = {
	.size = sizeof(config), .name = "dying", .min = 1, .max = 2
};

static void start(void)
{
	if (dbpool_start(&config) == DBPOOL_OK)
		return;
	fprintf(stderr, "dying_pool: %s\n", dbpool_error());
	exit(3);
}

static int run(const char *sql)
{
	DBPOOL_SCOPED(lease, NULL);
	if (lease.result != DBPOOL_OK)
		return -1;
	PGresult *result = PQexec(dbpool_conn(&lease), sql);
	int r = PQresultStatus(result) == PGRES_TUPLES_OK ? 0 : -1;
	PQclear(result);
	return r;
}

static void open_both_connections(void)
{
	DBPOOL_SCOPED(first, NULL);
	DBPOOL_SCOPED(second, NULL);
}

/* Until the pool lends no more. */
static int work(void)
{
	open_both_connections();
	while (run("SELECT 1") == 0)
		usleep(2000);
	return 0;
}

/* The pool ends the process when it is done. */
static int stay(void)
{
	while (pause() != 0)
		;
	return 1;
}

static int play_closed(void)
{
	start();
	work();
	return stay();
}

static int flush(void *data)
{
	(void)data;
	for (int left = WRITES; left > 0; left--) {
		dbpool_pending(NULL, left);
		if (run("SELECT pg_sleep(0.03)") != 0)
			return 1;
	}
	dbpool_pending(NULL, 0);
	/* the page stays for a few of dbtop's samples: what is not sampled is not shown */
	return run("SELECT pg_sleep(0.3)") == 0 ? 0 : 1;
}

static int play_flush(void)
{
	static const struct dbpool_hook hook = {
		.name = "outbox", .phase = DBPOOL_HOOK_FLUSH, .run = flush
	};
	start();
	dbpool_pending(NULL, WRITES);
	if (dbpool_hook_add(NULL, &hook) != DBPOOL_OK)
		return 3;
	work();
	return stay();
}

/* It has no time to write all: its deadline is shorter. */
static int play_flush_late(void)
{
	static const struct dbpool_hook hook = {
		.name = "outbox", .phase = DBPOOL_HOOK_FLUSH, .run = flush, .deadline_ms = 100
	};
	start();
	dbpool_pending(NULL, WRITES);
	if (dbpool_hook_add(NULL, &hook) != DBPOOL_OK)
		return 3;
	work();
	return stay();
}

static int fail_to_flush(void *data)
{
	(void)data;
	dbpool_pending(NULL, 0);
	return 5;
}

static int play_flush_failed(void)
{
	static const struct dbpool_hook hook = {
		.name = "outbox", .phase = DBPOOL_HOOK_FLUSH, .run = fail_to_flush
	};
	start();
	if (dbpool_hook_add(NULL, &hook) != DBPOOL_OK)
		return 3;
	work();
	return stay();
}

/* Writes that are stored on disk, and sent by the pool's shutdown as far as they can be. */
static int write_to_outbox(const char *sql)
{
	char folder[] = "dying-XXXXXX", path[32];
	const char *params[] = { "7" };
	start();
	if (chdir(getenv("TMPDIR")) != 0 || !mkdtemp(folder))
		return 3;
	snprintf(path, sizeof(path), "%s/outbox", folder);
	const struct dboutbox_config outbox_config = { .size = sizeof(outbox_config),
		.path = path,
		.pool = dbpool_default(),
		.flush_ms = 300,
		.quiet = 1 };
	struct dboutbox *outbox = dboutbox_open(&outbox_config, NULL);
	const struct dboutbox_statement statement = { .sql = sql, .n_params = 1, .params = params };
	for (int i = 0; i < WRITES; i++)
		if (!outbox || dboutbox_write(outbox, &statement) != DBOUTBOX_OK)
			return 3;
	work();
	return stay();
}

static int play_outbox(void)
{
	return write_to_outbox("SELECT $1::int");
}

/* People may create the table: until then they wait. */
static int play_outbox_waits(void)
{
	return write_to_outbox("INSERT INTO missing VALUES ($1)");
}

static void on_signal(int number)
{
	(void)number;
}

/* It has a handler of its own, and decides not to end. */
static int play_never_exited(void)
{
	struct sigaction action = { .sa_handler = on_signal };
	sigaction(SIGINT, &action, NULL);
	start();
	work();
	return stay();
}

/* The pool does not handle signals, and nothing else in the process does. */
static int play_died(void)
{
	config.no_signals = 1;
	start();
	return work();
}

static const struct {
	const char *name;
	int (*play)(void);
} behaviours[] = {
	{ "closed", play_closed },
	{ "flush", play_flush },
	{ "flush-late", play_flush_late },
	{ "flush-failed", play_flush_failed },
	{ "outbox", play_outbox },
	{ "outbox-waits", play_outbox_waits },
	{ "never-exited", play_never_exited },
	{ "died", play_died },
};

int main(int argc, char **argv)
{
	if (argc != 3) {
		fputs("usage: dying_pool CONNINFO BEHAVIOUR\n", stderr);
		return 2;
	}
	config.conninfo = argv[1];
	for (size_t i = 0; i < sizeof(behaviours) / sizeof(behaviours[0]); i++)
		if (strcmp(behaviours[i].name, argv[2]) == 0)
			return behaviours[i].play();
	fprintf(stderr, "dying_pool: no such behaviour: %s\n", argv[2]);
	return 2;
}
