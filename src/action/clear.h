/* Removes stats pages that are evidence of nothing any more: their process is dead, and the rows
 * that were taken since show none of its sessions. In the act each page is read again, and stays
 * unless it is still ours, that process's, and that process proven dead (page/reader.h). */
#ifndef ACTION_CLEAR_H
#define ACTION_CLEAR_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct assessment;
struct audit;
struct clearer;
struct clearing;
struct rules;

/* The pages that may go: of this user (uid), in scope (--app), spent. Copies every string; the
 * caller frees it with clearing_free(). */
struct clearing *clear_plan(
	const struct assessment *assessment, const struct rules *rules, uint32_t uid);

struct clear_options {
	bool readonly;       /* nothing is ever removed */
	struct audit *audit; /* borrowed; NULL: none */
	void *data;
	void (*done)(void *data); /* every page has its result */
};

/* Never NULL. */
struct clearer *clear_new(uv_loop_t *loop, const struct clear_options *options);

/* Begins, on a worker thread: a folder may hang. The clearing is the caller's and must live until
 * done, or until the clearer is freed. 0, -EPERM when readonly, -EBUSY while another is under way,
 * -EINVAL when there is nothing to remove, -EIO when the audit log cannot be written and the
 * clearing is not `unaudited`. */
int clear_run(struct clearer *clearer, struct clearing *clearing)
	__attribute__((warn_unused_result));

bool clear_busy(const struct clearer *clearer);

/* What is under way keeps its memory until it is done: run the loop until it is empty. NULL is
 * allowed. */
void clear_free(struct clearer *clearer);

#endif
