/* readings CONNINFO FILE COUNT [SECONDS]: an application that goes on while its PostgreSQL is away.
 *
 * It takes a reading every 50 ms and stores it in the outbox FILE, which never waits for the
 * server. The outbox sends the readings as soon as a server answers. Stop the server, start it
 * again, kill this program: each reading that was stored is in the table once. At its end it waits
 * for SECONDS (5) at most until all are sent.
 *
 *     cc readings.c $(pkg-config --cflags --libs dboutbox) -o readings
 *     ./readings "dbname=app" /var/tmp/readings 1000
 */
#include <dboutbox.h>
#include <dbpool.h>
#include <err.h>
#include <inttypes.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static atomic_bool stopping; /* lock-free: a signal handler may set it */

static void on_signal(int signal_number)
{
	(void)signal_number;
	stopping = true;
}

/* The table, too, is created through the outbox: the server may be away at the start. */
static void create_table(struct dboutbox *outbox)
{
	static const struct dboutbox_statement statement = {
		.sql = "CREATE TABLE IF NOT EXISTS readings"
		       " (taken_at timestamptz NOT NULL, value double precision NOT NULL)"
	};
	if (dboutbox_write(outbox, &statement) != DBOUTBOX_OK)
		errx(1, "%s", dboutbox_error());
}

/* The time is a parameter: now() in the statement would be the time at which it is sent. */
static bool store_reading(struct dboutbox *outbox, double value)
{
	char taken_at[40], text[40];
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	snprintf(taken_at, sizeof(taken_at), "%lld.%06ld", (long long)now.tv_sec,
		now.tv_nsec / 1000);
	snprintf(text, sizeof(text), "%.3f", value);
	const char *const params[] = { taken_at, text };
	const struct dboutbox_statement statement = {
		.sql = "INSERT INTO readings VALUES (to_timestamp($1::double precision), $2)",
		.n_params = 2,
		.params = params,
	};
	if (dboutbox_write(outbox, &statement) == DBOUTBOX_OK)
		return true;
	/* the outbox is full or the disk is: a real application sheds load here */
	warnx("%s", dboutbox_error());
	return false;
}

/* Says how things are when they have changed. */
static void report(struct dboutbox *outbox)
{
	static enum dboutbox_state last = DBOUTBOX_IDLE;
	struct dboutbox_stats stats;
	dboutbox_stats(outbox, &stats, sizeof(stats));
	if (stats.state == DBOUTBOX_SENDING)
		stats.state = DBOUTBOX_IDLE;
	if (stats.state == last)
		return;
	last = stats.state;
	printf("%s: %" PRId64 " writes wait%s%s\n", dboutbox_state_name(stats.state), stats.pending,
		*stats.last_error ? ": " : "", stats.last_error);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	if (argc < 4 || argc > 5)
		errx(2, "usage: readings CONNINFO FILE COUNT [SECONDS]");
	int seconds = argc > 4 ? atoi(argv[4]) : 5;
	const struct sigaction action = { .sa_handler = on_signal };
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);

	/* lazy: the start does not wait for the server. no_signals: this program shuts the pool
	 * down itself, when the outbox has sent what it can */
	const struct dbpool_config pool = { .size = sizeof(pool),
		.conninfo = argv[1],
		.name = "readings",
		.lazy = 1,
		.no_signals = 1 };
	if (dbpool_start(&pool) != DBPOOL_OK)
		errx(1, "%s", dbpool_error());
	const struct dboutbox_config config = {
		.size = sizeof(config), .path = argv[2], .pool = dbpool_default()
	};
	struct dboutbox *outbox = dboutbox_open(&config, NULL);
	if (!outbox)
		errx(1, "%s", dboutbox_error());

	long stored = 0, count = atol(argv[3]);
	create_table(outbox);
	for (long i = 0; i < count && !stopping; i++) {
		stored += store_reading(outbox, (double)(i % 100) / 4);
		report(outbox);
		usleep(50000);
	}

	/* what is left stays in the file, and is sent after the next start */
	int left = dboutbox_flush(outbox, seconds * 1000);
	printf("stored %ld readings, %d writes wait in %s\n", stored, left, argv[2]);
	dboutbox_close(outbox);
	return dbpool_shutdown(NULL) == DBPOOL_OK ? 0 : 1;
}
