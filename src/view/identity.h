/* What a row is, from one refresh to the next: never its place in the list. */
#ifndef VIEW_IDENTITY_H
#define VIEW_IDENTITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct backend;

enum identity_kind {
	IDENTITY_NONE,
	IDENTITY_CONNECTION, /* pid and backend_start */
	IDENTITY_GROUP,      /* what its members have in common */
};

struct identity {
	enum identity_kind kind;
	uint64_t a, b;
};

/* Tagged connections, folded groups: sorted, without doubles. */
struct identity_set {
	struct identity *items;
	size_t count, room;
};

struct identity identity_of(const struct backend *backend);
bool identity_equal(struct identity a, struct identity b);

/* A hash of a name, for a group's identity. NULL differs from "". */
uint64_t identity_hash(const char *text);

void identity_set_deinit(struct identity_set *set);
bool identity_set_has(const struct identity_set *set, struct identity identity);
void identity_set_put(struct identity_set *set, struct identity identity, bool present);
void identity_set_clear(struct identity_set *set);

#endif
