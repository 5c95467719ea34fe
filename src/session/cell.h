/* Reads cells of a result in the binary format. The server is not trusted: a cell whose length does
 * not fit its type is read as NULL. */
#ifndef SESSION_CELL_H
#define SESSION_CELL_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"

struct arena;

/* True if the result has rows with this number of columns; false for NULL and for failures. */
bool cell_has_rows(const PGresult *result, int columns);

/* A cell, or a field of a record. The bytes are the result's; those of a cell, but not those of a
 * field, end with a zero. */
struct cell {
	const char *bytes; /* NULL: NULL */
	size_t length;
};

struct cell cell_get(const PGresult *result, int row, int column);

/* An int4. */
int32_t cell_as_int(struct cell cell, int32_t otherwise);

/* A bool; false for NULL. */
bool cell_as_bool(struct cell cell);

/* A timestamptz; INSTANT_UNKNOWN for NULL. */
int64_t cell_as_instant(struct cell cell);

/* A text, cleaned, in the arena; NULL for NULL. */
const char *cell_as_text(struct arena *arena, struct cell cell, enum text_kind kind);

/* The fields of a record. Returns false unless it has just as many; the fields that were not read
 * are NULL then. */
bool cell_fields(struct cell record, struct cell *fields, size_t count);

int32_t cell_int(const PGresult *result, int row, int column, int32_t otherwise);
bool cell_is_true(const PGresult *result, int row, int column);
int64_t cell_instant(const PGresult *result, int row, int column);
const char *cell_text(
	struct arena *arena, const PGresult *result, int row, int column, enum text_kind kind);

/* An int4 or int8; −1 for NULL and for anything else. */
int64_t cell_number(const PGresult *result, int row, int column);

#endif
