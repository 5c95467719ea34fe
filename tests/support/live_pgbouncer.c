/* A PgBouncer of our own, in the foreground, in a folder of its own. */
#include "live.h"

#include <errno.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/mem.h"

#define UP_MS  20000
#define END_MS 10000

struct live_pgbouncer {
	char *folder; /* socket and configuration */
	int port;
	char *settings; /* the path */
	struct live_program *program;
	struct live_pgbouncer *next;
};

/* Those that are not stopped yet. */
static struct live_pgbouncer *pgbouncers;

/* Gives the files to the user who runs it; the folder last, because root may not write into another
 * user's. */
static void give_away(const char *path)
{
	const struct passwd *nobody = getuid() == 0 ? getpwnam("nobody") : NULL;
	if (nobody && chown(path, nobody->pw_uid, nobody->pw_gid) != 0)
		fail_msg("%s: %s", path, strerror(errno));
}

static char *write_settings(const struct live_pgbouncer *pgbouncer,
	const struct private_server *server, const char *const *settings)
{
	const char *password = live_password();
	CLEANUP(cleanup_free)
	char *list = mem_printf("\"postgres\" \"%s\"\n\"app\" \"%s\"\n\"admin\" \"%s\"\n"
				"\"stats\" \"%s\"\n",
		password, password, password, password);
	CLEANUP(cleanup_free) char *users = live_file(pgbouncer->folder, "users", list);
	const char *server_folder = private_server_folder(server);
	int server_port = private_server_port(server);
	char *text = mem_printf("[databases]\n"
				"tcp = host=127.0.0.1 port=%d dbname=postgres\n"
				"* = host=%s port=%d\n"
				"[pgbouncer]\n"
				"listen_addr = 127.0.0.1,::1\n"
				"listen_port = %d\n"
				"unix_socket_dir = %s\n"
				"auth_type = scram-sha-256\n"
				"auth_file = %s\n"
				"admin_users = admin\n"
				"stats_users = stats\n",
		server_port, server_folder, server_port, pgbouncer->port, pgbouncer->folder, users);
	for (size_t i = 0; settings && settings[i]; i++) {
		char *longer = mem_printf("%s%s\n", text, settings[i]);
		free(text);
		text = longer;
	}
	char *path = live_file(pgbouncer->folder, "pgbouncer.ini", text);
	free(text);
	give_away(users);
	give_away(path);
	give_away(pgbouncer->folder);
	return path;
}

static bool answers(void *data)
{
	struct live_pgbouncer *pgbouncer = data;
	if (!live_running(pgbouncer->program))
		return true;
	CLEANUP(cleanup_free)
	char *conninfo =
		live_pgbouncer_conninfo(pgbouncer, LIVE_UNIX, "user=stats dbname=pgbouncer");
	return PQping(conninfo) == PQPING_OK;
}

/* Debian has it where only root's PATH leads. */
static const char *find_program(void)
{
	return access("/usr/sbin/pgbouncer", X_OK) == 0 ? "/usr/sbin/pgbouncer" : "pgbouncer";
}

static void launch(struct live_pgbouncer *pgbouncer, const char *settings)
{
	const struct live_program_options options = {
		.argv = (const char *const[]){ find_program(), settings, NULL },
		.folder = pgbouncer->folder,
		.own_session = true,
		/* it refuses to run as root */
		.unprivileged = true,
	};
	pgbouncer->program = live_start(&options);
	if (!live_wait(answers, pgbouncer, UP_MS) || !live_running(pgbouncer->program))
		fail_msg("pgbouncer does not come up: %s", live_err(pgbouncer->program));
}

static struct live_pgbouncer *start_at(
	int port, const struct private_server *server, const char *const *settings)
{
	struct stat st;
	if (stat(private_server_folder(server), &st) != 0 || (getuid() == 0 && !(st.st_mode & 1)))
		fail_msg("PgBouncer is another user: start the server with "
			 "live_wide_server_start()");
	struct live_pgbouncer *pgbouncer = mem_alloc(sizeof(*pgbouncer));
	pgbouncer->folder = mem_printf("%s/bouncer-XXXXXX", live_folder());
	if (!mkdtemp(pgbouncer->folder))
		fail_msg("%s: %s", pgbouncer->folder, strerror(errno));
	pgbouncer->port = port;
	pgbouncer->settings = write_settings(pgbouncer, server, settings);
	launch(pgbouncer, pgbouncer->settings);
	pgbouncer->next = pgbouncers;
	pgbouncers = pgbouncer;
	return pgbouncer;
}

struct live_pgbouncer *live_pgbouncer_start(
	const struct private_server *server, const char *const *settings)
{
	return start_at(live_free_port(), server, settings);
}

struct live_pgbouncer *live_pgbouncer_twin(
	const struct live_pgbouncer *first, const struct private_server *server)
{
	static const char *const settings[] = { "so_reuseport = 1", NULL };
	return start_at(first->port, server, settings);
}

void live_pgbouncer_kill(struct live_pgbouncer *pgbouncer)
{
	live_free(pgbouncer->program);
	pgbouncer->program = NULL;
}

void live_pgbouncer_restart(struct live_pgbouncer *pgbouncer)
{
	live_pgbouncer_kill(pgbouncer);
	launch(pgbouncer, pgbouncer->settings);
}

void live_pgbouncer_stop(struct live_pgbouncer *pgbouncer)
{
	struct live_pgbouncer **at = &pgbouncers;
	if (!pgbouncer)
		return;
	while (*at != pgbouncer)
		at = &(*at)->next;
	*at = pgbouncer->next;
	live_free(pgbouncer->program);
	free(pgbouncer->settings);
	free(pgbouncer->folder);
	free(pgbouncer);
}

void live_pgbouncers_stop(void)
{
	while (pgbouncers)
		live_pgbouncer_stop(pgbouncers);
}

char *live_pgbouncer_conninfo(
	const struct live_pgbouncer *pgbouncer, enum live_route route, const char *more)
{
	const char *const hosts[] = {
		[LIVE_UNIX] = pgbouncer->folder,
		[LIVE_TCP4] = "127.0.0.1",
		[LIVE_TCP6] = "::1",
	};
	return mem_printf("host=%s port=%d user=postgres dbname=postgres %s", hosts[route],
		pgbouncer->port, more ? more : "");
}

int live_pgbouncer_port(const struct live_pgbouncer *pgbouncer)
{
	return pgbouncer->port;
}

struct live_program *live_pgbouncer_program(struct live_pgbouncer *pgbouncer)
{
	return pgbouncer->program;
}
