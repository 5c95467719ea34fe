/* Which processes an emergency stops, which are left alone, and why. Pure. */
#ifndef ACTION_RESCUE_JUDGE_H
#define ACTION_RESCUE_JUDGE_H

#include <stddef.h>

struct assessment;
struct emergency;
struct process_facts;
struct rescue_plan_options;

/* Fills in the emergency's processes, in its arena: those to be stopped first, then the others. It
 * knows already whether dbtop is connected; the assessment has peers. facts: see rescue_plan(). */
void rescue_judge_all(const struct assessment *assessment,
	const struct rescue_plan_options *options, const struct process_facts *facts,
	size_t n_facts, struct emergency *emergency);

#endif
