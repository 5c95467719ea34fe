/* Makes the sum of a host's answers: the block before, with what an answer changes. Pure. */
#ifndef COLLECT_HOST_MERGE_H
#define COLLECT_HOST_MERGE_H

#include <stddef.h>

#include "collect/host_lines.h"

/* Returns a new block, which has only ends that are asked about, and the processes that they name.
 * An end that the answer does not name is as before. `before` is the block of the same run, or
 * NULL. NULL if the answer names an end that is not asked about, or a process that was never
 * described: then *ret_error says so. The block's name, addresses and times are the caller's to
 * set. */
struct host_ends *host_merge(const struct host_ends *before, const struct host_answer *answer,
	const char *name, const struct asked_end *asked, size_t n_asked, const char **ret_error);

#endif
