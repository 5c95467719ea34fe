/* Stats pages in the lines that two dbtops exchange (collect/host_lines.h): of each the contents,
 * checked and clean, without what changes by time alone. */
#ifndef COLLECT_HOST_PAGES_H
#define COLLECT_HOST_PAGES_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/pool.h"

struct arena;

#define HOST_PAGES_MOST ((size_t)256)     /* of one answer */
#define HOST_PAGES_SIZE ((size_t)1 << 20) /* in bytes, of those that one answer describes */

/* A page, by a number that the agent gives it. */
struct host_page {
	uint32_t id;           /* not 0 */
	bool is_same;          /* it is as before, and not described */
	struct pool_page page; /* its instants are by the reader's clock */
};

/* All that an answer says of pages. */
struct host_pages {
	struct host_page *items;
	size_t count;
	bool left_out; /* there are more */
};

/* Adds them to the answer's object. */
void host_pages_write(json_t *answer, const struct host_pages *pages);

/* Differs for pages that are not described alike. *ret_size: so many bytes describe it. */
uint64_t host_page_digest(const struct pool_page *page, size_t *ret_size);

/* False if they are not as they should be. What is read is in the arena. */
bool host_pages_read(struct arena *arena, const json_t *answer, struct host_pages *ret_pages);

/* A copy in another arena, as it was read at `read_at`. */
struct pool_page host_page_copy(struct arena *arena, const struct pool_page *from, int64_t read_at);

#endif
