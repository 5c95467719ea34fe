/* One application with a fault in its shutdown: dying CONNINFO BEHAVIOUR
 *
 * It opens two connections, works on them, and does on SIGINT what the behaviour says. Its exit
 * status is 0 unless it dies otherwise. */
#include <libpq-fe.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define CONNECTIONS 2
#define MANY        800 /* below the usual limit of 1,024 */

static volatile sig_atomic_t told;
static const char *conninfo;
static PGconn *conns[CONNECTIONS];

static void on_signal(int number)
{
	told = number;
}

static void catch_it(void)
{
	struct sigaction action = { .sa_handler = on_signal };
	sigaction(SIGINT, &action, NULL);
}

static PGconn *open_one(void)
{
	PGconn *conn = PQconnectdb(conninfo);
	if (PQstatus(conn) != CONNECTION_OK) {
		fprintf(stderr, "dying: %s", PQerrorMessage(conn));
		exit(3);
	}
	return conn;
}

static void open_all(void)
{
	for (int i = 0; i < CONNECTIONS; i++)
		conns[i] = open_one();
}

static void close_all(void)
{
	for (int i = 0; i < CONNECTIONS; i++)
		PQfinish(conns[i]);
}

static void run(PGconn *conn, const char *sql)
{
	PGresult *result = PQexec(conn, sql);
	ExecStatusType status = PQresultStatus(result);
	if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) {
		fprintf(stderr, "dying: %s: %s", sql, PQerrorMessage(conn));
		exit(3);
	}
	PQclear(result);
}

static void work_until_signalled(void)
{
	while (!told) {
		for (int i = 0; i < CONNECTIONS; i++)
			run(conns[i], "SELECT 1");
		usleep(2000);
	}
}

static void nap(int ms)
{
	while (ms > 0) {
		usleep(1000);
		ms--;
	}
}

/* Until it is killed. */
static int stay(void)
{
	while (pause() != 0)
		;
	return 1;
}

static int play_closed(void)
{
	catch_it();
	open_all();
	work_until_signalled();
	nap(20);
	close_all();
	return 0;
}

/* There is time between the closing and the exit. */
static int play_closed_first(void)
{
	play_closed();
	nap(500);
	return 0;
}

/* As shells want it: clean up, then die of the signal after all. */
static int play_closed_raise(void)
{
	play_closed();
	signal(SIGINT, SIG_DFL);
	return raise(SIGINT);
}

/* Statements that nobody waits for any more: the server does not notice. */
static int play_left_sessions(void)
{
	catch_it();
	open_all();
	work_until_signalled();
	PQsendQuery(conns[0], "SELECT pg_sleep(600)");
	PQflush(conns[0]);
	PQfinish(conns[1]);
	nap(20);
	_exit(0);
}

/* Opens a connection at its very end, and leaves a statement in it: the server does not notice. */
static int play_abandoned(void)
{
	conns[0] = open_one();
	PQsendQuery(conns[0], "SELECT pg_sleep(600)");
	PQflush(conns[0]);
	_exit(0);
}

static int play_late(void)
{
	play_closed();
	return play_abandoned();
}

/* The same as left-sessions, but it was running before the signal came. */
static int play_left_busy(void)
{
	catch_it();
	conns[0] = open_one();
	PQsendQuery(conns[0], "SELECT pg_sleep(600)");
	PQflush(conns[0]);
	conns[1] = open_one();
	while (!told)
		usleep(1000);
	PQfinish(conns[1]);
	_exit(0);
}

static int play_child(void)
{
	sigset_t interrupt;
	sigemptyset(&interrupt);
	sigaddset(&interrupt, SIGINT);
	/* until both processes handle it as they should */
	sigprocmask(SIG_BLOCK, &interrupt, NULL);
	open_all();
	bool child = fork() == 0;
	if (child)
		signal(SIGINT, SIG_IGN);
	else
		catch_it();
	sigprocmask(SIG_UNBLOCK, &interrupt, NULL);
	/* it has inherited both connections, and ignores the terminal's signal */
	if (child)
		return stay();
	work_until_signalled();
	close(PQsocket(conns[0]));
	PQfinish(conns[1]);
	_exit(0);
}

/* The child has no connection. */
static int play_child_idle(void)
{
	signal(SIGINT, SIG_IGN);
	if (fork() == 0)
		return stay();
	catch_it();
	open_all();
	work_until_signalled();
	close_all();
	return 0;
}

static int play_never_exited(void)
{
	catch_it();
	open_all();
	work_until_signalled();
	close_all();
	return stay();
}

static int play_hung(void)
{
	catch_it();
	open_all();
	work_until_signalled();
	return stay();
}

static int play_ignored(void)
{
	signal(SIGINT, SIG_IGN);
	open_all();
	work_until_signalled();
	return 0;
}

/* A handler that sets a flag, and a loop that never reads it. */
static int play_worked_on(void)
{
	catch_it();
	open_all();
	while (PQstatus(conns[0]) == CONNECTION_OK) {
		told = 0;
		run(conns[0], "SELECT 1");
		usleep(5000);
	}
	return 1;
}

/* A pool that opens a new connection for each that is closed. */
static int play_reconnected(void)
{
	catch_it();
	open_all();
	work_until_signalled();
	PQfinish(conns[0]);
	conns[0] = open_one();
	run(conns[0], "SELECT 1");
	close_all();
	return 0;
}

/* It opens one more connection at once, the last of many descriptors: a scan that began before the
 * signal could still see it. */
static int play_reconnected_at_once(void)
{
	catch_it();
	for (int i = 0; i < MANY; i++)
		dup(STDERR_FILENO);
	open_all();
	while (!told)
		usleep(500);
	PGconn *more = open_one();
	nap(400);
	PQfinish(more);
	close_all();
	return 0;
}

static int play_died(void)
{
	open_all();
	work_until_signalled();
	return 0;
}

/* A handler that sets the default again and raises, and nothing that closes. */
static int play_died_raise(void)
{
	catch_it();
	open_all();
	work_until_signalled();
	nap(20);
	signal(SIGINT, SIG_DFL);
	return raise(SIGINT);
}

/* It exits with 0 in the middle of a write. The second connection shows that the write has begun.
 */
static int play_lost_write(void)
{
	catch_it();
	conns[0] = open_one();
	run(conns[0], "CREATE TEMPORARY TABLE outbox (id int)");
	run(conns[0], "BEGIN");
	run(conns[0], "INSERT INTO outbox VALUES (1)");
	conns[1] = open_one();
	while (!told)
		usleep(1000);
	_exit(0);
}

static void on_notice(void *data, const char *text)
{
	(void)text;
	*(bool *)data = true;
}

/* Returns when the server executes it: a session that still reads it ignores a cancel request. */
static void begin_long_statement(PGconn *conn)
{
	static bool begun;
	PQsetNoticeProcessor(conn, on_notice, &begun);
	PQsendQuery(conn, "DO $$BEGIN RAISE NOTICE 'begun'; PERFORM pg_sleep(600); END$$");
	PQflush(conn);
	while (!begun) {
		struct pollfd fd = { .fd = PQsocket(conn), .events = POLLIN };
		(void)poll(&fd, 1, -1);
		if (!PQconsumeInput(conn) || !PQisBusy(conn)) {
			fprintf(stderr, "dying: %s", PQerrorMessage(conn));
			exit(3);
		}
	}
}

/* It cancels its running statement, as a good pool does: the request is a connection, but no
 * session. */
static int play_cancelled(void)
{
	char error[256];
	catch_it();
	conns[0] = open_one();
	begin_long_statement(conns[0]);
	conns[1] = open_one();
	while (!told)
		usleep(1000);
	PGcancel *cancel = PQgetCancel(conns[0]);
	PQcancel(cancel, error, sizeof(error));
	PQfreeCancel(cancel);
	close_all();
	return 0;
}

/* A client for one statement. */
static int play_once(void)
{
	conns[0] = open_one();
	run(conns[0], "SELECT 1");
	PQfinish(conns[0]);
	return 0;
}

/* A job that ends by itself, whatever it is sent. A second is enough for some polls. */
static int play_job(void)
{
	signal(SIGINT, SIG_IGN);
	open_all();
	for (int i = 0; i < 60; i++) {
		run(conns[i % CONNECTIONS], "SELECT 1");
		nap(20);
	}
	close_all();
	return 0;
}

/* It gives its connections back, and works on without one. */
static int play_gave_back(void)
{
	open_all();
	nap(500);
	close_all();
	return stay();
}

static int play_short(void)
{
	return 7;
}

static const struct {
	const char *name;
	int (*play)(void);
} behaviours[] = {
	{ "closed", play_closed },
	{ "closed-first", play_closed_first },
	{ "closed-raise", play_closed_raise },
	{ "left-sessions", play_left_sessions },
	{ "left-busy", play_left_busy },
	{ "abandoned", play_abandoned },
	{ "late", play_late },
	{ "child", play_child },
	{ "child-idle", play_child_idle },
	{ "never-exited", play_never_exited },
	{ "hung", play_hung },
	{ "ignored", play_ignored },
	{ "worked-on", play_worked_on },
	{ "reconnected", play_reconnected },
	{ "reconnected-at-once", play_reconnected_at_once },
	{ "died", play_died },
	{ "died-raise", play_died_raise },
	{ "lost-write", play_lost_write },
	{ "cancelled", play_cancelled },
	{ "once", play_once },
	{ "job", play_job },
	{ "gave-back", play_gave_back },
	{ "short", play_short },
};

int main(int argc, char **argv)
{
	if (argc != 3) {
		fputs("usage: dying CONNINFO BEHAVIOUR\n", stderr);
		return 2;
	}
	conninfo = argv[1];
	for (size_t i = 0; i < sizeof(behaviours) / sizeof(behaviours[0]); i++)
		if (strcmp(behaviours[i].name, argv[2]) == 0)
			return behaviours[i].play();
	fprintf(stderr, "dying: no such behaviour: %s\n", argv[2]);
	return 2;
}
