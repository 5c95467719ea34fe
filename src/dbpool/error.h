/* What failed last in this thread. */
#ifndef DBPOOL_ERROR_H
#define DBPOOL_ERROR_H

#define TEXT_MAX 1024 /* bytes of a description, with its zero byte */

/* Sets dbpool_error() and returns result. */
int fail(int result, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
