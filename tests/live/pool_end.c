/* Roles that end in every way in which a process can. */
#include "pool_client.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static void start(void)
{
	struct dbpool_config config = role_config();
	role_start(&config);
}

static int idle(const char *argument)
{
	(void)argument;
	start();
	{
		DBPOOL_SCOPED(lease, NULL);
		CHECK(lease.result == DBPOOL_OK);
	}
	role_say("ready");
	role_pause();
}

/* The signal arrives while the statement runs; the statement is cancelled, and its thread gets the
 * result. */
static int query(const char *argument)
{
	(void)argument;
	start();
	DBPOOL_SCOPED(lease, NULL);
	CHECK(lease.result == DBPOOL_OK);
	role_say("ready");
	PQclear(PQexec(dbpool_conn(&lease), "SELECT pg_sleep(600)"));
	role_pause();
}

static int transaction(const char *argument)
{
	(void)argument;
	start();
	DBPOOL_SCOPED(lease, NULL);
	CHECK(lease.result == DBPOOL_OK);
	role_exec(dbpool_conn(&lease), "BEGIN; SELECT txid_current()");
	role_say("ready");
	role_pause();
}

static void *wait_in_line(void *data)
{
	struct dbpool_lease lease;
	(void)data;
	CHECK(dbpool_acquire_at(NULL, &lease, DBPOOL_OFF, DBPOOL_HERE) == DBPOOL_SHUTTING_DOWN);
	CHECK(!dbpool_conn(&lease));
	return NULL;
}

static bool twenty_wait(void *data)
{
	(void)data;
	return role_stats().waiters == 20;
}

static int waiters(const char *argument)
{
	struct dbpool_lease leases[3];
	pthread_t thread;
	(void)argument;
	start();
	for (int i = 0; i < 3; i++)
		CHECK(dbpool_acquire(NULL, &leases[i]) == DBPOOL_OK);
	for (int i = 0; i < 20; i++) {
		CHECK(pthread_create(&thread, NULL, wait_in_line, NULL) == 0);
		pthread_detach(thread);
	}
	role_wait(twenty_wait, NULL);
	role_say("ready");
	role_pause();
}

/* The signal may arrive before, during and after the start. */
static int starting(const char *argument)
{
	struct dbpool_config config = role_config();
	(void)argument;
	config.min = 3;
	role_say("ready");
	int result = dbpool_start(&config);
	CHECK(result == DBPOOL_OK || result == DBPOOL_SHUTTING_DOWN);
	role_pause();
}

static int hang(void *data)
{
	(void)data;
	role_say("hanging");
	sleep(600);
	return 0;
}

static int twice(const char *argument)
{
	const struct dbpool_hook hook = {
		.name = "hang", .phase = DBPOOL_HOOK_FLUSH, .deadline_ms = 600000, .run = hang
	};
	struct dbpool_config config = role_config();
	(void)argument;
	config.shutdown_ms = 600000;
	role_start(&config);
	CHECK(dbpool_hook_add(NULL, &hook) == DBPOOL_OK);
	role_say("ready");
	role_pause();
}

/* Holds a connection on which a statement was run. */
static void borrow_for_good(void)
{
	static struct dbpool_lease lease;
	start();
	CHECK(dbpool_acquire(NULL, &lease) == DBPOOL_OK);
	role_exec(dbpool_conn(&lease), "BEGIN");
}

static int returns(const char *argument)
{
	(void)argument;
	borrow_for_good();
	return 5;
}

static int exits(const char *argument)
{
	(void)argument;
	borrow_for_good();
	exit(6);
}

static int leaves(const char *argument)
{
	(void)argument;
	borrow_for_good();
	_exit(7);
}

/* Leaves a query running, so that the server itself must detect the lost client. */
static void send_endless(PGconn *conn)
{
	CHECK(PQsendQuery(conn, "SELECT pg_sleep(600)"));
}

static int aborts(const char *argument)
{
	struct dbpool_lease lease;
	(void)argument;
	start();
	CHECK(dbpool_acquire(NULL, &lease) == DBPOOL_OK);
	send_endless(dbpool_conn(&lease));
	role_say("ready");
	abort();
}

static int is_killed(const char *argument)
{
	struct dbpool_lease lease;
	(void)argument;
	start();
	CHECK(dbpool_acquire(NULL, &lease) == DBPOOL_OK);
	send_endless(dbpool_conn(&lease));
	role_say("ready");
	role_pause();
}

static volatile sig_atomic_t reported;

static void on_signal(int signal_number)
{
	reported = signal_number;
}

/* An application with its own handler decides when and how it ends. */
static int own_handler(const char *argument)
{
	struct sigaction action = { .sa_handler = on_signal };
	(void)argument;
	sigaction(SIGTERM, &action, NULL);
	start();
	role_say("ready");
	while (!reported)
		usleep(1000);
	CHECK(reported == SIGTERM);
	CHECK(dbpool_shutdown(NULL) == DBPOOL_OK);
	CHECK(role_stats().phase == DBPOOL_DONE);
	CHECK(role_sessions() == 0);
	/* the pool's handler was removed with the pool: only the application's is left */
	usleep(100 * 1000);
	reported = 0;
	raise(SIGTERM);
	CHECK(reported == SIGTERM);
	return 8;
}

/* An ignored signal stays ignored, as under nohup. */
static int ignored(const char *argument)
{
	(void)argument;
	signal(SIGINT, SIG_IGN);
	start();
	role_say("ready");
	raise(SIGINT);
	usleep(50 * 1000);
	CHECK(role_stats().phase == DBPOOL_RUNNING);
	return 9;
}

#define BATCH 10 /* children at the same time: they mostly wait */

/* The state of a role's session on the server when the role is ready. */
static const struct {
	const char *role, *where;
} conditions[] = {
	{ "query", "state = 'active' AND query LIKE 'SELECT pg_sleep%'" },
	{ "killed", "state = 'active' AND query LIKE 'SELECT pg_sleep%'" },
	{ "transaction", "state = 'idle in transaction'" },
};

struct child {
	pid_t pid;
	int out;
};

static struct child bear(const struct role *role)
{
	int fds[2];
	CHECK(pipe(fds) == 0);
	struct child child = { .pid = fork(), .out = fds[0] };
	CHECK(child.pid >= 0);
	if (child.pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(fds[1], STDOUT_FILENO);
		close(fds[0]);
		close(fds[1]);
		exit(role->run(""));
	}
	close(fds[1]);
	return child;
}

/* Waits for one line of the child's output. */
static void hear(const struct child *child, const char *word)
{
	char line[16] = "";
	for (size_t i = 0; i < sizeof(line) - 1; i++)
		if (read(child->out, &line[i], 1) != 1 || line[i] == '\n')
			break;
	CHECK(strncmp(line, word, strlen(word)) == 0);
}

struct condition {
	const char *where;
	int count;
};

/* Called often, so it uses one connection, which the children leave alone. */
static bool holds(void *data)
{
	static PGconn *conn;
	const struct condition *condition = data;
	char sql[300];
	if (!conn)
		conn = role_connect();
	snprintf(sql, sizeof(sql),
		"SELECT count(*) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND %s",
		condition->where);
	return role_number(conn, sql) == condition->count;
}

static void await(const char *role, const struct child *children, int n)
{
	for (int i = 0; i < n; i++)
		hear(&children[i], "ready");
	for (size_t i = 0; i < sizeof(conditions) / sizeof(conditions[0]); i++)
		if (strcmp(conditions[i].role, role) == 0)
			role_wait(holds, &(struct condition){ conditions[i].where, n });
}

static void end_batch(const char *name, int signal_number, int second, int expected, int n)
{
	struct child children[BATCH];
	for (int i = 0; i < n; i++)
		children[i] = bear(role_find(name));
	if (signal_number)
		await(name, children, n);
	for (int i = 0; i < n && signal_number; i++)
		kill(children[i].pid, signal_number);
	for (int i = 0; i < n; i++) {
		int status;
		if (second) {
			hear(&children[i], "hanging");
			kill(children[i].pid, second);
		}
		CHECK(waitpid(children[i].pid, &status, 0) == children[i].pid);
		status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
		if (status != expected)
			fprintf(stderr, "%s: status %d\n", name, status);
		CHECK(status == expected);
		close(children[i].out);
	}
}

/* "ROLE SIGNAL SECOND-SIGNAL STATUS COUNT": starts COUNT children, waits until they are in the
 * role's state, signals them and checks their status. Then it counts the sessions: where the pool
 * promises it, all must have ended at once. */
static int batch(const char *argument)
{
	char name[32];
	int signal_number, second, expected, left, promised;
	CHECK(sscanf(argument, "%31s %d %d %d %d %d", name, &signal_number, &second, &expected,
		      &promised, &left) == 6);
	for (; left > 0; left -= BATCH) {
		struct condition none = { "application_name LIKE 'pooled/%'", 0 };
		end_batch(name, signal_number, second, expected, left < BATCH ? left : BATCH);
		if (promised)
			CHECK(holds(&none));
		else
			role_wait(holds, &none);
	}
	return 0;
}

const struct role roles_end[] = {
	{ "batch", batch },
	{ "idle", idle },
	{ "query", query },
	{ "transaction", transaction },
	{ "waiters", waiters },
	{ "starting", starting },
	{ "twice", twice },
	{ "returns", returns },
	{ "exits", exits },
	{ "leaves", leaves },
	{ "aborts", aborts },
	{ "killed", is_killed },
	{ "own-handler", own_handler },
	{ "ignored", ignored },
	{ NULL, NULL },
};
