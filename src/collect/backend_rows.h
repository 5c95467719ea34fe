/* The statement that reads pg_stat_activity, and the reader of its answer. A server may send any
 * answer. The reader has no side effects except allocations. */
#ifndef COLLECT_BACKEND_ROWS_H
#define COLLECT_BACKEND_ROWS_H

#include <libpq-fe.h>
#include <stdbool.h>

struct activity;

/* Works from PostgreSQL 12 to 18. $1: the maximum number of characters of a query text. The answer
 * must be requested in binary. */
extern const char backend_rows_sql[];

/* Reads the answer of a server of this version (PQserverVersion(); 0: unknown); with no_query_text,
 * without query texts. NULL if the answer has other columns; the caller owns the result. */
struct activity *backend_rows_read(const PGresult *result, int version, bool no_query_text)
	__attribute__((warn_unused_result));

#endif
