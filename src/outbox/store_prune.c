#include "outbox/store_prune.h"

#include "outbox/dboutbox.h"
#include "outbox/error.h"
#include "outbox/store_state.h"

int store_prune_batch(struct store *store, int64_t before)
{
	int64_t place, sequence, count, bytes;
	int r = store_read_row(store, QUERY_FIND_OLD, 1, &before, &place, &sequence);
	if (r != 1)
		return r;
	struct epoch *epoch = store->epochs;
	while (epoch < store->epochs + store->n_epochs && epoch->seen.place != place)
		epoch++;
	if (epoch == store->epochs + store->n_epochs)
		return outbox_fail(DBOUTBOX_DAMAGED, "the outbox confirms an unknown epoch");
	r = store_sum(store, place, epoch->pruned, sequence, &count, &bytes);
	const int64_t range[] = { write_id(place, epoch->pruned), write_id(place, sequence) };
	const int64_t mark[] = { place, sequence };
	if (r == 0)
		r = store_begin_marks(store);
	if (r != 0)
		return r;
	r = store_run(store, QUERY_PRUNE, 2, range);
	if (r == 0)
		r = store_run(store, QUERY_SET_PRUNED, 2, mark);
	if (r == 0)
		r = store_run(store, QUERY_FORGET, 2, mark);
	r = store_end_marks(store, r);
	if (r != 0)
		return r;
	epoch->pruned = sequence;
	store->all -= count;
	store->all_bytes -= bytes;
	return 1;
}
