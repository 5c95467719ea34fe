/* Carries out a launch: stops the old proxy, if that is still the very process that was seen, and
 * starts the command from the configuration. No shell reads it, and nothing is ever killed: one
 * that does not end on SIGTERM stays, and nothing is started. */
#ifndef ACTION_LAUNCHER_H
#define ACTION_LAUNCHER_H

#include <stdbool.h>
#include <uv.h>

struct audit;
struct launch;
struct launcher;

struct launcher_options {
	bool readonly;
	struct audit *audit; /* NULL: none */
	void *data;
	void (*changed)(void *data); /* the launch went on, or is done */
};

/* Never NULL. */
struct launcher *launcher_new(uv_loop_t *loop, const struct launcher_options *options);

/* As launcher_interrupt(). The handles close in the loop's next turns. NULL is allowed. */
void launcher_free(struct launcher *launcher);

/* Begins; the launch must live until it is done, or the launcher freed. Returns 0, -EPERM when
 * read-only, -EBUSY while another is under way, or -EIO when the audit log cannot be written and
 * the launch is not `unaudited`. */
int launcher_run(struct launcher *launcher, struct launch *launch)
	__attribute__((warn_unused_result));

bool launcher_busy(const struct launcher *launcher);

/* A launch that is under way gets its result and its audit line now, without changed(). What was
 * signalled ends, what was started lives on. */
void launcher_interrupt(struct launcher *launcher);

#endif
