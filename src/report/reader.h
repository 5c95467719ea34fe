/* JSON's values into structs, by tables: the other way round of the encoder.
 *
 * Whatever was written may come in: a value of another type, or out of its range, is an error that
 * says where it stands; one that is missing is as null, which is "not known". */
#ifndef REPORT_READER_H
#define REPORT_READER_H

#include <jansson.h>
#include <stddef.h>

struct arena;
struct endpoint;

#define READER_ERROR_MAX 256

struct reader {
	struct arena *arena;          /* strings go there, clean */
	const char *where;            /* "connections": what is being read; NULL at the top */
	size_t index;                 /* … and which of them; READER_NO_INDEX */
	char error[READER_ERROR_MAX]; /* "" while all is well */
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
	FIELD_WORD,     /* an enum; its first one for null */
};

struct field {
	const char *key;
	enum field_kind kind;
	size_t offset;
	const char *(*word)(unsigned int value); /* FIELD_WORD: of `words` of them; may be NULL */
	unsigned int words;
};

/* All fields of an object; null and missing ones are as not known. Returns 0, or -EINVAL with
 * reader->error set. */
int reader_fields(struct reader *reader, const json_t *object, const struct field *fields,
	size_t n_fields, void *ret_struct) __attribute__((warn_unused_result));

/* The object or array under a key: NULL when there is none, or null. *ret_value is borrowed. */
int reader_object(struct reader *reader, const json_t *object, const char *key,
	const json_t **ret_value) __attribute__((warn_unused_result));
int reader_array(struct reader *reader, const json_t *object, const char *key,
	const json_t **ret_value) __attribute__((warn_unused_result));

/* The same for an array at the top, of which errors tell from then on; *ret_count is the number of
 * its elements, 0 without one. */
int reader_begin(struct reader *reader, const json_t *root, const char *key,
	const json_t **ret_array, size_t *ret_count) __attribute__((warn_unused_result));

/* "client_addr" and "client_port" of an object: port −1 is a Unix socket, null not known. */
int reader_endpoint(struct reader *reader, const json_t *object, struct endpoint *ret_endpoint)
	__attribute__((warn_unused_result));

/* Sets "WHERE[INDEX].KEY: expected WHAT" and returns -EINVAL. */
int reader_refuse(struct reader *reader, const char *key, const char *expected);

#endif
