/* The CONNECTION LIMITs of roles and databases, and how much of them is used. */
#ifndef ANALYZE_SLOT_LIMITS_H
#define ANALYZE_SLOT_LIMITS_H

struct assessment;

/* Fills in the assessment's slot_limits, from the rows. */
void slot_limits_count(struct assessment *assessment);

#endif
