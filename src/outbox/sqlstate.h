/* What the outbox does when the server refuses a statement, by SQLSTATE. */
#ifndef OUTBOX_SQLSTATE_H
#define OUTBOX_SQLSTATE_H

enum sqlstate_action {
	SQLSTATE_REJECT,    /* it never will succeed: the write goes to the rejected ones */
	SQLSTATE_RETRY,     /* it may succeed later, unchanged */
	SQLSTATE_RECONNECT, /* the same, over another connection */
	SQLSTATE_RETRY_FEW, /* retried five times, then rejected */
	SQLSTATE_HOLD,      /* it succeeds once the database is repaired */
};

/* `sqlstate` has five characters; NULL or "" is a lost connection. */
enum sqlstate_action sqlstate_action(const char *sqlstate);

#endif
