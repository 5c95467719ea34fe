/* After the verdict: ends what is left of an application, and lists it in the record. */
#ifndef MODES_CLEANING_H
#define MODES_CLEANING_H

#include <uv.h>

struct audit;
struct cleaning;
struct target;
struct watch;

struct cleaning_callbacks {
	void *data;
	/* Nothing is left, or nothing more can be done. */
	void (*cleaned)(void *data);
};

/* The arguments are borrowed and must outlive it. Never NULL. */
struct cleaning *cleaning_new(uv_loop_t *loop, struct target *target, struct audit *audit,
	const struct cleaning_callbacks *callbacks) __attribute__((returns_nonnull));

/* NULL is allowed. The handles close in the loop's next turns. */
void cleaning_free(struct cleaning *cleaning);

/* Kills the watch's processes that are left, each by its pidfd. Then ends the sessions that do not
 * end with them, each with the statement that checks its identity. The watch must live until
 * cleaned(), which is never called before this function returns. */
void cleaning_run(struct cleaning *cleaning, struct watch *watch);

/* The target has a new assessment. */
void cleaning_assessed(struct cleaning *cleaning);

#endif
