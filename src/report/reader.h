/* Reads JSON's values into structs by tables; the reverse of the encoder.
 *
 * The input may be anything: a value of another type or out of its range is an error that says
 * where it is. A missing value is like null, which means not known. */
#ifndef REPORT_READER_H
#define REPORT_READER_H

#include <jansson.h>
#include <stddef.h>

struct arena;
struct endpoint;

#define READER_ERROR_MAX 256

struct reader {
	struct arena *arena;          /* strings are stored there, clean */
	const char *where;            /* "connections": the current array; NULL at the top */
	size_t index;                 /* the index in it; READER_NO_INDEX */
	char error[READER_ERROR_MAX]; /* "" if there is no error */
};
#define READER_NO_INDEX ((size_t)-1)

enum field_kind {
	FIELD_NAME,     /* const char *, on one line; NULL for null */
	FIELD_TEXT,     /* the same with its line breaks */
	FIELD_INSTANT,  /* int64_t; INSTANT_UNKNOWN */
	FIELD_COUNT,    /* int; −1 */
	FIELD_INT,      /* int32_t; 0 */
	FIELD_UNSIGNED, /* uint32_t; 0 */
	FIELD_LARGE,    /* int64_t; −1 */
	FIELD_TICKS,    /* uint64_t; 0 */
	FIELD_FLAG,     /* bool; false */
	FIELD_MS,       /* int64_t µs, written as milliseconds; −1 */
	FIELD_SECONDS,  /* int64_t µs, written as seconds; −1 */
	FIELD_PERCENT,  /* double; NAN */
	FIELD_WORD,     /* an enum; null is its first value */
};

struct field {
	const char *key;
	enum field_kind kind;
	size_t offset;
	const char *(*word)(
		unsigned int value); /* FIELD_WORD: the number of `words`; a word may be NULL */
	unsigned int words;
};

/* Reads all fields of an object; missing ones and null are not known. Returns 0, or -EINVAL with
 * reader->error set. */
int reader_fields(struct reader *reader, const json_t *object, const struct field *fields,
	size_t n_fields, void *ret_struct) __attribute__((warn_unused_result));

/* Finds the object or array of a key: NULL if there is none, or null. *ret_value is borrowed. */
int reader_object(struct reader *reader, const json_t *object, const char *key,
	const json_t **ret_value) __attribute__((warn_unused_result));
int reader_array(struct reader *reader, const json_t *object, const char *key,
	const json_t **ret_value) __attribute__((warn_unused_result));

/* The same for an array at the top; later errors name it. *ret_count is its number of elements, 0
 * if there is none. */
int reader_begin(struct reader *reader, const json_t *root, const char *key,
	const json_t **ret_array, size_t *ret_count) __attribute__((warn_unused_result));

/* Reads "client_addr" and "client_port" of an object: port −1 is a Unix socket, null
 * is not known. */
int reader_endpoint(struct reader *reader, const json_t *object, struct endpoint *ret_endpoint)
	__attribute__((warn_unused_result));

/* Sets "WHERE[INDEX].KEY: expected WHAT" and returns -EINVAL. */
int reader_refuse(struct reader *reader, const char *key, const char *expected);

#endif
