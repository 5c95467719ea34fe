/* An answer of a console: text, in columns whose order changes between versions, so that they are
 * found by name. */
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
	int columns[CONSOLE_COLUMNS_MAX]; /* by the caller's index; −1: this version has no such
					     column */
};

/* Finds the columns. False if one of the first n_needed columns is missing, or if the answer is no
 * table. */
bool console_table_read(struct console_table *table, const PGresult *result,
	const char *const *names, size_t n_names, size_t n_needed);

/* The unchanged text of the cell; "" if it is NULL or the column is missing. */
const char *console_table_raw(const struct console_table *table, int row, size_t column);

/* A clean copy; NULL if the cell is empty. */
const char *console_table_text(
	const struct console_table *table, int row, size_t column, struct arena *arena);

/* −1 if the cell is not a number of at least 0. */
int64_t console_table_count(const struct console_table *table, int row, size_t column);

/* Seconds in one column plus microseconds in another, as µs; −1 without the first. */
int64_t console_table_duration(
	const struct console_table *table, int row, size_t seconds, size_t microseconds);

/* Two cells as an endpoint: "unix" is AF_UNIX, other unreadable text is AF_UNSPEC. */
struct endpoint console_table_endpoint(
	const struct console_table *table, int row, size_t address, size_t port);

/* A hash of the cell's bytes; 0 if it is empty. */
uint64_t console_table_hash(const struct console_table *table, int row, size_t column);

#endif
