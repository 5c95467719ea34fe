/* The states of a slot. All functions need the pool's mutex. */
#ifndef DBPOOL_SLOT_H
#define DBPOOL_SLOT_H

#include "dbpool/state.h"

/* Marks the slot as held, and fills in the borrower's lease. */
void slot_lend(struct dbpool *pool, struct link_slot *slot, struct borrower *borrower, int64_t now);
/* Ends the hold: the lease's ticket becomes stale, the slot SLOT_CLEANING. */
void slot_take_back(struct dbpool *pool, struct link_slot *slot, int64_t now);
void slot_rest(struct dbpool *pool, struct link_slot *slot, int64_t now);
/* For SLOT_EMPTY, SLOT_CONNECTING and SLOT_CLOSING. */
void slot_change(struct dbpool *pool, struct link_slot *slot, enum slot_state state, int64_t now);
/* Passes the slot's link to the connector, which closes it. */
void slot_give_up(struct dbpool *pool, struct link_slot *slot, int64_t now);
/* Sets the slot to its initial values. Its ticket keeps growing, so that old leases stay stale. */
void slot_clear(struct link_slot *slot, struct page_slot *page, int64_t now);
/* The first slot in that state, or NULL. */
struct link_slot *slot_find(struct dbpool *pool, enum slot_state state);
/* The idle slot to lend next, or NULL: slot `last`, which the thread used last, if it was in use
 * just now; else the first one; or if the answer to its reset may still be on its way, the first
 * one whose answer has arrived. */
struct link_slot *slot_find_idle(struct dbpool *pool, int last, int64_t now);
bool slot_is_lent_to(const struct link_slot *slot, const struct dbpool_lease *lease);
bool slot_is_spent(const struct dbpool *pool, const struct link_slot *slot, int64_t now);
int slot_number(const struct dbpool *pool, const struct link_slot *slot);
unsigned slots_open(const struct dbpool *pool); /* idle or held */
unsigned slots_used(const struct dbpool *pool); /* not empty */

/* When the borrower last got a result, or acquired the connection: monotonic. */
int64_t slot_active(const struct link_slot *slot);

/* Takes a held slot from its borrower: cuts its link and keeps it for the borrower's release. The
 * connector waits for the session's end before it empties the slot. */
void orphan_make(struct dbpool *pool, struct link_slot *slot, bool polite, int64_t now);
/* Removes the orphan of that lease from the list and returns it; NULL for none. */
struct pool_link *orphan_find(struct dbpool *pool, const struct dbpool_lease *lease);

#endif
