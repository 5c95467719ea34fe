/* A console's answer: text, in columns that move from version to version and are found by name. */
#ifndef COLLECT_CONSOLE_TABLE_H
#define COLLECT_CONSOLE_TABLE_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/endpoint.h"

struct arena;

#define CONSOLE_COLUMNS_MAX 24

struct console_table {
	const PGresult *result;
	int rows;
	int columns[CONSOLE_COLUMNS_MAX]; /* by the caller's index; −1: this version has none */
};

/* Finds the columns. The first n_needed have to be there: false without them, and for an answer
 * that is no table. */
bool console_table_read(struct console_table *table, const PGresult *result,
	const char *const *names, size_t n_names, size_t n_needed);

/* The cell as it came; "" for NULL and for a column that is not there. */
const char *console_table_raw(const struct console_table *table, int row, size_t column);

/* A clean copy; NULL when it is empty. */
const char *console_table_text(
	const struct console_table *table, int row, size_t column, struct arena *arena);

/* −1 when it is no number from 0 on. */
int64_t console_table_count(const struct console_table *table, int row, size_t column);

/* Seconds in one column and the microseconds beyond them in another, as µs; −1 without the first.
 */
int64_t console_table_duration(
	const struct console_table *table, int row, size_t seconds, size_t microseconds);

/* Two cells as an end of a connection: "unix" is AF_UNIX, what cannot be read AF_UNSPEC. */
struct endpoint console_table_endpoint(
	const struct console_table *table, int row, size_t address, size_t port);

/* A hash of the cell's bytes; 0 when it is empty. */
uint64_t console_table_hash(const struct console_table *table, int row, size_t column);

#endif
