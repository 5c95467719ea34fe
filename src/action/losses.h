/* What the targets of a plan would lose beside what the plan was made from: the locks they hold,
 * and who waits for these. Asked once a plan, over the session, for the targets alone. */
#ifndef ACTION_LOSSES_H
#define ACTION_LOSSES_H

#include <stdbool.h>

struct action_plan;
struct losses;
struct session;

struct losses_callbacks {
	void *data;
	void (*arrived)(void *data); /* the plan has them, or never will */
};

/* Never NULL. The session is borrowed and must outlive it. */
struct losses *losses_new(struct session *session, const struct losses_callbacks *callbacks);

/* Asks for the plan's targets; their locks, waiters and loses are filled in when the answer comes:
 * until then, or losses_forget(), the plan must live. False when there is no connection, or nothing
 * to ask for: then nothing arrives. */
bool losses_ask(struct losses *losses, struct action_plan *plan)
	__attribute__((warn_unused_result));

/* No answer is taken any more. */
void losses_forget(struct losses *losses);

/* NULL is allowed. */
void losses_free(struct losses *losses);

#endif
