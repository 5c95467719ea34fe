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

/* Returns exactly `size` bytes, owned by the result; NULL for NULL and for any other length. */
const char *cell_bytes(const PGresult *result, int row, int column, int size);

/* An int4. */
int32_t cell_int(const PGresult *result, int row, int column, int32_t otherwise);

/* An int4 or int8; −1 for NULL and for anything else. */
int64_t cell_number(const PGresult *result, int row, int column);

/* A bool; false for NULL. */
bool cell_is_true(const PGresult *result, int row, int column);

/* A timestamptz; INSTANT_UNKNOWN for NULL. */
int64_t cell_instant(const PGresult *result, int row, int column);

/* A text, cleaned, in the arena; NULL for NULL. */
const char *cell_text(
	struct arena *arena, const PGresult *result, int row, int column, enum text_kind kind);

#endif
