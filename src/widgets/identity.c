/* Identities, and sorted sets of them. */
#include "widgets/identity.h"

#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/mem.h"
#include "model/activity.h"

struct identity identity_of(const struct backend *backend)
{
	return (struct identity){
		.kind = IDENTITY_CONNECTION,
		.a = (uint64_t)backend->pid,
		.b = (uint64_t)backend->start,
	};
}

static int compare(struct identity a, struct identity b)
{
	if (a.kind != b.kind)
		return a.kind < b.kind ? -1 : 1;
	if (a.a != b.a)
		return a.a < b.a ? -1 : 1;
	return a.b < b.b ? -1 : a.b > b.b;
}

bool identity_equal(struct identity a, struct identity b)
{
	return compare(a, b) == 0;
}

uint64_t identity_hash(const char *text)
{
	uint64_t hash = text ? 1 : 0;
	size_t left = text ? strlen(text) : 0;
	while (left) {
		uint64_t word = 0;
		size_t step = left < sizeof(word) ? left : sizeof(word);
		memcpy(&word, text, step);
		hash = map_mix(hash, word);
		text += step;
		left -= step;
	}
	return hash;
}

/* The index of the identity in the set, or the index where it would be inserted. */
static size_t place(const struct identity_set *set, struct identity identity)
{
	size_t low = 0, high = set->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (compare(set->items[middle], identity) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

void identity_set_deinit(struct identity_set *set)
{
	free(set->items);
	*set = (struct identity_set){ 0 };
}

bool identity_set_has(const struct identity_set *set, struct identity identity)
{
	size_t i = place(set, identity);
	return i < set->count && identity_equal(set->items[i], identity);
}

void identity_set_put(struct identity_set *set, struct identity identity, bool present)
{
	if (identity_set_has(set, identity) == present)
		return;
	size_t i = place(set, identity);
	if (!present) {
		memmove(set->items + i, set->items + i + 1,
			(--set->count - i) * sizeof(*set->items));
		return;
	}
	set->items = mem_grow(set->items, set->count, &set->room, sizeof(*set->items));
	memmove(set->items + i + 1, set->items + i, (set->count++ - i) * sizeof(*set->items));
	set->items[i] = identity;
}

void identity_set_clear(struct identity_set *set)
{
	set->count = 0;
}
