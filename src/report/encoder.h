/* JSON written as it is told, without a tree in between: 2,000 connections each second are many.
 *
 * Within an object each value has a key; within an array the key is NULL. What is unknown (NULL,
 * INSTANT_UNKNOWN, a negative count) is null. Errors are the stream's: ferror() and fflush(). */
#ifndef REPORT_ENCODER_H
#define REPORT_ENCODER_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct encoder {
	FILE *file;
	bool inside; /* a value was written before on this level: a comma is due */
};

void encoder_open(struct encoder *encoder, const char *key, char bracket);
/* bracket is the closing one. */
void encoder_close(struct encoder *encoder, char bracket);

/* Valid UTF-8, as base/text leaves it. */
void encoder_string(struct encoder *encoder, const char *key, const char *value);
void encoder_integer(struct encoder *encoder, const char *key, int64_t value);
/* null when negative. */
void encoder_count(struct encoder *encoder, const char *key, int64_t value);
void encoder_boolean(struct encoder *encoder, const char *key, bool value);
void encoder_null(struct encoder *encoder, const char *key);
void encoder_instant(struct encoder *encoder, const char *key, int64_t instant);
/* Microseconds as milliseconds or as seconds with three digits; null when negative. */
void encoder_milliseconds(struct encoder *encoder, const char *key, int64_t usec);
void encoder_seconds(struct encoder *encoder, const char *key, int64_t usec);
/* Microseconds as milliseconds with three digits: where the digits matter. */
void encoder_exact_ms(struct encoder *encoder, const char *key, int64_t usec);
/* One digit after the point; null when it is not a number. */
void encoder_percent(struct encoder *encoder, const char *key, double value);

#endif
