/* The slots of libdbpool's stats pages: the backend and the process of each. Pure.
 *
 * A slot belongs to a backend if pid and backend_start are equal. If the page does not know the
 * start, its own process must hold the socket of the backend, or the application_name must name the
 * slot; and the backend must not have begun after the slot's state. */
#ifndef ANALYZE_JOIN_PAGES_H
#define ANALYZE_JOIN_PAGES_H

#include "model/assessment.h"

struct client_processes;

/* Sets slot, pool, slot_certain, declared_gone and evidence of connections, after the other joins,
 * where the page is credible (page_claim.h); where the page knows more, also process, matched_by
 * and end. For pools with a page it sets the process and what pool_place.h decides. The
 * assessment's pools must be listed; `previous` may be NULL. */
void join_pages(struct assessment *assessment, const struct assessment *previous,
	struct client_processes *processes);

#endif
