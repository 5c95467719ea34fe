/* Writes JSON; jansson encodes the strings that need escapes.
 *
 * Numbers are formatted from integers: printf() uses the decimal point of the locale, which may be
 * a comma. */
#include "report/encoder.h"

#include <inttypes.h>
#include <jansson.h>
#include <math.h>

#include "base/instant.h"

/* Only this thread writes to the stream while it is encoded, so its lock is not needed. */
static void put(struct encoder *encoder, const char *text)
{
	fputs_unlocked(text, encoder->file);
}

static void put_char(struct encoder *encoder, char c)
{
	putc_unlocked(c, encoder->file);
}

/* Keys are constants without characters that need escapes. */
static void begin_value(struct encoder *encoder, const char *key)
{
	if (encoder->inside)
		put_char(encoder, ',');
	encoder->inside = true;
	if (key) {
		put_char(encoder, '"');
		put(encoder, key);
		put(encoder, "\":");
	}
}

void encoder_open(struct encoder *encoder, const char *key, char bracket)
{
	begin_value(encoder, key);
	put_char(encoder, bracket);
	encoder->inside = false;
}

void encoder_close(struct encoder *encoder, char bracket)
{
	put_char(encoder, bracket);
	encoder->inside = true;
}

void encoder_null(struct encoder *encoder, const char *key)
{
	begin_value(encoder, key);
	put(encoder, "null");
}

/* Most strings are names and states without escapes. Writing them directly is ten times as fast as
 * jansson. */
static bool is_plain(const char *text)
{
	for (; *text; text++)
		if (*text < ' ' || *text > '~' || *text == '"' || *text == '\\')
			return false;
	return true;
}

static void put_escaped(struct encoder *encoder, const char *value)
{
	json_t *string = json_string(value);
	if (!string || json_dumpf(string, encoder->file, JSON_ENCODE_ANY) != 0)
		put(encoder, "null");
	json_decref(string);
}

void encoder_string(struct encoder *encoder, const char *key, const char *value)
{
	if (!value) {
		encoder_null(encoder, key);
		return;
	}
	begin_value(encoder, key);
	if (!is_plain(value)) {
		put_escaped(encoder, value);
		return;
	}
	put_char(encoder, '"');
	put(encoder, value);
	put_char(encoder, '"');
}

void encoder_integer(struct encoder *encoder, const char *key, int64_t value)
{
	begin_value(encoder, key);
	fprintf(encoder->file, "%" PRId64, value);
}

/* Writes null for a negative value. */
static void put_count(struct encoder *encoder, const char *key, int64_t value)
{
	if (value < 0)
		encoder_null(encoder, key);
	else
		encoder_integer(encoder, key, value);
}

void encoder_boolean(struct encoder *encoder, const char *key, bool value)
{
	begin_value(encoder, key);
	put(encoder, value ? "true" : "false");
}

void encoder_instant(struct encoder *encoder, const char *key, int64_t instant)
{
	char text[INSTANT_TEXT_MAX];
	encoder_string(
		encoder, key, instant == INSTANT_UNKNOWN ? NULL : instant_rfc3339(instant, text));
}

void encoder_milliseconds(struct encoder *encoder, const char *key, int64_t usec)
{
	put_count(encoder, key, usec < 0 ? -1 : usec / USEC_PER_MSEC);
}

static void put_thousandths(struct encoder *encoder, const char *key, int64_t thousandths)
{
	begin_value(encoder, key);
	fprintf(encoder->file, "%" PRId64 ".%03" PRId64, thousandths / 1000, thousandths % 1000);
}

void encoder_seconds(struct encoder *encoder, const char *key, int64_t usec)
{
	if (usec < 0)
		encoder_null(encoder, key);
	else
		put_thousandths(encoder, key, usec / USEC_PER_MSEC);
}

void encoder_exact_ms(struct encoder *encoder, const char *key, int64_t usec)
{
	if (usec < 0)
		encoder_null(encoder, key);
	else
		put_thousandths(encoder, key, usec);
}

void encoder_percent(struct encoder *encoder, const char *key, double value)
{
	if (!isfinite(value) || value < 0 || value > 1e9) {
		encoder_null(encoder, key);
		return;
	}
	int64_t tenths = llround(value * 10);
	begin_value(encoder, key);
	fprintf(encoder->file, "%" PRId64 ".%" PRId64, tenths / 10, tenths % 10);
}
