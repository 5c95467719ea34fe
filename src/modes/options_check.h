/* Which options go together. */
#ifndef MODES_OPTIONS_CHECK_H
#define MODES_OPTIONS_CHECK_H

struct options;

/* Refuses options that have a meaning only together with others: to ignore one would hide a
 * mistake. Completes the mode by what was given beside it. Returns 0, or −EINVAL after one line on
 * stderr that describes the error. */
int options_check(struct options *options) __attribute__((warn_unused_result));

#endif
