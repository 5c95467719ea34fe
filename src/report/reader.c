/* Checks each value when it is read. */
#include "report/reader.h"

#include <arpa/inet.h>
#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/instant.h"
#include "base/text.h"
#include "model/endpoint.h"

/* 10,000 years in µs: a longer duration is an error. */
#define LONGEST 3.2e17

int reader_refuse(struct reader *reader, const char *key, const char *expected)
{
	char index[32] = "";
	const char *where = reader->where ? reader->where : "";
	if (reader->index != READER_NO_INDEX)
		snprintf(index, sizeof(index), "[%zu]", reader->index);
	snprintf(reader->error, sizeof(reader->error), "%s%s%s%s: expected %s", where, index,
		*where && *key ? "." : "", key, expected);
	return -EINVAL;
}

static int read_string(struct reader *reader, const struct field *field, const json_t *value,
	enum text_kind kind, void *at)
{
	if (!json_is_string(value))
		return reader_refuse(reader, field->key, "text");
	*(const char **)at = text_clean(
		reader->arena, json_string_value(value), json_string_length(value), kind);
	return 0;
}

static int read_name(
	struct reader *reader, const struct field *field, const json_t *value, void *at)
{
	return read_string(reader, field, value, TEXT_LINE, at);
}

static int read_text(
	struct reader *reader, const struct field *field, const json_t *value, void *at)
{
	return read_string(reader, field, value, TEXT_BLOCK, at);
}

static int read_instant(
	struct reader *reader, const struct field *field, const json_t *value, void *at)
{
	if (!json_is_string(value) || instant_parse(json_string_value(value), at) < 0)
		return reader_refuse(reader, field->key, "an instant, 2026-01-31T12:00:00Z");
	return 0;
}

static int read_integer(struct reader *reader, const struct field *field, const json_t *value,
	int64_t least, int64_t most, int64_t *ret_integer)
{
	if (!json_is_integer(value))
		return reader_refuse(reader, field->key, "a whole number");
	int64_t integer = json_integer_value(value);
	if (integer < least || integer > most)
		return reader_refuse(reader, field->key, "a number in its range");
	*ret_integer = integer;
	return 0;
}

static int read_count(
	struct reader *reader, const struct field *field, const json_t *value, void *at)
{
	int64_t integer = 0;
	int r = read_integer(reader, field, value, 0, INT32_MAX, &integer);
	if (r == 0)
		*(int *)at = (int)integer;
	return r;
}

static int read_int(struct reader *reader, const struct field *field, const json_t *value, void *at)
{
	int64_t integer = 0;
	int r = read_integer(reader, field, value, INT32_MIN, INT32_MAX, &integer);
	if (r == 0)
		*(int32_t *)at = (int32_t)integer;
	return r;
}

static int read_unsigned(
	struct reader *reader, const struct field *field, const json_t *value, void *at)
{
	int64_t integer = 0;
	int r = read_integer(reader, field, value, 0, UINT32_MAX, &integer);
	if (r == 0)
		*(uint32_t *)at = (uint32_t)integer;
	return r;
}

static int read_large(
	struct reader *reader, const struct field *field, const json_t *value, void *at)
{
	return read_integer(reader, field, value, 0, INT64_MAX, at);
}

/* The ticks are written as a signed number: the highest bit may be set. */
static int read_ticks(
	struct reader *reader, const struct field *field, const json_t *value, void *at)
{
	int64_t integer = 0;
	int r = read_integer(reader, field, value, INT64_MIN, INT64_MAX, &integer);
	if (r == 0)
		*(uint64_t *)at = (uint64_t)integer;
	return r;
}

static int read_flag(
	struct reader *reader, const struct field *field, const json_t *value, void *at)
{
	if (!json_is_boolean(value))
		return reader_refuse(reader, field->key, "true or false");
	*(bool *)at = json_is_true(value);
	return 0;
}

static int read_duration(struct reader *reader, const struct field *field, const json_t *value,
	double unit, int64_t *ret_usec)
{
	double usec = json_number_value(value) * unit;
	if (!json_is_number(value) || !(usec >= 0) || usec > LONGEST)
		return reader_refuse(reader, field->key, "a number from 0");
	*ret_usec = llround(usec);
	return 0;
}

static int read_ms(struct reader *reader, const struct field *field, const json_t *value, void *at)
{
	return read_duration(reader, field, value, (double)USEC_PER_MSEC, at);
}

static int read_seconds(
	struct reader *reader, const struct field *field, const json_t *value, void *at)
{
	return read_duration(reader, field, value, (double)USEC_PER_SEC, at);
}

static int read_percent(
	struct reader *reader, const struct field *field, const json_t *value, void *at)
{
	if (!json_is_number(value))
		return reader_refuse(reader, field->key, "a number");
	*(double *)at = json_number_value(value);
	return 0;
}

static int read_word(
	struct reader *reader, const struct field *field, const json_t *value, void *at)
{
	const char *text = json_string_value(value);
	for (unsigned int i = 0; text && i < field->words; i++) {
		const char *word = field->word(i);
		if (word && strcmp(word, text) == 0) {
			*(unsigned int *)at = i;
			return 0;
		}
	}
	return reader_refuse(reader, field->key, "a word that this dbtop knows");
}

static void unknown_instant(void *at)
{
	*(int64_t *)at = INSTANT_UNKNOWN;
}

static void unknown_count(void *at)
{
	*(int *)at = -1;
}

static void unknown_large(void *at)
{
	*(int64_t *)at = -1;
}

static void unknown_percent(void *at)
{
	*(double *)at = NAN;
}

static const struct {
	int (*read)(
		struct reader *reader, const struct field *field, const json_t *value, void *at);
	void (*unknown)(void *at); /* NULL: zero is */
	size_t size;
} kinds[] = {
	[FIELD_NAME] = { read_name, NULL, sizeof(const char *) },
	[FIELD_TEXT] = { read_text, NULL, sizeof(const char *) },
	[FIELD_INSTANT] = { read_instant, unknown_instant, sizeof(int64_t) },
	[FIELD_COUNT] = { read_count, unknown_count, sizeof(int) },
	[FIELD_INT] = { read_int, NULL, sizeof(int32_t) },
	[FIELD_UNSIGNED] = { read_unsigned, NULL, sizeof(uint32_t) },
	[FIELD_LARGE] = { read_large, unknown_large, sizeof(int64_t) },
	[FIELD_TICKS] = { read_ticks, NULL, sizeof(uint64_t) },
	[FIELD_FLAG] = { read_flag, NULL, sizeof(bool) },
	[FIELD_MS] = { read_ms, unknown_large, sizeof(int64_t) },
	[FIELD_SECONDS] = { read_seconds, unknown_large, sizeof(int64_t) },
	[FIELD_PERCENT] = { read_percent, unknown_percent, sizeof(double) },
	[FIELD_WORD] = { read_word, NULL, sizeof(unsigned int) },
};

int reader_fields(struct reader *reader, const json_t *object, const struct field *fields,
	size_t n_fields, void *ret_struct)
{
	if (object && !json_is_object(object))
		return reader_refuse(reader, "", "an object");
	for (size_t i = 0; i < n_fields; i++) {
		const struct field *field = &fields[i];
		void *at = (char *)ret_struct + field->offset;
		const json_t *value = json_object_get(object, field->key);
		if (value && !json_is_null(value)) {
			int r = kinds[field->kind].read(reader, field, value, at);
			if (r < 0)
				return r;
		} else if (kinds[field->kind].unknown) {
			kinds[field->kind].unknown(at);
		} else {
			memset(at, 0, kinds[field->kind].size);
		}
	}
	return 0;
}

static int read_container(struct reader *reader, const json_t *object, const char *key,
	json_type type, const json_t **ret_value)
{
	const json_t *value = json_object_get(object, key);
	if (value && !json_is_null(value) && json_typeof(value) != type)
		return reader_refuse(reader, key, type == JSON_OBJECT ? "an object" : "an array");
	*ret_value = json_is_null(value) ? NULL : value;
	return 0;
}

int reader_object(
	struct reader *reader, const json_t *object, const char *key, const json_t **ret_value)
{
	return read_container(reader, object, key, JSON_OBJECT, ret_value);
}

int reader_array(
	struct reader *reader, const json_t *object, const char *key, const json_t **ret_value)
{
	return read_container(reader, object, key, JSON_ARRAY, ret_value);
}

int reader_begin(struct reader *reader, const json_t *root, const char *key,
	const json_t **ret_array, size_t *ret_count)
{
	reader->where = NULL;
	int r = reader_array(reader, root, key, ret_array);
	reader->where = key;
	*ret_count = r == 0 ? json_array_size(*ret_array) : 0;
	return r;
}

int reader_endpoint(struct reader *reader, const json_t *object, struct endpoint *ret_endpoint)
{
	const json_t *address = json_object_get(object, "client_addr");
	const json_t *port = json_object_get(object, "client_port");
	const char *text = json_string_value(address);
	uint8_t bytes[16];
	*ret_endpoint = (struct endpoint){ .family = AF_UNSPEC };
	if (!port || json_is_null(port))
		return 0;
	json_int_t number = json_integer_value(port);
	if (!json_is_integer(port) || number < -1 || number > UINT16_MAX)
		return reader_refuse(reader, "client_port", "a port, or -1");
	if (!text) {
		ret_endpoint->family = AF_UNIX;
		return 0;
	}
	int family = strchr(text, ':') ? AF_INET6 : AF_INET;
	if (number < 0 || inet_pton(family, text, bytes) != 1)
		return reader_refuse(reader, "client_addr", "an address");
	*ret_endpoint = endpoint_make(family, bytes, (uint16_t)number);
	return 0;
}
