/* What the targets of a plan would lose besides what the plan already knows: the locks they hold,
 * and the sessions that wait for these. Asked once for each plan, over the session, for its targets
 * only. */
#ifndef ACTION_LOCK_IMPACT_H
#define ACTION_LOCK_IMPACT_H

#include <stdbool.h>

struct action;
struct lock_impact;
struct session;

struct lock_impact_callbacks {
	void *data;
	void (*arrived)(void *data); /* the plan has them, or never will */
};

/* Never NULL. The session is borrowed and must outlive it. */
struct lock_impact *lock_impact_new(
	struct session *session, const struct lock_impact_callbacks *callbacks);

/* Asks for the plan's targets; their locks, waiters and loses are filled in when the answer comes:
 * until then, or lock_impact_forget(), the plan must live. False when there is no connection, or
 * nothing to ask for: then nothing arrives. */
bool lock_impact_ask(struct lock_impact *lock_impact, struct action *plan)
	__attribute__((warn_unused_result));

/* No answer is taken any more. */
void lock_impact_forget(struct lock_impact *lock_impact);

/* NULL is allowed. */
void lock_impact_free(struct lock_impact *lock_impact);

#endif
