/* collect/backend_rows: rows of pg_stat_activity in the binary format, from any server. An input is
 * a byte whose lowest bit leaves the text of statements out and whose others are the difference
 * from the right number of columns, then the cells: a byte for the length (255: NULL; 254: two
 * bytes of length follow), and the bytes. */
#include <libpq-fe.h>
#include <string.h>

#include "base/instant.h"
#include "collect/backend_rows.h"
#include "fuzz.h"
#include "model/activity.h"

#define COLUMNS    22
#define NULL_CELL  255
#define LARGE_CELL 254
#define VERSION    150020

struct input {
	const uint8_t *bytes;
	size_t size;
};

static uint8_t take_byte(struct input *input)
{
	if (!input->size)
		return 0;
	input->size--;
	return *input->bytes++;
}

/* The length of the next cell; −1 for NULL. */
static int take_length(struct input *input)
{
	int length = take_byte(input);
	if (length == NULL_CELL)
		return -1;
	if (length == LARGE_CELL) {
		length = take_byte(input) << 8;
		length |= take_byte(input);
	}
	return (size_t)length > input->size ? (int)input->size : length;
}

static PGresult *make_answer(struct input *input, int columns)
{
	PGresAttDesc attributes[COLUMNS + 1] = { 0 };
	PGresult *result = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);
	for (int i = 0; i < columns; i++)
		attributes[i] = (PGresAttDesc){ .name = (char *)"c", .format = 1 };
	MUST(PQsetResultAttrs(result, columns, attributes));
	for (int row = 0; input->size > 0; row++)
		for (int column = 0; column < columns; column++) {
			int length = take_length(input);
			MUST(PQsetvalue(result, row, column, (char *)input->bytes, length));
			if (length > 0) {
				input->bytes += length;
				input->size -= (size_t)length;
			}
		}
	return result;
}

static void check_text(const char *text, bool block)
{
	for (; text && *text; text++) {
		bool layout = block && (*text == '\n' || *text == '\t');
		MUST(((unsigned char)*text >= 0x20 && *text != 0x7f) || layout);
	}
}

static void check_backend(const struct backend *backend, bool no_query_text)
{
	char client[ENDPOINT_TEXT_MAX];
	MUST((int)backend->kind >= 0 && backend->kind < BACKEND_KIND_COUNT);
	check_text(backend->database, false);
	check_text(backend->user, false);
	check_text(backend->application_name, false);
	check_text(backend->state_text, false);
	check_text(backend->wait_event_type, false);
	check_text(backend->wait_event, false);
	check_text(backend->query, true);
	MUST(!no_query_text || !backend->query);
	MUST(strlen(endpoint_format(&backend->client, client)) < sizeof(client));
}

bool fuzz_one(const uint8_t *data, size_t size)
{
	struct input input = { data, size };
	uint8_t first = take_byte(&input);
	bool no_query_text = first & 1;
	int columns = COLUMNS + (first >> 1 == 1 ? 1 : first >> 1 == 2 ? -1 : 0);
	PGresult *result = make_answer(&input, columns);
	const struct backend_rows_options options = {
		.version = VERSION,
		.stored_bytes = true,
		.no_query_text = no_query_text,
	};
	struct activity *activity = backend_rows_read(result, &options);
	bool accepted = false;
	MUST(!activity == (columns != COLUMNS));
	if (activity) {
		MUST(activity->n_backends == (size_t)PQntuples(result));
		for (size_t i = 0; i < activity->n_backends; i++)
			check_backend(&activity->backends[i], no_query_text);
		accepted = activity->n_backends > 0 && activity->server.own_pid > 0;
		activity_unref(activity);
	}
	PQclear(result);
	return accepted;
}
