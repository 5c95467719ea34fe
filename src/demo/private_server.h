/* A temporary PostgreSQL server, for --demo and the tests. */
#ifndef DEMO_PRIVATE_SERVER_H
#define DEMO_PRIVATE_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define PRIVATE_SERVER_ERROR_MAX    512
#define PRIVATE_SERVER_PASSWORD_MAX 33

struct private_server;

struct private_server_options {
	bool tcp;             /* listen on 127.0.0.1 and ::1, too; else on the Unix socket only */
	bool wide;            /* other users of this machine may use the socket, too */
	const char *password; /* of superuser postgres; NULL: a random one */
	const char *const *settings; /* "name=value", NULL-terminated; NULL for none */
};

/* Runs initdb in a new folder of $TMPDIR or /tmp, then the server: max_connections 25, a free port,
 * superuser "postgres". If we are root, the server runs as "postgres" or "nobody", because
 * PostgreSQL refuses root.
 *
 * All users need the password, over the socket and over TCP. It is random unless options->password
 * is set, and in a file that only we can read. Folder and socket are closed to other users, unless
 * options->wide. Nothing in the server's folder is created, written or removed as root.
 *
 * When we end, in any way, a guardian process ends the server and all processes given to
 * private_server_guard(), and removes the folder.
 *
 * Returns 0, or a negative errno with one line in error. */
int private_server_start(const struct private_server_options *options,
	struct private_server **ret_server, char error[static PRIVATE_SERVER_ERROR_MAX])
	__attribute__((warn_unused_result));

/* Ends the server at once and waits until everything is removed. NULL is allowed. */
void private_server_stop(struct private_server *server);

/* Restarts the server on the same port; all connections are closed. */
int private_server_restart(struct private_server *server,
	char error[static PRIVATE_SERVER_ERROR_MAX]) __attribute__((warn_unused_result));

/* Ends this child process, too, when the server is stopped or we have ended. */
void private_server_guard(struct private_server *server, pid_t pid);

/* SQL for the superuser: roles that may log in and have no password get the superuser's. */
const char *private_server_admission(void);

/* "host=… port=… user=postgres dbname=postgres passfile=…" over the Unix socket. */
const char *private_server_conninfo(const struct private_server *server);

/* The path of the password file for libpq, which has the password for every server and role. */
const char *private_server_passfile(const struct private_server *server);
const char *private_server_password(const struct private_server *server);

/* The server's folder, which contains the socket and "log". */
const char *private_server_folder(const struct private_server *server);
int private_server_port(const struct private_server *server);

/* A TCP port that nobody has at this moment on 127.0.0.1, or a negative errno. */
int private_server_free_port(void);

/* The postmaster's pid. */
pid_t private_server_pid(const struct private_server *server);

#endif
