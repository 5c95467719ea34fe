/* The plan to remove stats pages that are evidence of nothing any more: their process is dead, and
 * the rows that were read since show none of its sessions. Pure. */
#ifndef ACTION_CLEAR_PLAN_H
#define ACTION_CLEAR_PLAN_H

#include <stdint.h>

struct action;
struct assessment;
struct rules;

/* The pages that may go: of this user (uid), in scope (--app), spent. Copies every string; the
 * caller frees it with action_free(). */
struct action *clear_plan(
	const struct assessment *assessment, const struct rules *rules, uint32_t uid);

#endif
