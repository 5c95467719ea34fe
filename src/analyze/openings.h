/* How many connections each process opened in the last minute. */
#ifndef ANALYZE_OPENINGS_H
#define ANALYZE_OPENINGS_H

struct assessment;

/* Counts the sessions that the previous assessment did not have, or had no process for, by the time
 * at which they began; previous may be NULL. A session that began and ended between two assessments
 * is not counted. */
void openings_count(struct assessment *assessment, const struct assessment *previous);

#endif
