/* The statement that reads pg_stat_activity, and the reader of its answer. A server may send any
 * answer. The reader has no side effects except allocations. */
#ifndef COLLECT_BACKEND_ROWS_H
#define COLLECT_BACKEND_ROWS_H

#include <libpq-fe.h>
#include <stdbool.h>

struct activity;

/* The forms of the statement: whole; without the tables of roles and databases; without pg_locks
 * as well; without what calls functions about the server, too, for each of which a role may lack
 * the right; and without the texts of statements, which a session behind a pooler may not be able
 * to convert. */
enum backend_rows_form {
	BACKEND_ROWS_WHOLE,
	BACKEND_ROWS_NO_CATALOG,
	BACKEND_ROWS_NO_LOCKS,
	BACKEND_ROWS_NO_FACTS,
	BACKEND_ROWS_NO_QUERIES,
};
#define BACKEND_ROWS_FORMS (BACKEND_ROWS_NO_QUERIES + 1)

struct backend_rows_options {
	int version; /* of the server, PQserverVersion(); 0: not known */
	enum backend_rows_form form;
	bool stored_bytes;  /* texts come as they are stored; otherwise the server converted them */
	bool no_query_text; /* keep no query texts */
};

/* Work from PostgreSQL 12 to 18. $1: the maximum number of bytes of a query text. The answer must
 * be requested in binary. */
extern const char *const backend_rows_sql[BACKEND_ROWS_FORMS];

/* What an answer lacks then, for people; NULL for the whole statement. */
extern const char *const backend_rows_lacks[BACKEND_ROWS_FORMS];

/* Reads the answer. NULL if it has other columns; the caller owns the result. */
struct activity *backend_rows_read(const PGresult *result,
	const struct backend_rows_options *options) __attribute__((warn_unused_result));

#endif
