/* The audit log: one JSON line for each action begun and for each result, in
 * $XDG_STATE_HOME/dbtop/actions.jsonl. It says when, who, what was seen, what was done and its
 * outcome; never the text of a query.
 *
 * An action whose line cannot be written begins only with the user's consent; audit_error() says
 * why it cannot. */
#ifndef ACTION_AUDIT_H
#define ACTION_AUDIT_H

#include <stddef.h>
#include <stdint.h>

struct action;
struct action_step;
struct audit;

/* The log's size at which it is moved aside, to PATH.1. */
#define AUDIT_SIZE_MAX (INT64_C(10) << 20)

/* From XDG_STATE_HOME, else HOME; the caller frees it. NULL when neither is set. */
char *audit_default_path(void);

/* path is copied; NULL is a log that fails. Who we are is asked here, once. Never NULL. Lines are
 * written by a thread of its own; the file is opened for each line, so that it can be moved or
 * removed at any time. */
struct audit *audit_new(const char *path);
/* Waits up to two seconds for the lines to be written; returns how many of them were not, because
 * the disk did not answer. NULL is allowed. */
size_t audit_free(struct audit *audit);

/* How long audit_error() waits for a disk that does not answer, in µs: 2 s unless a test sets it.
 * A disk that was waited for in vain is not waited for again until it has answered. */
void audit_set_timeout(struct audit *audit, int64_t timeout);

/* NULL: there is none. */
const char *audit_path(const struct audit *audit);

/* An action begins. Returns 0, or -EIO when the line cannot be written. Waits for the disk, as
 * audit_error() does, unless the action is `unaudited`: then it begins whatever the disk does. */
int audit_begin(struct audit *audit, const struct action *action, int64_t now)
	__attribute__((warn_unused_result));

/* Why audit_begin() returned -EIO. The line may have been written since. Lives until the next call.
 */
const char *audit_refusal(const struct audit *audit);

/* A step was signalled, or has its result. */
void audit_step(struct audit *audit, const struct action *action, const struct action_step *step,
	int64_t now);

/* Why the last line could not be written; NULL when it was. Waits for the disk, as long as was set.
 * Lives until the next call. */
const char *audit_error(struct audit *audit);

#endif
