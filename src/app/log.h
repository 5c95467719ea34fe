/* --log FILE: what dbtop itself did and met, a line each. */
#ifndef APP_LOG_H
#define APP_LOG_H

struct log;

/* Appends to path, mode 0600. Returns 0 or a negative errno. */
int log_open(const char *path, struct log **ret_log) __attribute__((warn_unused_result));

/* NULL is allowed here and below: nothing is logged. */
void log_close(struct log *log);

/* "2026-01-31T12:00:00.123456Z text". The text must be clean; one that repeats the last is left
 * out. */
void log_write(struct log *log, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
