/* What identifies a row from one refresh to the next. Its index in the list does not. */
#ifndef WIDGETS_IDENTITY_H
#define WIDGETS_IDENTITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct backend;

enum identity_kind {
	IDENTITY_NONE,
	IDENTITY_CONNECTION, /* pid and backend_start */
	IDENTITY_GROUP,      /* a hash of what its members have in common */
};

struct identity {
	enum identity_kind kind;
	uint64_t a, b;
};

/* Sorted, without duplicates: the tagged connections, or the folded groups. */
struct identity_set {
	struct identity *items;
	size_t count, room;
};

struct identity identity_of(const struct backend *backend);
bool identity_equal(struct identity a, struct identity b);

/* A hash of a name, for a group's identity. NULL and "" have different hashes. */
uint64_t identity_hash(const char *text);

void identity_set_deinit(struct identity_set *set);
bool identity_set_has(const struct identity_set *set, struct identity identity);
void identity_set_put(struct identity_set *set, struct identity identity, bool present);
void identity_set_clear(struct identity_set *set);

#endif
