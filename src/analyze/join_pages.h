/* The slots of libdbpool's stats pages: which backend each is, and whose it is. Pure.
 *
 * A slot is a backend when pid and backend_start are the same. A page that does not know the start
 * needs the process that holds the backend's socket to be its own. */
#ifndef ANALYZE_JOIN_PAGES_H
#define ANALYZE_JOIN_PAGES_H

#include "model/assessment.h"

struct client_processes;

/* Fills slot, pool, slot_certain, declared_gone and evidence of connections that the other joins
 * have seen, as far as their pages are to be believed (page_claim.h); where the page knows better
 * process, matched_by and end; and of the pools with a page process, and what pool_place.h
 * tells. The assessment's pools are listed; `previous` may be NULL. */
void join_pages(struct assessment *assessment, const struct assessment *previous,
	struct client_processes *processes);

#endif
