/* Writes JSON in the order of the calls, without building a tree: there may be 2,000 connections in
 * each second.
 *
 * Within an object each value has a key; within an array the key is NULL. A value that is not known
 * (NULL, INSTANT_UNKNOWN, a negative count) is written as null. Errors are the stream's: check
 * ferror() and fflush(). */
#ifndef REPORT_ENCODER_H
#define REPORT_ENCODER_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct encoder {
	FILE *file;
	bool inside; /* a value was written before on this level: a comma is needed */
};

void encoder_open(struct encoder *encoder, const char *key, char bracket);
/* bracket is the closing bracket. */
void encoder_close(struct encoder *encoder, char bracket);

/* The text must be valid UTF-8, as base/text makes it. */
void encoder_string(struct encoder *encoder, const char *key, const char *value);
void encoder_integer(struct encoder *encoder, const char *key, int64_t value);
void encoder_boolean(struct encoder *encoder, const char *key, bool value);
void encoder_null(struct encoder *encoder, const char *key);
void encoder_instant(struct encoder *encoder, const char *key, int64_t instant);
/* Microseconds as milliseconds or as seconds with three decimals; null when negative. */
void encoder_milliseconds(struct encoder *encoder, const char *key, int64_t usec);
void encoder_seconds(struct encoder *encoder, const char *key, int64_t usec);
/* Microseconds as milliseconds with three decimals, where small times matter. */
void encoder_exact_ms(struct encoder *encoder, const char *key, int64_t usec);
/* One decimal; null for NAN and infinity. */
void encoder_percent(struct encoder *encoder, const char *key, double value);

#endif
