/* The statement that reads pg_stat_activity, and the reader of its answer. A server may send any
 * answer. The reader has no side effects except allocations. */
#ifndef COLLECT_BACKEND_ROWS_H
#define COLLECT_BACKEND_ROWS_H

#include <libpq-fe.h>
#include <stdbool.h>

struct activity;

/* The whole statement; without pg_locks; without what calls functions about the server, for which a
 * role may lack the right; and without the texts of statements, which a session behind a pooler may
 * not be able to convert. */
#define BACKEND_ROWS_FORMS      4
#define BACKEND_ROWS_NO_QUERIES (BACKEND_ROWS_FORMS - 1)

/* Work from PostgreSQL 12 to 18. $1: the maximum number of bytes of a query text. The answer must
 * be requested in binary. */
extern const char *const backend_rows_sql[BACKEND_ROWS_FORMS];

/* What an answer lacks then, for people; NULL for the whole statement. */
extern const char *const backend_rows_lacks[BACKEND_ROWS_FORMS];

/* Reads the answer of a server of this version (PQserverVersion(); 0: unknown); with no_query_text,
 * without query texts. NULL if the answer has other columns; the caller owns the result. */
struct activity *backend_rows_read(const PGresult *result, int version, bool no_query_text)
	__attribute__((warn_unused_result));

#endif
