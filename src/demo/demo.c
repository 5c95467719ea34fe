/* Starts the private server, creates the schema and starts the application. */
#include "demo/demo.h"

#include <errno.h>
#include <libpq-fe.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "demo/demo_app.h"

#define READY_TIMEOUT_MS 10000

static const char schema[] = "CREATE ROLE shop LOGIN; CREATE DATABASE shop OWNER shop;";
static const char tables[] =
	"CREATE TABLE product AS SELECT id, 'product ' || id AS name, id * 9.95 AS price,"
	" 1000 AS stock FROM generate_series(1, 10) id;"
	"CREATE TABLE orders AS SELECT id, 'open' AS state, current_date AS day"
	" FROM generate_series(1, 100) id;";

struct demo {
	struct private_server *server;
	char *conninfo, *app_conninfo, *pages;
	pid_t processes[DEMO_ROLES];
};

void demo_drop_libpq_variables(void)
{
	extern char **environ;
	for (char **variable = environ; *variable;) {
		if (strncmp(*variable, "PG", 2) != 0) {
			variable++;
			continue;
		}
		CLEANUP(cleanup_free)
		char *name = mem_printf("%.*s", (int)strcspn(*variable, "="), *variable);
		unsetenv(name);
		variable = environ;
	}
}

static int run_sql(const char *conninfo, const char *sql, char *error)
{
	PGconn *conn = PQconnectdb(conninfo);
	int r = 0;
	/* one statement at a time, because CREATE DATABASE cannot run in a transaction */
	char *text = mem_strdup(sql);
	for (char *rest = text, *statement; r == 0 && (statement = strsep(&rest, ";"));) {
		PGresult *result = *statement ? PQexec(conn, statement) : NULL;
		if (result && PQresultStatus(result) != PGRES_COMMAND_OK) {
			snprintf(error, PRIVATE_SERVER_ERROR_MAX, "%.*s",
				(int)strcspn(PQerrorMessage(conn), "\n"), PQerrorMessage(conn));
			r = -EIO;
		}
		PQclear(result);
	}
	free(text);
	PQfinish(conn);
	return r;
}

static int start_role(struct demo *demo, enum demo_role role)
{
	int ready;
	pid_t pid = demo_app_start(role, demo->app_conninfo, demo->pages, &ready);
	if (pid < 0)
		return pid;
	demo->processes[role] = pid;
	private_server_guard(demo->server, pid);
	struct pollfd pollfd = { .fd = ready, .events = POLLIN };
	char byte;
	bool came = poll(&pollfd, 1, READY_TIMEOUT_MS) == 1 && read(ready, &byte, 1) == 1;
	close(ready);
	return came ? 0 : -EIO;
}

static int start_application(struct demo *demo, char *error)
{
	for (int role = 0; role < DEMO_ROLES; role++) {
		int r = start_role(demo, (enum demo_role)role);
		if (r < 0) {
			snprintf(error, PRIVATE_SERVER_ERROR_MAX,
				"the demo's application did not start");
			return r;
		}
	}
	return 0;
}

static int set_up(struct demo *demo, char *error)
{
	const struct private_server_options options = { .tcp = false };
	demo_drop_libpq_variables();
	int r = private_server_start(&options, &demo->server, error);
	if (r < 0)
		return r;
	const char *folder = private_server_folder(demo->server);
	const char *passfile = private_server_passfile(demo->server);
	int port = private_server_port(demo->server);
	/* beside the password file: in our folder, and not in the server's */
	demo->pages = mem_printf("%.*s/pages", (int)(strrchr(passfile, '/') - passfile), passfile);
	demo->conninfo = mem_printf(
		"host=%s port=%d user=postgres dbname=shop passfile=%s", folder, port, passfile);
	demo->app_conninfo = mem_printf(
		"host=%s port=%d user=shop dbname=shop passfile=%s", folder, port, passfile);
	r = run_sql(private_server_conninfo(demo->server), schema, error);
	if (r == 0)
		r = run_sql(
			private_server_conninfo(demo->server), private_server_admission(), error);
	if (r == 0)
		r = run_sql(demo->app_conninfo, tables, error);
	return r < 0 ? r : start_application(demo, error);
}

int demo_start(struct demo **ret_demo, char error[static PRIVATE_SERVER_ERROR_MAX])
{
	struct demo *demo = mem_alloc(sizeof(*demo));
	error[0] = '\0';
	int r = set_up(demo, error);
	if (r < 0)
		demo_stop(demo);
	else
		*ret_demo = demo;
	return r;
}

void demo_stop(struct demo *demo)
{
	if (!demo)
		return;
	for (int role = 0; role < DEMO_ROLES; role++) {
		if (demo->processes[role] <= 0)
			continue;
		kill(demo->processes[role], SIGKILL);
		while (waitpid(demo->processes[role], NULL, 0) < 0 && errno == EINTR)
			;
	}
	private_server_stop(demo->server);
	free(demo->conninfo);
	free(demo->app_conninfo);
	free(demo->pages);
	free(demo);
}

const char *demo_pages(const struct demo *demo)
{
	return demo->pages;
}

const char *demo_conninfo(const struct demo *demo)
{
	return demo->conninfo;
}
