/* The JSON's fields as tables: a row writes a field from a struct, and reads it back where
 * something is read at all: results are only written.
 *
 * A value that is not known is null, in both directions; a missing value is read like null. What is
 * read may be anything: a value of another type or out of its range is an error that says where it
 * is. */
#ifndef REPORT_JSON_FIELD_H
#define REPORT_JSON_FIELD_H

#include <jansson.h>
#include <stddef.h>
#include <stdio.h>

/* The version of all JSON that dbtop writes. */
#define SCHEMA 1

struct arena;
struct encoder;

enum field_kind {
	FIELD_NAME,     /* const char *, read as one line; NULL is null */
	FIELD_TEXT,     /* the same with its line breaks */
	FIELD_INSTANT,  /* int64_t; INSTANT_UNKNOWN is null */
	FIELD_COUNT,    /* int; negative is null */
	FIELD_POSITIVE, /* int32_t; 0 is null */
	FIELD_INT,      /* int32_t; null is read as 0, as for the next two */
	FIELD_UNSIGNED, /* uint32_t */
	FIELD_TICKS,    /* uint64_t */
	FIELD_TOTAL,    /* uint64_t; TOTAL_UNKNOWN is null, which is read as 0 */
	FIELD_LARGE,    /* int64_t; negative is null */
	FIELD_FLAG,     /* bool; null is read as false */
	FIELD_MS,       /* int64_t µs, as whole milliseconds; negative is null */
	FIELD_EXACT_MS, /* int64_t µs, as milliseconds with decimals; negative is null */
	FIELD_SECONDS,  /* int64_t µs, as seconds with decimals; negative is null */
	FIELD_PERCENT,  /* double; NAN is null */
	FIELD_WORD,     /* an enum, by its word; null is read as its first value */
	FIELD_ADDRESS,  /* struct endpoint: its address; no address is null */
	FIELD_PORT,     /* the same endpoint, in the next row: its port; −1 for a Unix socket */
	FIELD_OBJECT,   /* a struct with a table of its own */
	FIELD_OPTIONAL, /* the same; its first member is `bool present`, and false is null */
	FIELD_ARRAY,    /* struct json_array: an array of objects with a table of their own; NULL is
			  null */
	FIELD_LIST,     /* an array, whose elements the caller writes and reads; `offset` is its
			  number among the caller's arrays */
};
#define TOTAL_UNKNOWN UINT64_MAX

struct json_field {
	const char *key;
	enum field_kind kind;
	size_t offset;
	const char *(*word)(unsigned int value); /* FIELD_WORD; a value without a word is null */
	unsigned int words;                      /* FIELD_WORD: how many values there are */
	const struct json_table *table;          /* FIELD_OBJECT, FIELD_OPTIONAL, FIELD_ARRAY */
	size_t item_size;                        /* FIELD_ARRAY: of one item */
};

/* The structs of a small array within an object. Read ones are in the reader's arena. */
struct json_array {
	void *items;
	size_t count;
};

struct json_table {
	const struct json_field *fields;
	size_t count;
};

/* Writes an array with its key, or null; `list` is the number in its row. */
typedef void json_list_fn(struct encoder *encoder, const char *key, size_t list, const void *data);

/* Writes an object that has no array. */
void json_write_object(
	struct encoder *encoder, const char *key, const struct json_table *table, const void *row);

/* Writes an object as a line, and flushes. write_list writes its arrays. Returns 0, or a negative
 * errno if the stream failed: its reader may have closed it. */
int json_write_line(FILE *file, const struct json_table *table, const void *row,
	json_list_fn *write_list, const void *data) __attribute__((warn_unused_result));

#define JSON_ERROR_MAX 256

struct json_reader {
	struct arena *arena;        /* strings are stored there, clean */
	const char *where;          /* "connections": the object or array; NULL at the top */
	size_t index;               /* the index in it; JSON_NO_INDEX */
	char error[JSON_ERROR_MAX]; /* "" if there is no error */
};
#define JSON_NO_INDEX ((size_t)-1)

/* Reads all fields of an object but its arrays; NULL has no fields. Returns 0, or -EINVAL with
 * reader->error set. */
int json_read_fields(struct json_reader *reader, const json_t *object,
	const struct json_table *table, void *ret_row) __attribute__((warn_unused_result));

/* Finds an array at the top: NULL if there is none, or null. Later errors name it. *ret_count is
 * its number of elements. The array is borrowed. */
int json_read_array(struct json_reader *reader, const json_t *root, const char *key,
	const json_t **ret_array, size_t *ret_count) __attribute__((warn_unused_result));

/* Sets "WHERE[INDEX].KEY: expected WHAT" and returns -EINVAL. */
int json_refuse(struct json_reader *reader, const char *key, const char *expected);

#endif
