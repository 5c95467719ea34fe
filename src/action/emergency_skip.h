/* Which processes an emergency stops, which are left alone, and why. Pure. */
#ifndef ACTION_EMERGENCY_SKIP_H
#define ACTION_EMERGENCY_SKIP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct assessment;
struct emergency;
struct process_facts;
struct rules;
struct patterns;

struct emergency_plan_options {
	const struct rules *rules;           /* protect, and --app's scope */
	const struct patterns *applications; /* emergency.applications; none: every one */
	const int32_t *pids;                 /* --pid: only these are stopped */
	size_t n_pids;                       /* 0: no choice */
	const char *proxy; /* the proxy's executable, beside the one that was found
			      by its socket; "" for none */
	uint32_t uid;      /* ours, the effective one */
	bool all_users;    /* other users' processes, too: if we are root */
	int64_t grace;
	bool force;
};

/* Fills in the emergency's processes, in its arena: those to be stopped first, then the others. It
 * knows already whether dbtop is connected; the assessment has peers. facts: see emergency_plan().
 */
void emergency_skip_judge(const struct assessment *assessment,
	const struct emergency_plan_options *options, const struct process_facts *facts,
	size_t n_facts, struct emergency *emergency);

#endif
