/* The plan to remove stats pages of the past: their process is dead, and it left nothing on this
 * server. Pure. */
#ifndef ACTION_CLEAR_PLAN_H
#define ACTION_CLEAR_PLAN_H

#include <stdint.h>

struct action;
struct assessment;
struct rules;

/* The pages that may go: of this user (uid), in scope (--app), of the past; whatever server they
 * were for. Copies every string; the caller frees it with action_free(). */
struct action *clear_plan(
	const struct assessment *assessment, const struct rules *rules, uint32_t uid);

#endif
