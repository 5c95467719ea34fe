/* One persistent, asynchronous connection to a PostgreSQL server: it connects, comes back after a
 * loss with backoff and jitter, and runs statements one at a time, first come, first served.
 *
 * Nothing here blocks the loop: connecting has a thread of its own, statements are polled. It is
 * opened once, early, and kept: on a full server the slot it holds is what makes dbtop useful. */
#ifndef SESSION_SESSION_H
#define SESSION_SESSION_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct params;
struct peers_target;
struct server_state;
struct session;

/* What a statement brought. result is NULL when the connection was lost before the answer was
 * whole; it belongs to the session and is gone after the call. sent_at is our wall clock when the
 * statement went out; INSTANT_UNKNOWN when it never did. */
typedef void session_done_fn(void *data, const PGresult *result, int64_t sent_at);

/* A statement with binary results; with text ones on a console. All pointers are copied. */
struct session_statement {
	const char *sql;
	int n_params;
	const char *const *params; /* text format; NULL is SQL's NULL */
};

struct session_callbacks {
	void *data;
	/* Ready for statements, after every (re)connection. */
	void (*ready)(void *data);
	/* session_state() tells something new. */
	void (*changed)(void *data);
};

/* The parameters are copied; application_name is dbtop's own. Never NULL. It does nothing before
 * session_start(). */
struct session *session_new(
	uv_loop_t *loop, const struct params *params, const struct session_callbacks *callbacks);

/* The same for the admin console of a PgBouncer, which knows but the simple query protocol: results
 * come as text, statements have no parameters. One that does not answer for a few seconds is taken
 * for lost. Nobody is asked for a password. */
struct session *session_new_console(
	uv_loop_t *loop, const struct params *params, const struct session_callbacks *callbacks);

/* Begins to connect. */
void session_start(struct session *session);

/* Statements not answered yet are dropped without their callback. NULL is allowed. The handles
 * close in the loop's next turns: run it until it is empty. */
void session_free(struct session *session);

/* Sends the statement as soon as those before it are answered. False, and no callback, when there
 * is no connection. */
bool session_query(struct session *session, const struct session_statement *statement,
	session_done_fn *done, void *data) __attribute__((warn_unused_result));

/* Forgets all of data's statements: those not sent yet never will be, the callbacks are not called.
 */
void session_forget(struct session *session, const void *data);

/* Takes the password for this and all later attempts, and tries at once. */
void session_set_password(struct session *session, const char *password);
/* The server asked for a password, and there was none or it was wrong: no further attempt is made
 * before session_set_password(). */
bool session_needs_password(const struct session *session);

/* Makes the next attempt now instead of after its pause. */
void session_retry(struct session *session);

/* An address of the server is being tried, which ends with the session's settings: not while a name
 * is looked up, not between attempts. */
bool session_is_trying(const struct session *session);

bool session_is_ready(const struct session *session);

/* Statements may run in another backend each time: a pooler is between us and the server. Nothing
 * is set and nothing is ended through one. As the last connection that was set up found it. */
bool session_is_pooled(const struct session *session);

/* A statement said which backend it ran in: another one than that of the connection means that a
 * pooler is in between, even if the connection was given the pid of one of its backends. */
void session_answered_by(struct session *session, int32_t backend_pid);

/* How it stands; strings live until the next change. */
const struct server_state *session_state(const struct session *session);

/* The live connection for PQserverVersion() and its like; NULL while there is none. */
PGconn *session_connection(const struct session *session);

/* Where the server is and which end is ours: what collect/clients looks for. The server's address
 * is kept from the last attempt that learnt it, ours is there only while we are connected. */
void session_locate(const struct session *session, struct peers_target *ret_target);

#endif
