/* The rows of pg_stat_activity, as any server may send them: the statement, and the reader of its
 * answer. Pure but for the allocations. */
#ifndef COLLECT_BACKEND_ROWS_H
#define COLLECT_BACKEND_ROWS_H

#include <libpq-fe.h>
#include <stdbool.h>

struct activity;

/* Works from PostgreSQL 12 to 18. $1: how many characters of a statement's text are sent. The
 * answer has to be asked for in binary. */
extern const char backend_rows_sql[];

/* The answer of a server of this version (PQserverVersion(); 0 when it is not known). Without the
 * text of the statements if so asked. NULL when the answer has other columns; else the caller's. */
struct activity *backend_rows_read(const PGresult *result, int version, bool no_query_text)
	__attribute__((warn_unused_result));

#endif
