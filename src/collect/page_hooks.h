/* The hooks of a pool, from a copy of its stats page. */
#ifndef COLLECT_PAGE_HOOKS_H
#define COLLECT_PAGE_HOOKS_H

#include <stddef.h>

#include "model/pool.h"

struct page_copy;

/* Writes the page's hooks in their order and returns how many there are. */
size_t page_hooks_read(
	const struct page_copy *copy, struct pool_hook ret_hooks[static POOL_HOOKS_MAX]);

#endif
