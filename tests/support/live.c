/* Time, folders, the server, and what is asked of it. */
#include "live.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/instant.h"
#include "base/mem.h"
#include "demo/demo.h"
#include "demo/guardian.h"
#include "demo/private_server.h"
#include "sweeper.h"

/* A wait is for a condition, and no bound of one is the program's: on a busy machine, and under
 * AddressSanitizer or valgrind, all of them are longer. By six: live-fleet takes 29 s in
 * tools/test, and took 185 s where eighty processes waited for two processors. */
#define SLOW_FACTOR 6
#define PAUSE_US    10000

#define GONE_MS 30000

static int rounds_percent(void)
{
	const char *text = getenv("DBTOP_TEST_ROUNDS");
	int percent = text ? atoi(text) : 100;
	return percent > 0 ? percent : 100;
}

int live_rounds(int n)
{
	int rounds = (int)((long)n * rounds_percent() / 100);
	return rounds > 0 ? rounds : 1;
}

/* cmocka keeps the pointer to the filter. */
__attribute__((constructor)) static void read_environment(void)
{
	demo_drop_libpq_variables();
	cmocka_set_test_filter(getenv("DBTOP_TEST_FILTER"));
}

int live_patience(int ms)
{
	return ms * SLOW_FACTOR;
}

bool live_wait(bool (*holds)(void *data), void *data, int ms)
{
	int64_t deadline = instant_monotonic() + live_patience(ms) * USEC_PER_MSEC;
	while (!holds(data)) {
		if (instant_monotonic() > deadline)
			return false;
		usleep(PAUSE_US);
	}
	return true;
}

/* root's own, and in it one of nobody's: no user writes where another one does. */
static struct {
	char path[64], nobody[80];
	struct cleaner guardian;
	struct cleaner sweeper;
} folder;

static void remove_folder(void)
{
	/* the sweeper first: what it ends may still write there */
	cleaner_finish(&folder.sweeper);
	cleaner_finish(&folder.guardian);
}

/* Only root starts programs as nobody. */
static void make_folders(void)
{
	const struct passwd *nobody = getuid() == 0 ? getpwnam("nobody") : NULL;
	uid_t uid = nobody ? nobody->pw_uid : getuid();
	gid_t gid = nobody ? nobody->pw_gid : getgid();
	strcpy(folder.path, "/tmp/dbtop-live-XXXXXX");
	if (!mkdtemp(folder.path) || chmod(folder.path, 0711) != 0 ||
		guardian_start(folder.path, uid, gid, &folder.guardian) < 0 ||
		sweeper_start(folder.path, &folder.sweeper) < 0)
		fail_msg("%s: %s", folder.path, strerror(errno));
	atexit(remove_folder);
	snprintf(folder.nobody, sizeof(folder.nobody), "%s/nobody", folder.path);
	if (nobody && (mkdir(folder.nobody, 0700) != 0 || chown(folder.nobody, uid, gid) != 0))
		fail_msg("%s: %s", folder.nobody, strerror(errno));
}

const char *live_folder(void)
{
	if (!folder.path[0])
		make_folders();
	return folder.path;
}

const char *live_nobodys_folder(void)
{
	return getuid() == 0 && live_folder() ? folder.nobody : live_folder();
}

char *live_file(const char *in, const char *name, const char *text)
{
	char *path = mem_printf("%s/%s", in, name);
	FILE *file = fopen(path, "we");
	if (!file || fputs(text, file) < 0 || fclose(file) != 0)
		fail_msg("%s: %s", path, strerror(errno));
	return path;
}

char *live_read(const char *path)
{
	CLEANUP(cleanup_file) FILE *file = fopen(path, "re");
	char *text = NULL;
	size_t size = 0;
	if (!file)
		return NULL;
	/* no file that is read here has a zero byte */
	if (getdelim(&text, &size, '\0', file) < 0) {
		free(text);
		return mem_strdup("");
	}
	return text;
}

void live_manual_example(const char *manual, const char *first_line, const char *name)
{
	CLEANUP(cleanup_free) char *text = live_read(manual);
	CLEANUP(cleanup_free) char *start = mem_printf("\n%s\n", first_line);
	char *begin = text ? strstr(text, start) : NULL,
	     *end = begin ? strstr(begin, "\n.fi") : NULL;
	if (!end)
		fail_msg("%s has no program that begins with %s", manual, first_line);
	end[1] = '\0';
	char *to = begin;
	for (const char *from = begin; *from; from++) {
		bool escaped = from[0] == '\\' && (from[1] == 'e' || from[1] == '-');
		*to++ = !escaped ? *from : from[1] == 'e' ? '\\' : '-';
		from += escaped;
	}
	*to = '\0';
	free(live_file(live_folder(), name, begin));
}

int live_free_port(void)
{
	int port = private_server_free_port();
	if (port < 0)
		fail_msg("no free port: %s", strerror(-port));
	return port;
}

/* One password for all servers of a test: by the port of a proxy in between none can be found. */
static char password[PRIVATE_SERVER_PASSWORD_MAX];

/* Role "secret" has a password of its own, which the tests type. */
static void write_passfile(const char *name, uid_t uid)
{
	CLEANUP(cleanup_free) char *path = mem_printf("%s/%s", live_folder(), name);
	CLEANUP(cleanup_fd) int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 || dprintf(fd, "*:*:*:secret:\n*:*:*:*:%s\n", password) < 0 ||
		fchown(fd, uid, (gid_t)-1) != 0)
		fail_msg("%s: %s", path, strerror(errno));
}

/* For libpq, here and in the programs that are started. */
static void learn_password(const struct private_server *server)
{
	snprintf(password, sizeof(password), "%s", private_server_password(server));
	write_passfile("pgpass", getuid());
	CLEANUP(cleanup_free) char *path = live_passfile(false);
	setenv("PGPASSFILE", path, 1);
	const struct passwd *nobody = getuid() == 0 ? getpwnam("nobody") : NULL;
	if (nobody)
		write_passfile("pgpass-nobody", nobody->pw_uid);
}

char *live_passfile(bool unprivileged)
{
	return mem_printf(
		"%s/pgpass%s", live_folder(), unprivileged && getuid() == 0 ? "-nobody" : "");
}

const char *live_password(void)
{
	return password;
}

static struct private_server *start_server(const char *const *settings, bool wide)
{
	const struct private_server_options options = { .tcp = true,
		.wide = wide,
		.password = *password ? password : NULL,
		.settings = settings };
	char error[PRIVATE_SERVER_ERROR_MAX];
	struct private_server *server;
	if (private_server_start(&options, &server, error) < 0)
		fail_msg("no private server: %s", error);
	if (!*password)
		learn_password(server);
	return server;
}

struct private_server *live_server_start(const char *const *settings)
{
	return start_server(settings, false);
}

struct private_server *live_wide_server_start(const char *const *settings)
{
	return start_server(settings, true);
}

char *live_conninfo(const struct private_server *server, enum live_route route, const char *more)
{
	const char *const hosts[] = {
		[LIVE_UNIX] = private_server_folder(server),
		[LIVE_TCP4] = "127.0.0.1",
		[LIVE_TCP6] = "::1",
	};
	return mem_printf("host=%s port=%d user=postgres dbname=postgres %s", hosts[route],
		private_server_port(server), more ? more : "");
}

PGconn *live_connect(const char *conninfo)
{
	PGconn *conn = PQconnectdb(conninfo);
	if (PQstatus(conn) != CONNECTION_OK)
		fail_msg("%s: %s", conninfo, PQerrorMessage(conn));
	return conn;
}

static bool has_no_process(void *data)
{
	const pid_t *pid = data;
	return kill(*pid, 0) != 0 && errno == ESRCH;
}

void live_disconnect(PGconn *conn)
{
	pid_t backend = PQbackendPID(conn);
	PQfinish(conn);
	if (backend > 0 && !live_wait(has_no_process, &backend, GONE_MS))
		fail_msg("the session of backend %d does not end", backend);
}

void live_exec(PGconn *conn, const char *sql)
{
	PGresult *result = PQexec(conn, sql);
	ExecStatusType status = PQresultStatus(result);
	PQclear(result);
	if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
		fail_msg("%s: %s", sql, PQerrorMessage(conn));
}

void live_sql(const struct private_server *server, const char *sql)
{
	PGconn *conn = live_connect(private_server_conninfo(server));
	live_exec(conn, sql);
	live_exec(conn, private_server_admission());
	live_disconnect(conn);
}

char *live_value(PGconn *conn, const char *sql)
{
	PGresult *result = PQexec(conn, sql);
	if (PQresultStatus(result) != PGRES_TUPLES_OK)
		fail_msg("%s: %s", sql, PQerrorMessage(conn));
	char *value = PQntuples(result) > 0 && !PQgetisnull(result, 0, 0)
		? mem_strdup(PQgetvalue(result, 0, 0))
		: NULL;
	PQclear(result);
	return value;
}

long live_number(PGconn *conn, const char *sql)
{
	CLEANUP(cleanup_free) char *value = live_value(conn, sql);
	return value ? strtol(value, NULL, 10) : 0;
}

struct awaited {
	PGconn *conn;
	char *sql;
	long wanted, seen;
};

static struct awaited begin_counting(const struct private_server *server, const char *where)
{
	return (struct awaited){
		.conn = live_connect(private_server_conninfo(server)),
		.sql = mem_printf("SELECT count(*) FROM pg_stat_activity WHERE"
				  " backend_type = 'client backend' AND pid <> pg_backend_pid()"
				  " AND (%s)",
			where ? where : "true"),
	};
}

static void end_counting(struct awaited *awaited)
{
	live_disconnect(awaited->conn);
	free(awaited->sql);
}

long live_sessions(const struct private_server *server, const char *where)
{
	struct awaited counting = begin_counting(server, where);
	long count = live_number(counting.conn, counting.sql);
	end_counting(&counting);
	return count;
}

static bool has_as_many(void *data)
{
	struct awaited *awaited = data;
	awaited->seen = live_number(awaited->conn, awaited->sql);
	return awaited->seen == awaited->wanted;
}

void live_wait_sessions(const struct private_server *server, const char *where, long count, int ms)
{
	struct awaited awaited = begin_counting(server, where);
	awaited.wanted = count;
	bool came = live_wait(has_as_many, &awaited, ms);
	end_counting(&awaited);
	if (!came)
		fail_msg("%ld sessions instead of %ld: %s", awaited.seen, count,
			where ? where : "all");
}

void live_wait_dbtops_gone(const struct private_server *server)
{
	live_wait_sessions(server, "application_name LIKE 'dbtop%'", 0, GONE_MS);
}
