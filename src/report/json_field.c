/* One function writes and one reads each kind of value. */
#include "report/json_field.h"

#include <arpa/inet.h>
#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/arena.h"
#include "base/instant.h"
#include "base/text.h"
#include "model/endpoint.h"
#include "report/encoder.h"
#include "report/stream.h"

/* 10,000 years in µs: a longer duration is an error. */
#define LONGEST 3.2e17

int json_refuse(struct json_reader *reader, const char *key, const char *expected)
{
	char index[32] = "";
	const char *where = reader->where ? reader->where : "";
	if (reader->index != JSON_NO_INDEX)
		snprintf(index, sizeof(index), "[%zu]", reader->index);
	snprintf(reader->error, sizeof(reader->error), "%s%s%s%s: expected %s", where, index,
		*where && *key ? "." : "", key, expected);
	return -EINVAL;
}

/* The integers that are values; others are written as null, and null is read as `null`. */
static const struct integer {
	size_t size;
	int64_t least, most, null;
} integers[] = {
	[FIELD_COUNT] = { sizeof(int), 0, INT32_MAX, -1 },
	[FIELD_POSITIVE] = { sizeof(int32_t), 1, INT32_MAX, 0 },
	[FIELD_INT] = { sizeof(int32_t), INT32_MIN, INT32_MAX, 0 },
	[FIELD_UNSIGNED] = { sizeof(uint32_t), 0, UINT32_MAX, 0 },
	/* as signed numbers: the highest bit may be set */
	[FIELD_TICKS] = { sizeof(uint64_t), INT64_MIN, INT64_MAX, 0 },
	[FIELD_TOTAL] = { sizeof(uint64_t), 0, INT64_MAX, 0 },
	[FIELD_LARGE] = { sizeof(int64_t), 0, INT64_MAX, -1 },
};

static void store(const struct integer *integer, int64_t value, void *at)
{
	if (integer->size == sizeof(value))
		*(int64_t *)at = value;
	else
		*(int32_t *)at = (int32_t)value;
}

static int64_t load(const struct integer *integer, const void *at)
{
	if (integer->size == sizeof(int64_t))
		return *(const int64_t *)at;
	if (integer->most > INT32_MAX)
		return *(const uint32_t *)at;
	return *(const int32_t *)at;
}

static int read_integer(
	struct json_reader *reader, const struct json_field *field, const json_t *value, void *at)
{
	const struct integer *integer = &integers[field->kind];
	int64_t read = json_integer_value(value);
	if (!value)
		read = integer->null;
	else if (!json_is_integer(value))
		return json_refuse(reader, field->key, "a whole number");
	else if (read < integer->least || read > integer->most)
		return json_refuse(reader, field->key, "a number in its range");
	store(integer, read, at);
	return 0;
}

static void write_integer(struct encoder *encoder, const struct json_field *field, const void *at)
{
	const struct integer *integer = &integers[field->kind];
	int64_t value = load(integer, at);
	if (value < integer->least)
		encoder_null(encoder, field->key);
	else
		encoder_integer(encoder, field->key, value);
}

static int read_string(
	struct json_reader *reader, const struct json_field *field, const json_t *value, void *at)
{
	enum text_kind kind = field->kind == FIELD_TEXT ? TEXT_BLOCK : TEXT_LINE;
	if (value && !json_is_string(value))
		return json_refuse(reader, field->key, "text");
	*(const char **)at = value ? text_clean(reader->arena, json_string_value(value),
					     json_string_length(value), kind)
				   : NULL;
	return 0;
}

static void write_string(struct encoder *encoder, const struct json_field *field, const void *at)
{
	encoder_string(encoder, field->key, *(const char *const *)at);
}

static int read_instant(
	struct json_reader *reader, const struct json_field *field, const json_t *value, void *at)
{
	const char *text = json_string_value(value);
	*(int64_t *)at = INSTANT_UNKNOWN;
	if (value && (!text || instant_parse(text, at) < 0))
		return json_refuse(reader, field->key, "an instant, 2026-01-31T12:00:00Z");
	return 0;
}

static void write_instant(struct encoder *encoder, const struct json_field *field, const void *at)
{
	encoder_instant(encoder, field->key, *(const int64_t *)at);
}

static int read_flag(
	struct json_reader *reader, const struct json_field *field, const json_t *value, void *at)
{
	if (value && !json_is_boolean(value))
		return json_refuse(reader, field->key, "true or false");
	*(bool *)at = json_is_true(value);
	return 0;
}

static void write_flag(struct encoder *encoder, const struct json_field *field, const void *at)
{
	encoder_boolean(encoder, field->key, *(const bool *)at);
}

static int read_duration(
	struct json_reader *reader, const struct json_field *field, const json_t *value, void *at)
{
	double unit = (double)(field->kind == FIELD_SECONDS ? USEC_PER_SEC : USEC_PER_MSEC);
	double usec = value ? json_number_value(value) * unit : -1;
	if (value && (!json_is_number(value) || !(usec >= 0) || usec > LONGEST))
		return json_refuse(reader, field->key, "a number from 0");
	*(int64_t *)at = llround(usec);
	return 0;
}

static void write_duration(struct encoder *encoder, const struct json_field *field, const void *at)
{
	int64_t usec = *(const int64_t *)at;
	if (field->kind == FIELD_SECONDS)
		encoder_seconds(encoder, field->key, usec);
	else if (field->kind == FIELD_EXACT_MS)
		encoder_exact_ms(encoder, field->key, usec);
	else
		encoder_milliseconds(encoder, field->key, usec);
}

static int read_percent(
	struct json_reader *reader, const struct json_field *field, const json_t *value, void *at)
{
	if (value && !json_is_number(value))
		return json_refuse(reader, field->key, "a number");
	*(double *)at = value ? json_number_value(value) : NAN;
	return 0;
}

static void write_percent(struct encoder *encoder, const struct json_field *field, const void *at)
{
	encoder_percent(encoder, field->key, *(const double *)at);
}

static int read_word(
	struct json_reader *reader, const struct json_field *field, const json_t *value, void *at)
{
	const char *text = json_string_value(value);
	*(unsigned int *)at = 0;
	if (!value)
		return 0;
	for (unsigned int i = 0; text && i < field->words; i++) {
		const char *word = field->word(i);
		if (word && strcmp(word, text) == 0) {
			*(unsigned int *)at = i;
			return 0;
		}
	}
	return json_refuse(reader, field->key, "a word that this dbtop knows");
}

static void write_word(struct encoder *encoder, const struct json_field *field, const void *at)
{
	encoder_string(encoder, field->key, field->word(*(const unsigned int *)at));
}

static int read_address(
	struct json_reader *reader, const struct json_field *field, const json_t *value, void *at)
{
	const char *text = json_string_value(value);
	uint8_t bytes[16];
	int family = text && strchr(text, ':') ? AF_INET6 : AF_INET;
	*(struct endpoint *)at = (struct endpoint){ .family = AF_UNSPEC };
	if (!value)
		return 0;
	if (!text || inet_pton(family, text, bytes) != 1)
		return json_refuse(reader, field->key, "an address");
	*(struct endpoint *)at = endpoint_make(family, bytes, 0);
	return 0;
}

static void write_address(struct encoder *encoder, const struct json_field *field, const void *at)
{
	char address[ENDPOINT_TEXT_MAX];
	endpoint_address(at, address);
	encoder_string(encoder, field->key, address[0] ? address : NULL);
}

/* Its address has been read before: without one it is a Unix socket, and without a port it is not
 * known. */
static int read_port(
	struct json_reader *reader, const struct json_field *field, const json_t *value, void *at)
{
	struct endpoint *endpoint = at;
	json_int_t number = json_integer_value(value);
	bool has_address = endpoint->family != AF_UNSPEC;
	if (value && (!json_is_integer(value) || number < -1 || number > UINT16_MAX))
		return json_refuse(reader, field->key, "a port, or -1");
	if (value && has_address && number < 0)
		return json_refuse(reader, field->key, "a port");
	if (!value)
		*endpoint = (struct endpoint){ .family = AF_UNSPEC };
	else if (has_address)
		endpoint->port = (uint16_t)number;
	else
		endpoint->family = AF_UNIX;
	return 0;
}

static void write_port(struct encoder *encoder, const struct json_field *field, const void *at)
{
	const struct endpoint *endpoint = at;
	if (endpoint->family == AF_UNSPEC)
		encoder_null(encoder, field->key);
	else
		encoder_integer(
			encoder, field->key, endpoint->family == AF_UNIX ? -1 : endpoint->port);
}

/* read() gets NULL for null. */
static const struct {
	int (*read)(struct json_reader *reader, const struct json_field *field, const json_t *value,
		void *at);
	void (*write)(struct encoder *encoder, const struct json_field *field, const void *at);
} kinds[] = {
	[FIELD_NAME] = { read_string, write_string },
	[FIELD_TEXT] = { read_string, write_string },
	[FIELD_INSTANT] = { read_instant, write_instant },
	[FIELD_COUNT] = { read_integer, write_integer },
	[FIELD_POSITIVE] = { read_integer, write_integer },
	[FIELD_INT] = { read_integer, write_integer },
	[FIELD_UNSIGNED] = { read_integer, write_integer },
	[FIELD_TICKS] = { read_integer, write_integer },
	[FIELD_TOTAL] = { read_integer, write_integer },
	[FIELD_LARGE] = { read_integer, write_integer },
	[FIELD_FLAG] = { read_flag, write_flag },
	[FIELD_MS] = { read_duration, write_duration },
	[FIELD_EXACT_MS] = { read_duration, write_duration },
	[FIELD_SECONDS] = { read_duration, write_duration },
	[FIELD_PERCENT] = { read_percent, write_percent },
	[FIELD_WORD] = { read_word, write_word },
	[FIELD_ADDRESS] = { read_address, write_address },
	[FIELD_PORT] = { read_port, write_port },
};

static void write_array(struct encoder *encoder, const struct json_field *field, const void *at)
{
	const struct json_array *array = at;
	if (!array->items) {
		encoder_null(encoder, field->key);
		return;
	}
	encoder_open(encoder, field->key, '[');
	for (size_t i = 0; i < array->count; i++)
		json_write_object(encoder, NULL, field->table,
			(const char *)array->items + i * field->item_size);
	encoder_close(encoder, ']');
}

static void write_fields(struct encoder *encoder, const char *key, const struct json_table *table,
	const void *row, json_list_fn *write_list, const void *data)
{
	encoder_open(encoder, key, '{');
	for (size_t i = 0; i < table->count; i++) {
		const struct json_field *field = &table->fields[i];
		const void *at = (const char *)row + field->offset;
		if (field->kind == FIELD_LIST) {
			write_list(encoder, field->key, field->offset, data);
		} else if (field->kind == FIELD_OPTIONAL && !*(const bool *)at) {
			encoder_null(encoder, field->key);
		} else if (field->kind == FIELD_ARRAY) {
			write_array(encoder, field, at);
		} else if (field->table) {
			json_write_object(encoder, field->key, field->table, at);
		} else {
			kinds[field->kind].write(encoder, field, at);
		}
	}
	encoder_close(encoder, '}');
}

void json_write_object(
	struct encoder *encoder, const char *key, const struct json_table *table, const void *row)
{
	write_fields(encoder, key, table, row, NULL, NULL);
}

int json_write_line(FILE *file, const struct json_table *table, const void *row,
	json_list_fn *write_list, const void *data)
{
	struct encoder encoder = { .file = file };
	write_fields(&encoder, NULL, table, row, write_list, data);
	putc('\n', file);
	return stream_flush(file);
}

/* An object that is missing has no known field. Errors name an object of the top. */
static int read_object(
	struct json_reader *reader, const struct json_field *field, const json_t *value, void *at)
{
	if (value && !json_is_object(value))
		return json_refuse(reader, field->key, "an object");
	bool is_top = !reader->where;
	if (is_top)
		reader->where = field->key;
	int r = json_read_fields(reader, value, field->table, at);
	if (is_top)
		reader->where = NULL;
	if (field->kind == FIELD_OPTIONAL)
		*(bool *)at = value != NULL;
	return r;
}

static int read_array(
	struct json_reader *reader, const struct json_field *field, const json_t *value, void *at)
{
	struct json_array *array = at;
	*array = (struct json_array){ 0 };
	if (!value)
		return 0;
	if (!json_is_array(value))
		return json_refuse(reader, field->key, "an array");
	size_t count = json_array_size(value);
	array->items = arena_array(reader->arena, count + 1, field->item_size);
	for (int r; array->count < count; array->count++)
		if ((r = json_read_fields(reader, json_array_get(value, array->count), field->table,
			     (char *)array->items + array->count * field->item_size)) < 0)
			return r;
	return 0;
}

int json_read_fields(struct json_reader *reader, const json_t *object,
	const struct json_table *table, void *ret_row)
{
	int r = object && !json_is_object(object) ? json_refuse(reader, "", "an object") : 0;
	for (size_t i = 0; r == 0 && i < table->count; i++) {
		const struct json_field *field = &table->fields[i];
		void *at = (char *)ret_row + field->offset;
		const json_t *value = json_object_get(object, field->key);
		if (json_is_null(value))
			value = NULL;
		if (field->kind == FIELD_ARRAY)
			r = read_array(reader, field, value, at);
		else if (field->table)
			r = read_object(reader, field, value, at);
		else if (field->kind != FIELD_LIST)
			r = kinds[field->kind].read(reader, field, value, at);
	}
	return r;
}

int json_read_array(struct json_reader *reader, const json_t *root, const char *key,
	const json_t **ret_array, size_t *ret_count)
{
	const json_t *value = json_object_get(root, key);
	reader->where = NULL;
	if (value && !json_is_null(value) && !json_is_array(value))
		return json_refuse(reader, key, "an array");
	reader->where = key;
	*ret_array = json_is_null(value) ? NULL : value;
	*ret_count = json_array_size(*ret_array);
	return 0;
}
