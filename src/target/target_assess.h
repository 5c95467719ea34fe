/* Makes an assessment of the latest answers of all sources. */
#ifndef TARGET_TARGET_ASSESS_H
#define TARGET_TARGET_ASSESS_H

#include <stdbool.h>
#include <stdint.h>

struct target;

/* How long (µs) a source may take to answer. What takes longer is reported. */
int64_t target_stale_after(const struct target *target);

/* True if the server's answer is overdue. */
bool target_is_overdue(const struct target *target);

/* True if the assessment has to wait for the proxy's state, and that is not known yet. */
bool target_lacks_proxy(const struct target *target);

/* Makes an assessment of the latest answers, and publishes it; does nothing while the target is
 * paused or new rows wait for the pages. */
void target_assess(struct target *target);

#endif
