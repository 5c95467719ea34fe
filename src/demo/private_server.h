/* A throw-away PostgreSQL: --demo's, and the tests'. */
#ifndef DEMO_PRIVATE_SERVER_H
#define DEMO_PRIVATE_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define PRIVATE_SERVER_ERROR_MAX    512
#define PRIVATE_SERVER_PASSWORD_MAX 33

struct private_server;

struct private_server_options {
	bool tcp;             /* listen on 127.0.0.1 and ::1, too; else on the Unix socket alone */
	bool wide;            /* other users of this machine may use the socket, too */
	const char *password; /* of superuser postgres; NULL: a new one */
	const char *const *settings; /* "name=value", NULL-terminated; NULL for none */
};

/* initdb into a new folder of $TMPDIR or /tmp, max_connections 25, a free port, superuser
 * "postgres". As root it runs as "postgres" or "nobody", because PostgreSQL refuses root.
 *
 * Everybody needs the password, over the socket and over TCP: it is random, and in a file that we
 * alone may read. Folder and socket are closed to other users, unless options->wide. Nothing in the
 * server's folder is created, written or removed as root.
 *
 * A guardian process outlives us, however we end: it then ends the server and everything given to
 * private_server_guard(), and removes the folder.
 *
 * Returns 0, or a negative errno with one line in error. */
int private_server_start(const struct private_server_options *options,
	struct private_server **ret_server, char error[static PRIVATE_SERVER_ERROR_MAX])
	__attribute__((warn_unused_result));

/* Ends it at once and waits until all is removed. NULL is allowed. */
void private_server_stop(struct private_server *server);

/* Shuts down and comes up again on the same port; what is connected is thrown out. */
int private_server_restart(struct private_server *server,
	char error[static PRIVATE_SERVER_ERROR_MAX]) __attribute__((warn_unused_result));

/* Ends this child of ours, too, when the server is stopped or we are gone. */
void private_server_guard(struct private_server *server, pid_t pid);

/* Every role that may log in and has no password gets the superuser's. Returns 0 or a negative
 * errno with one line in error. */
int private_server_admit(const struct private_server *server,
	char error[static PRIVATE_SERVER_ERROR_MAX]) __attribute__((warn_unused_result));

/* "host=… port=… user=postgres dbname=postgres passfile=…" over the Unix socket. */
const char *private_server_conninfo(const struct private_server *server);

/* libpq's file of that name, which has the password for every server and role. */
const char *private_server_passfile(const struct private_server *server);
const char *private_server_password(const struct private_server *server);

/* Its folder, which holds the socket and "log". */
const char *private_server_folder(const struct private_server *server);
int private_server_port(const struct private_server *server);

/* The postmaster. */
pid_t private_server_pid(const struct private_server *server);

#endif
