/* The list that the table shows: connections filtered, grouped and sorted. It has indices only;
 * nothing is formatted here. */
#ifndef WIDGETS_ROWS_H
#define WIDGETS_ROWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "widgets/columns.h"
#include "widgets/group.h"
#include "widgets/identity.h"

struct arena;
struct assessment;
struct connection;
struct filter;

struct group {
	struct identity identity;
	enum group_kind kind;
	uint32_t first, count;  /* its members, in rows.members */
	uint32_t sample;        /* one of its connections, to read what all have in common */
	uint32_t process;       /* GROUP_PROCESS: index into the assessment's processes */
	uint32_t leaked, total; /* leaked: of the members; total: all, also those filtered out */
	bool folded;
};

struct member {
	struct identity identity;
	uint32_t connection; /* index into the assessment's connections */
};

#define ROW_HEADER UINT32_MAX

struct row {
	uint32_t group;
	uint32_t member; /* ROW_HEADER: the group's own row */
};

struct rows_options {
	enum grouping grouping;
	enum column_id sort;
	bool reverse;
	const struct filter *filter;
	const struct identity_set *folded;
};

/* Identities are copies: the rows may be used after their assessment was freed. */
struct rows {
	struct arena *arena; /* owns the arrays; NULL before the first build */
	struct group *groups;
	struct member *members;
	struct row *rows;
	size_t n_groups, n_members, n_rows;
	size_t n_total; /* connections in scope, also those filtered out */
};

/* Builds the list; replaces the old one. */
void rows_build(
	struct rows *rows, const struct assessment *assessment, const struct rows_options *options);
void rows_deinit(struct rows *rows);

struct identity rows_identity(const struct rows *rows, size_t row);
/* The index of the row with this identity, or rows->n_rows. */
size_t rows_find(const struct rows *rows, struct identity identity);

#endif
