/* A client of a server under test: client CONNINFO ROLE [ARGUMENT...]
 *
 * It connects, brings its connections where the role says, prints "pid N" for each backend and then
 * "ready", and stays until it is killed. What fails ends it with status 1.
 * $LIVE_CLIENT_HIDDEN: nobody but root may look into this process.
 * $LIVE_CLIENT_STUBBORN: it does not obey SIGTERM.
 * $LIVE_CLIENT_UID: it becomes that user once it is connected. */
#include <errno.h>
#include <libpq-fe.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MOST_CONNECTIONS 2100

struct client {
	const char *conninfo;
	char **arguments; /* the role's, ended by NULL */
	PGconn *conns[MOST_CONNECTIONS];
	int count;
};

static void give_up(const char *what, const PGconn *conn)
{
	fprintf(stderr, "client: %s: %s\n", what, conn ? PQerrorMessage(conn) : strerror(errno));
	exit(1);
}

static PGconn *open_one(struct client *client)
{
	if (client->count == MOST_CONNECTIONS) {
		fputs("client: too many connections\n", stderr);
		exit(1);
	}
	PGconn *conn = PQconnectdb(client->conninfo);
	if (PQstatus(conn) != CONNECTION_OK)
		give_up("connect", conn);
	client->conns[client->count++] = conn;
	return conn;
}

static void run(PGconn *conn, const char *sql)
{
	PGresult *result = PQexec(conn, sql);
	switch (PQresultStatus(result)) {
	case PGRES_COMMAND_OK:
	case PGRES_TUPLES_OK:
	case PGRES_COPY_IN: break;
	default: give_up(sql, conn);
	}
	PQclear(result);
}

static int number(const struct client *client, int otherwise)
{
	return client->arguments[0] ? atoi(client->arguments[0]) : otherwise;
}

static void report_ready(const struct client *client)
{
	for (int i = 0; i < client->count; i++)
		printf("pid %d\n", PQbackendPID(client->conns[i]));
	puts("ready");
	fflush(stdout);
}

/* idle [N]: N connections that said one word each */
static void play_idle(struct client *client)
{
	for (int i = number(client, 1); i-- > 0;)
		run(open_one(client), "SELECT 1 AS idle");
}

/* connect [N]: … and never one */
static void play_connect(struct client *client)
{
	for (int i = number(client, 1); i-- > 0;)
		open_one(client);
}

/* transaction [N] */
static void play_transaction(struct client *client)
{
	for (int i = number(client, 1); i-- > 0;) {
		PGconn *conn = open_one(client);
		run(conn, "BEGIN");
		run(conn, "SELECT 1 AS in_transaction");
	}
}

static void play_aborted(struct client *client)
{
	PGconn *conn = open_one(client);
	run(conn, "BEGIN");
	PQclear(PQexec(conn, "SELECT 1/0"));
}

/* active [N]: at work for an hour */
static void play_active(struct client *client)
{
	for (int i = number(client, 1); i-- > 0;) {
		PGconn *conn = open_one(client);
		if (!PQsendQuery(conn, "SELECT pg_sleep(3600)") || PQflush(conn) != 0)
			give_up("send", conn);
	}
}

static void play_listen(struct client *client)
{
	run(open_one(client), "LISTEN events");
}

/* lock [KEY]: an advisory lock, and another statement after it */
static void play_lock(struct client *client)
{
	char sql[80];
	PGconn *conn = open_one(client);
	snprintf(sql, sizeof(sql), "SELECT pg_advisory_lock(%d)", number(client, 42));
	run(conn, sql);
	run(conn, "SELECT 1 AS leader");
}

/* copy TABLE: in the midst of COPY FROM STDIN */
static void play_copy(struct client *client)
{
	char sql[200];
	PGconn *conn = open_one(client);
	snprintf(sql, sizeof(sql), "COPY %s FROM STDIN",
		client->arguments[0] ? client->arguments[0] : "copied");
	run(conn, sql);
}

/* sql STATEMENT...: one after the other, over one connection */
static void play_sql(struct client *client)
{
	PGconn *conn = open_one(client);
	for (char **sql = client->arguments; *sql; sql++)
		run(conn, *sql);
}

/* send STATEMENT...: the last one without waiting for its answer */
static void play_send(struct client *client)
{
	PGconn *conn = open_one(client);
	char **sql = client->arguments;
	for (; sql[0] && sql[1]; sql++)
		run(conn, *sql);
	if (!*sql || !PQsendQuery(conn, *sql) || PQflush(conn) != 0)
		give_up("send", conn);
}

/* unsynced: a statement executed without a Sync after it, so the server waits for more */
static void play_unsynced(struct client *client)
{
	PGconn *conn = open_one(client);
	if (!PQenterPipelineMode(conn) ||
		!PQsendQueryParams(conn, "SELECT 1", 0, NULL, NULL, NULL, NULL, 0) ||
		PQflush(conn) != 0)
		give_up("send", conn);
}

/* busy [N]: a short statement every 20 ms on each of N connections, for ever */
static void play_busy(struct client *client)
{
	play_connect(client);
	report_ready(client);
	for (;;) {
		for (int i = 0; i < client->count; i++)
			run(client->conns[i], "SELECT 1 AS busy");
		usleep(20000);
	}
}

static void pause_for_us(long us)
{
	const struct timespec time = { .tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000 };
	nanosleep(&time, NULL);
}

/* Whether the server ended the session while it was at rest for so many microseconds. */
static bool ends_at_rest(PGconn *conn, long us)
{
	struct pollfd pollfd = { .fd = PQsocket(conn), .events = POLLIN };
	const struct timespec time = { .tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000 };
	return ppoll(&pollfd, 1, &time, NULL) > 0;
}

/* One session of flip; returns how it ended. */
static void flip(PGconn *conn, unsigned *seed)
{
	/* it is not told any more once the connection is lost */
	int pid = PQbackendPID(conn);
	for (long n = 1;; n++) {
		char sql[100];
		snprintf(sql, sizeof(sql), "SELECT /* %ld */ pg_sleep(%.6f)", n,
			(1000 + rand_r(seed) % 1000) / 1e6);
		PGresult *result = PQexec(conn, sql);
		bool answered = PQresultStatus(result) == PGRES_TUPLES_OK;
		PQclear(result);
		if (!answered)
			printf("ended %d work %ld\n", pid, n);
		else if (ends_at_rest(conn,
				 rand_r(seed) % 32 ? rand_r(seed) % 2000
						   : 100000 + rand_r(seed) % 200000))
			printf("ended %d rest %ld\n", pid, n);
		else
			continue;
		fflush(stdout);
		return;
	}
}

/* flip [SEED]: at work for 1 to 2 ms and at rest for up to 2 ms, by turns, and now and then for up
 * to 300 ms; the statement's text has its number. When its session was ended it says "ended PID
 * rest N" if no statement was under way, the Nth having been answered, or "ended PID work N" if the
 * Nth was sent and brought no answer; and opens the next session. */
static void play_flip(struct client *client)
{
	unsigned seed = (unsigned)number(client, 1);
	report_ready(client);
	for (;;) {
		flip(open_one(client), &seed);
		PQfinish(client->conns[--client->count]);
	}
}

/* churn [US]: connects and leaves, for ever, with a pause of so many microseconds */
static void play_churn(struct client *client)
{
	report_ready(client);
	for (;;) {
		run(open_one(client), "SELECT 1 AS churn");
		PQfinish(client->conns[--client->count]);
		pause_for_us(number(client, 1000));
	}
}

/* Transactions, each with a little work and a little rest in it, for ever or `n` of them. */
static void transact(const struct client *client, unsigned *seed, int n)
{
	char *conninfo;
	if (asprintf(&conninfo, "%s application_name=c-%d", client->conninfo, (int)getpid()) < 0)
		give_up("memory", NULL);
	PGconn *conn = PQconnectdb(conninfo);
	free(conninfo);
	if (PQstatus(conn) != CONNECTION_OK)
		give_up("connect", conn);
	for (int i = 0; i < n; i++) {
		run(conn, "BEGIN");
		run(conn, "SELECT 1 AS pooled");
		pause_for_us(rand_r(seed) % 60000);
		run(conn, "COMMIT");
		pause_for_us(rand_r(seed) % 30000);
	}
	PQfinish(conn);
}

/* pooled [fork]: transactions over one connection after the other, each called c-PID; with fork,
 * each in a process of its own. */
static void play_pooled(struct client *client)
{
	bool forks = client->arguments[0] != NULL;
	unsigned seed = (unsigned)getpid();
	report_ready(client);
	for (;;) {
		pid_t child = forks ? fork() : 0;
		if (child == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			transact(client, &seed, 1 + rand_r(&seed) % 60);
		}
		if (forks && child == 0)
			_exit(0);
		seed += 7919;
		if (child > 0)
			waitpid(child, NULL, 0);
	}
}

/* shared: a child inherits the connection, and does nothing */
static void play_shared(struct client *client)
{
	play_idle(client);
	pid_t child = fork();
	if (child < 0)
		give_up("fork", NULL);
	if (child > 0)
		return;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;)
		pause();
}

static const struct {
	const char *name;
	void (*play)(struct client *client);
} roles[] = {
	{ "idle", play_idle },
	{ "connect", play_connect },
	{ "transaction", play_transaction },
	{ "aborted", play_aborted },
	{ "active", play_active },
	{ "listen", play_listen },
	{ "lock", play_lock },
	{ "copy", play_copy },
	{ "sql", play_sql },
	{ "send", play_send },
	{ "unsynced", play_unsynced },
	{ "busy", play_busy },
	{ "flip", play_flip },
	{ "churn", play_churn },
	{ "pooled", play_pooled },
	{ "shared", play_shared },
};

int main(int argc, char **argv)
{
	if (argc < 3) {
		fputs("usage: client CONNINFO ROLE [ARGUMENT...]\n", stderr);
		return 2;
	}
	struct client *client = calloc(1, sizeof(*client));
	if (!client)
		give_up("memory", NULL);
	client->conninfo = argv[1];
	client->arguments = argv + 3;
	if (getenv("LIVE_CLIENT_HIDDEN"))
		prctl(PR_SET_DUMPABLE, 0);
	if (getenv("LIVE_CLIENT_STUBBORN"))
		signal(SIGTERM, SIG_IGN);
	for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++) {
		if (strcmp(roles[i].name, argv[2]) != 0)
			continue;
		roles[i].play(client);
		const char *uid = getenv("LIVE_CLIENT_UID");
		if (uid && setuid((uid_t)atoi(uid)) != 0)
			give_up("setuid", NULL);
		report_ready(client);
		for (;;)
			pause();
	}
	fprintf(stderr, "client: no such role: %s\n", argv[2]);
	return 2;
}
