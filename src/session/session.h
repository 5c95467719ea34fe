/* One persistent, asynchronous connection to a PostgreSQL server. It connects, reconnects after a
 * loss (with backoff and jitter), and runs statements one at a time, in order.
 *
 * Nothing here blocks the loop: connecting has its own thread, and statements are polled. The
 * connection is opened once, early, and kept: on a full server dbtop can only work because it
 * already holds a slot. */
#ifndef SESSION_SESSION_H
#define SESSION_SESSION_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "session/query.h"

struct params;
struct peers_target;
struct server_state;
struct session;

struct session_callbacks {
	void *data;
	/* The session is ready for statements: called after every (re)connection. */
	void (*ready)(void *data);
	/* session_state() has changed. */
	void (*changed)(void *data);
};

/* Copies the parameters; application_name is set by dbtop. Never NULL. Does nothing before
 * session_start(). */
struct session *session_new(
	uv_loop_t *loop, const struct params *params, const struct session_callbacks *callbacks);

/* The same for the admin console of a PgBouncer, which supports only the simple query protocol:
 * results are text, and statements have no parameters. A console that does not answer for a few
 * seconds counts as lost. The user is not asked for a password. */
struct session *session_new_console(
	uv_loop_t *loop, const struct params *params, const struct session_callbacks *callbacks);

/* Begins to connect. */
void session_start(struct session *session);

/* Frees the session. Statements without an answer are dropped, and their callbacks are not called.
 * NULL is allowed. The handles close in the loop's next turns: run the loop until it is empty. */
void session_free(struct session *session);

/* Sends the statement as soon as those before it are answered. Returns false, and does not call
 * `done`, when there is no connection. */
bool session_query(struct session *session, const struct session_statement *statement,
	session_done_fn *done, void *data) __attribute__((warn_unused_result));

/* Drops all statements of `data`: those not sent yet are not sent, and no callback is called. */
void session_forget(struct session *session, const void *data);

/* Sets the password for this and all later attempts, and tries at once. */
void session_set_password(struct session *session, const char *password);
/* True when the server asked for a password and there was none, or a wrong one. No further attempt
 * is made before session_set_password(). */
bool session_needs_password(const struct session *session);

/* From now on nobody can be asked for a password. The session never needs one; when the server
 * refuses ours, it tries again, because a file or a command may give another one by then. */
void session_never_ask(struct session *session);

/* The command that prints the password when the server asks for one: in each attempt it is run
 * again. The user is not asked. Copies argv, which ends with NULL; NULL or an empty one: none. */
void session_set_password_command(struct session *session, const char *const *argv);

/* Makes the next attempt now, without waiting. */
void session_retry(struct session *session);

/* True while an address of the server is being tried: not while a name is looked up, nor between
 * attempts. */
bool session_is_trying(const struct session *session);

bool session_is_ready(const struct session *session);

/* True if a pooler is between us and the server, so that each statement may run in another backend.
 * Nothing is set and nothing is ended through a pooler. The value is that of the last connection
 * that was set up. */
bool session_is_pooled(const struct session *session);

/* Called when a statement reported the backend that it ran in. A backend other than the
 * connection's means that there is a pooler, even if the connection was given the pid of one of its
 * backends. */
void session_answered_by(struct session *session, int32_t backend_pid);

/* In a statement's callback: when the statement was sent, by the monotonic clock; INSTANT_UNKNOWN
 * when it was not sent. */
int64_t session_sent_monotonic(const struct session *session);

/* The state of the connection; strings are valid until the next change. */
const struct server_state *session_state(const struct session *session);

/* The connection, for PQserverVersion() and similar calls; NULL while there is none. */
PGconn *session_connection(const struct session *session);

/* The server's address and our own end, which collect/clients searches for. The server's address is
 * that of the last attempt that learnt it; our own is set only while we are connected. */
void session_locate(const struct session *session, struct peers_target *ret_target);

#endif
