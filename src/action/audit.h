/* The audit log: one JSON line for each action begun and for each result, in
 * $XDG_STATE_HOME/dbtop/actions.jsonl. It tells when, who, what was seen, what was done and what
 * came of it; never the text of a query.
 *
 * What cannot be written down is done only by somebody's leave: audit_error() tells why. */
#ifndef ACTION_AUDIT_H
#define ACTION_AUDIT_H

#include <stddef.h>
#include <stdint.h>

struct action;
struct action_step;
struct audit;
struct launch;
struct clearing;
struct clearing_page;
struct emergency;
struct emergency_process;

/* The log's size at which it is moved aside, to PATH.1. */
#define AUDIT_SIZE_MAX (INT64_C(10) << 20)

/* From XDG_STATE_HOME, else HOME; the caller frees it. NULL when neither tells. */
char *audit_default_path(void);

/* path is copied; NULL is a log that fails. Who we are is asked here, once. Never NULL. Lines are
 * written by a thread of its own; the file is opened for each line, so that it can be moved or
 * removed at any time. */
struct audit *audit_new(const char *path);
/* Waits up to two seconds for the lines to be written; returns how many of them were not, because
 * the disk did not answer. NULL is allowed. */
size_t audit_free(struct audit *audit);

/* How long audit_error() waits for a disk that does not answer, in µs: 2 s unless set. */
void audit_set_timeout(struct audit *audit, int64_t timeout);

/* An action begins with the plan's selected targets. */
void audit_action(struct audit *audit, const struct action *plan, int64_t now);

/* A target of the plan has its result. */
void audit_result(struct audit *audit, const struct action *plan, const struct action_step *step,
	int64_t now);

/* The same for an emergency: it begins with the processes that are to be stopped … */
void audit_emergency(struct audit *audit, const struct emergency *emergency, int64_t now);

/* … and one of them was signalled, or has its result. */
void audit_process(struct audit *audit, const struct emergency *emergency,
	const struct emergency_process *process, int64_t now);

/* The proxy is about to be started, or that is done: the launch's result tells. */
void audit_launch(struct audit *audit, const struct launch *launch, int64_t now);

/* Stats pages are about to be removed, and one of them has its result. */
void audit_clearing(struct audit *audit, const struct clearing *clearing, int64_t now);
void audit_cleared(struct audit *audit, const struct clearing *clearing,
	const struct clearing_page *page, int64_t now);

/* Why the last line could not be written; NULL when it was. Waits for the disk, as long as was set.
 * Lives until the next call. */
const char *audit_error(struct audit *audit);

#endif
