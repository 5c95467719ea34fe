/* The last failure of each thread: dboutbox_error(). */
#ifndef OUTBOX_ERROR_H
#define OUTBOX_ERROR_H

#define ERROR_TEXT_MAX 512

/* Stores the text for dboutbox_error(), and returns the result. */
int outbox_fail(int result, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
