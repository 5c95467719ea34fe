/* What libdboutbox costs, in one run: a durable local write beside a bare SQLite insert, and
 * delivery beside plain pipelined inserts. See docs/benchmarks.md.
 *
 * bench_outbox [WRITES]: in each round, 1000 by default; a tenth where each is synced, and ten
 * times as many where they are sent. */
#include <libpq-fe.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "dboutbox.h"
#include "dbpool.h"
#include "demo/private_server.h"

#define ROUNDS 25
#define BATCH  100 /* the outbox's default */

#define SQL "INSERT INTO sent (number, text) VALUES ($1, $2)"

static const char *conninfo;
static char folder[64];
static int writes = 1000;

static void die(const char *what)
{
	fprintf(stderr, "bench_outbox: %s\n", what);
	exit(1);
}

static int64_t now_nsec(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * INT64_C(1000000000) + ts.tv_nsec;
}

/* A file that does not exist; the path is valid until the next call. */
static const char *fresh_file(void)
{
	static const char *const suffixes[] = { "", "-wal", "-shm", "-lock" };
	static char path[80];
	for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
		snprintf(path, sizeof(path), "%s/file%s", folder, suffixes[i]);
		unlink(path);
	}
	snprintf(path, sizeof(path), "%s/file", folder);
	return path;
}

static const char *const *parameters(int i)
{
	static char number[16];
	static const char *params[] = { number, "a text of some forty bytes, as they are" };
	snprintf(number, sizeof(number), "%d", i);
	return params;
}

/* --- local writes --- */

static void run(sqlite3 *db, const char *sql)
{
	if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
		die(sqlite3_errmsg(db));
}

/* A row with a number, a time and the statement, as an application would store it. */
static double bare_writes(bool full)
{
	sqlite3 *db;
	sqlite3_stmt *insert;
	char blob[160];
	if (sqlite3_open(fresh_file(), &db) != SQLITE_OK)
		die("sqlite3_open");
	run(db, "PRAGMA journal_mode = WAL");
	run(db, full ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL");
	run(db, "CREATE TABLE writes (id INTEGER PRIMARY KEY, at INTEGER NOT NULL, b BLOB)");
	if (sqlite3_prepare_v2(db, "INSERT INTO writes VALUES (?, ?, ?)", -1, &insert, NULL) !=
		SQLITE_OK)
		die(sqlite3_errmsg(db));
	int64_t begin = now_nsec();
	for (int i = 0; i < writes; i++) {
		const char *const *params = parameters(i);
		int length = snprintf(blob, sizeof(blob), "%s%s%s", SQL, params[0], params[1]);
		sqlite3_bind_int64(insert, 1, i + 1);
		sqlite3_bind_int64(insert, 2, begin);
		sqlite3_bind_blob(insert, 3, blob, length + 24, SQLITE_STATIC);
		if (sqlite3_step(insert) != SQLITE_DONE)
			die(sqlite3_errmsg(db));
		sqlite3_reset(insert);
	}
	double usec = (double)(now_nsec() - begin) / 1e3 / writes;
	sqlite3_finalize(insert);
	sqlite3_close(db);
	return usec;
}

static struct dboutbox *open_outbox(const char *path, bool full, struct dbpool *pool)
{
	const struct dboutbox_config config = {
		.size = sizeof(config),
		.path = path,
		.pool = pool,
		.fsync = full ? DBOUTBOX_FSYNC_FULL : DBOUTBOX_FSYNC_NORMAL,
	};
	struct dboutbox *outbox = dboutbox_open(&config, NULL);
	if (!outbox)
		die(dboutbox_error());
	return outbox;
}

static void write_all(struct dboutbox *outbox)
{
	for (int i = 0; i < writes; i++) {
		const struct dboutbox_statement statement = {
			.sql = SQL, .n_params = 2, .params = parameters(i)
		};
		if (dboutbox_write(outbox, &statement) != DBOUTBOX_OK)
			die(dboutbox_error());
	}
}

static double outbox_writes(bool full)
{
	struct dboutbox *outbox = open_outbox(fresh_file(), full, NULL);
	int64_t begin = now_nsec();
	write_all(outbox);
	double usec = (double)(now_nsec() - begin) / 1e3 / writes;
	dboutbox_close(outbox);
	return usec;
}

/* --- delivery --- */

static struct dbpool *pool;

static void ask(PGconn *conn, const char *sql)
{
	PGresult *result = PQexec(conn, sql);
	ExecStatusType status = PQresultStatus(result);
	if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
		die(PQerrorMessage(conn));
	PQclear(result);
}

/* Reads the results of a pipeline of `n` statements and its end. */
static void collect(PGconn *conn, int n)
{
	for (int i = 0; i < n; i++) {
		PGresult *result = PQgetResult(conn);
		if (PQresultStatus(result) != PGRES_COMMAND_OK)
			die(PQerrorMessage(conn));
		PQclear(result);
		if (PQgetResult(conn))
			die("a second result");
	}
	PGresult *end = PQgetResult(conn);
	if (PQresultStatus(end) != PGRES_PIPELINE_SYNC)
		die("no end of the pipeline");
	PQclear(end);
}

static void queue(PGconn *conn, const char *sql, int n, const char *const *params)
{
	if (!PQsendQueryParams(conn, sql, n, NULL, params, NULL, NULL, 0))
		die(PQerrorMessage(conn));
}

/* Transactions of BATCH inserts, each in one pipeline: what an application writes that keeps
 * nothing. */
static double plain_delivery(bool full)
{
	(void)full;
	PGconn *conn = PQconnectdb(conninfo);
	if (PQstatus(conn) != CONNECTION_OK)
		die(PQerrorMessage(conn));
	ask(conn, "TRUNCATE sent");
	int64_t begin = now_nsec();
	PQenterPipelineMode(conn);
	for (int i = 0; i < writes;) {
		queue(conn, "BEGIN", 0, NULL);
		int n = 0;
		for (; n < BATCH && i < writes; n++, i++)
			queue(conn, SQL, 2, parameters(i));
		queue(conn, "COMMIT", 0, NULL);
		PQpipelineSync(conn);
		collect(conn, n + 2);
	}
	double usec = (double)(now_nsec() - begin) / 1e3 / writes;
	PQfinish(conn);
	return usec;
}

/* The same writes out of a file that has them already. */
static double outbox_delivery(bool full)
{
	const char *path = fresh_file();
	struct dboutbox *outbox = open_outbox(path, false, NULL);
	PGconn *conn = PQconnectdb(conninfo);
	ask(conn, "TRUNCATE sent");
	PQfinish(conn);
	write_all(outbox);
	dboutbox_close(outbox);
	int64_t begin = now_nsec();
	outbox = open_outbox(path, full, pool);
	if (dboutbox_flush(outbox, DBOUTBOX_OFF) != 0)
		die("not all was sent");
	double usec = (double)(now_nsec() - begin) / 1e3 / writes;
	dboutbox_close(outbox);
	return usec;
}

/* --- comparing --- */

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static void sort(double values[ROUNDS])
{
	qsort(values, ROUNDS, sizeof(values[0]), compare);
}

/* Prints the fastest rounds, the medians, and the ratio of the fastest rounds; returns that. Other
 * load on the machine only adds time, to the fastest round the least. */
static double measure(const char *what, bool full, double (*base)(bool), double (*ours)(bool))
{
	double beside[ROUNDS], own[ROUNDS];
	for (int i = 0; i < ROUNDS; i++) {
		beside[i] = base(full);
		own[i] = ours(full);
	}
	sort(beside);
	sort(own);
	double ratio = own[0] / beside[0];
	printf("| %s | %.2f µs | %.2f µs | %.2f | %.2f |\n", what, beside[0], own[0], ratio,
		own[ROUNDS / 2] / beside[ROUNDS / 2]);
	fflush(stdout);
	return ratio;
}

static void start_pool(void)
{
	PGconn *conn = PQconnectdb(conninfo);
	if (PQstatus(conn) != CONNECTION_OK)
		die(PQerrorMessage(conn));
	ask(conn, "CREATE TABLE sent (number bigint NOT NULL, text text NOT NULL)");
	PQfinish(conn);
	const struct dbpool_config config = {
		.size = sizeof(config), .conninfo = conninfo, .name = "bench", .no_signals = 1
	};
	if (dbpool_new(&config, &pool) != DBPOOL_OK)
		die(dbpool_error());
}

int main(int argc, char **argv)
{
	static const char *const settings[] = { "fsync=on", "full_page_writes=on",
		"synchronous_commit=on", NULL };
	const struct private_server_options options = { .tcp = true, .settings = settings };
	struct private_server *server = NULL;
	char error[PRIVATE_SERVER_ERROR_MAX] = "no temporary folder", text[400];
	if (argc > 1)
		writes = atoi(argv[1]);
	snprintf(folder, sizeof(folder), "/tmp/bench-outbox-XXXXXX");
	if (!mkdtemp(folder) || private_server_start(&options, &server, error) < 0)
		die(error);
	snprintf(text, sizeof(text),
		"host=127.0.0.1 port=%d user=postgres dbname=postgres passfile=%s",
		private_server_port(server), private_server_passfile(server));
	conninfo = text;
	start_pool();
	printf("| one write | beside it | libdboutbox | ratio | of the medians |\n"
	       "|---|--:|--:|--:|--:|\n");
	int standard = writes;
	writes = standard / 10;
	double full = measure(
		"stored, synced; beside a bare SQLite insert", true, bare_writes, outbox_writes);
	writes = standard;
	double normal = measure(
		"stored, `DBOUTBOX_FSYNC_NORMAL`; the same", false, bare_writes, outbox_writes);
	writes = standard * 10;
	double sent = measure("sent, in batches of 100; beside plain pipelined inserts", true,
		plain_delivery, outbox_delivery);
	printf("\naims: stored 1.3, sent 1.25 (0.8 of the speed)%s\n",
		full <= 1.3 && normal <= 1.3 && sent <= 1.25 ? "" : ": missed");
	dbpool_free(pool);
	private_server_stop(server);
	(void)fresh_file();
	(void)rmdir(folder);
	return full <= 2.6 && normal <= 2.6 && sent <= 2.5 ? 0 : 1;
}
