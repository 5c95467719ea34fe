/* The roles are in a table. An environment variable passes the role to the new process, so that its
 * command line looks like an application's. */
#include "demo/demo_app.h"

#include <errno.h>
#include <fcntl.h>
#include <libpq-fe.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#define ROLE_VARIABLE     "DBTOP_DEMO_ROLE"
#define CONNINFO_VARIABLE "DBTOP_DEMO_CONNINFO"
#define PAGES_VARIABLE    "DBTOP_DEMO_PAGES"
#define READY_FD          3
#define MOST_CONNECTIONS  3
#define IMPORTER_LIVES_MS 1500

struct connections {
	PGconn *conns[MOST_CONNECTIONS];
	int count;
};

static bool run(PGconn *conn, const char *sql)
{
	PGresult *result = PQexec(conn, sql);
	ExecStatusType status = PQresultStatus(result);
	PQclear(result);
	return status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;
}

static void report_ready(void)
{
	ssize_t written = write(READY_FD, "r", 1);
	(void)written;
	close(READY_FD);
}

/* Uses one connection after the other, so that none is idle for long. */
static int play_storefront(struct connections *pool)
{
	static const char *const statements[] = {
		"SELECT id, name, price FROM product ORDER BY id LIMIT 20",
		"UPDATE product SET stock = stock - 1 WHERE id = 1 + (random() * 9)::int",
		"SELECT sum(stock) FROM product",
	};
	report_ready();
	for (unsigned turn = 0;; turn++) {
		PGconn *conn = pool->conns[turn % MOST_CONNECTIONS];
		if (!run(conn, statements[turn / MOST_CONNECTIONS % 3]))
			return 1;
		usleep(150 * 1000);
	}
}

static int play_report_worker(struct connections *pool)
{
	for (int i = 0; i < pool->count; i++)
		if (!run(pool->conns[i], "SELECT count(*) FROM orders WHERE day = current_date"))
			return 1;
	report_ready();
	/* keeps its connections and never uses them again */
	for (;;)
		pause();
}

static int play_checkout(struct connections *pool)
{
	static const char *const statements[] = {
		"UPDATE orders SET state = 'paid' WHERE id = 1",
		"UPDATE orders SET state = 'paid' WHERE id = 2",
	};
	for (int i = 0; i < pool->count; i++)
		if (!run(pool->conns[i], "BEGIN") || !run(pool->conns[i], statements[i]))
			return 1;
	report_ready();
	for (;;)
		pause();
}

static int play_importer(struct connections *pool)
{
	if (!PQsendQuery(pool->conns[0], "SELECT pg_sleep(3600) /* import of orders.csv */"))
		return 1;
	PQflush(pool->conns[0]);
	report_ready();
	/* lives long enough to be seen, then dies as if killed by the out-of-memory killer */
	usleep(IMPORTER_LIVES_MS * 1000);
	return raise(SIGKILL);
}

static const struct role {
	const char *name;
	const char *arguments[4];
	int connections;
	int (*play)(struct connections *pool); /* NULL: on libdbpool */
} roles[] = {
	[DEMO_STOREFRONT] = { "storefront", { "storefront", "--workers", "3" }, 3,
		play_storefront },
	[DEMO_REPORT_WORKER] = { "report-worker", { "report-worker", "--daily" }, 3,
		play_report_worker },
	[DEMO_BASKET] = { "basket", { "basket", "--listen", "8080" }, 0, NULL },
	[DEMO_CHECKOUT] = { "checkout", { "checkout" }, 2, play_checkout },
	[DEMO_IMPORTER] = { "importer", { "importer", "orders.csv" }, 1, play_importer },
};

bool demo_app_requested(void)
{
	return getenv(ROLE_VARIABLE) != NULL;
}

static bool connect_all(struct connections *pool, const struct role *role)
{
	const char *const keywords[] = { "dbname", "application_name", NULL };
	const char *const values[] = { getenv(CONNINFO_VARIABLE), role->name, NULL };
	for (; pool->count < role->connections; pool->count++) {
		pool->conns[pool->count] = PQconnectdbParams(keywords, values, 1);
		if (PQstatus(pool->conns[pool->count]) != CONNECTION_OK)
			return false;
	}
	return true;
}

int demo_app_main(demo_pool_fn *play_pool)
{
	struct connections pool = { .count = 0 };
	int role = atoi(getenv(ROLE_VARIABLE));
	if (role < 0 || role >= DEMO_ROLES)
		return 2;
	prctl(PR_SET_NAME, roles[role].name);
	if (!roles[role].play)
		return play_pool(getenv(CONNINFO_VARIABLE), getenv(PAGES_VARIABLE), report_ready);
	if (!connect_all(&pool, &roles[role]))
		return 1;
	int status = roles[role].play(&pool);
	for (int i = 0; i < pool.count; i++)
		PQfinish(pool.conns[i]);
	return status;
}

/* Runs in the child and never returns. Executes the file of the running program, even if the file
 * was replaced since. */
__attribute__((noreturn)) static void become(
	enum demo_role role, const char *conninfo, const char *pages, int ready, pid_t parent)
{
	char number[16];
	snprintf(number, sizeof(number), "%d", (int)role);
	setenv(ROLE_VARIABLE, number, 1);
	setenv(CONNINFO_VARIABLE, conninfo, 1);
	setenv(PAGES_VARIABLE, pages, 1);
	/* Ctrl+C must reach dbtop only, but the end of dbtop must end these processes, too */
	setsid();
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	int null = open("/dev/null", O_RDWR);
	dup2(ready, READY_FD);
	for (int fd = 0; fd < READY_FD; fd++)
		dup2(null, fd);
	close_range(READY_FD + 1, ~0U, 0);
	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execv("/proc/self/exe", (char *const *)roles[role].arguments);
	_exit(127);
}

pid_t demo_app_start(enum demo_role role, const char *conninfo, const char *pages, int *ret_ready)
{
	int ready[2];
	pid_t parent = getpid();
	if (pipe2(ready, O_CLOEXEC) < 0)
		return -errno;
	pid_t child = fork();
	if (child == 0)
		become(role, conninfo, pages, ready[1], parent);
	int r = child < 0 ? -errno : child;
	close(ready[1]);
	if (r < 0)
		close(ready[0]);
	else
		*ret_ready = ready[0];
	return r;
}
