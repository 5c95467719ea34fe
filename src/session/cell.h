/* Cells of a result in the binary format. */
#ifndef SESSION_CELL_H
#define SESSION_CELL_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>

/* Whether the result has rows of so many columns; false for NULL and for failures. */
bool cell_has_rows(const PGresult *result, int columns);

/* An int4 or int8; −1 for NULL and for anything else. */
int64_t cell_number(const PGresult *result, int row, int column);

/* A bool; false for NULL. */
bool cell_is_true(const PGresult *result, int row, int column);

#endif
