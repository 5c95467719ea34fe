/* Cells of a binary result, as a server sends them and as a hostile server might. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/instant.h"
#include "session/cell.h"

#define CELL_NULL (-1)

/* A result of one row: each cell is `size` bytes, or CELL_NULL. */
struct raw {
	int size;
	const char *bytes;
};

static PGresult *make_row(const struct raw *cells, int count)
{
	PGresAttDesc columns[8] = { 0 };
	PGresult *result = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);
	assert_true(count <= 8);
	for (int i = 0; i < count; i++)
		columns[i] = (PGresAttDesc){ .name = (char *)"c", .format = 1 };
	assert_true(PQsetResultAttrs(result, count, columns));
	for (int i = 0; i < count; i++)
		assert_true(PQsetvalue(result, 0, i, (char *)cells[i].bytes, cells[i].size));
	return result;
}

static void integers_have_two_sizes(void **state)
{
	(void)state;
	const struct raw row[] = {
		{ 4, "\x00\x01\x00\x02" },
		{ 4, "\xff\xff\xff\xfe" },
		{ 8, "\x00\x00\x01\x00\x00\x00\x00\x05" },
		{ 2, "\x00\x07" },
		{ CELL_NULL, NULL },
	};
	PGresult *result = make_row(row, 5);
	assert_int_equal(cell_int(result, 0, 0, 9), 65538);
	assert_int_equal(cell_int(result, 0, 1, 9), -2);
	assert_int_equal(cell_int(result, 0, 2, 9), 9);
	assert_int_equal(cell_int(result, 0, 3, 9), 9);
	assert_int_equal(cell_int(result, 0, 4, 9), 9);
	assert_int_equal(cell_number(result, 0, 0), 65538);
	assert_int_equal(cell_number(result, 0, 1), -2);
	assert_true(cell_number(result, 0, 2) == (INT64_C(1) << 40) + 5);
	assert_int_equal(cell_number(result, 0, 3), -1);
	assert_int_equal(cell_number(result, 0, 4), -1);
	PQclear(result);
}

static void what_is_not_visible_is_not_true(void **state)
{
	(void)state;
	const struct raw row[] = { { 1, "\1" }, { 1, "" }, { CELL_NULL, NULL }, { 4, "\1\1\1\1" } };
	PGresult *result = make_row(row, 4);
	assert_true(cell_is_true(result, 0, 0));
	assert_false(cell_is_true(result, 0, 1));
	assert_false(cell_is_true(result, 0, 2));
	assert_false(cell_is_true(result, 0, 3));
	PQclear(result);
}

static void instants_count_from_2000(void **state)
{
	(void)state;
	const struct raw row[] = {
		{ 8, "\0\0\0\0\0\0\0\1" },
		{ 4, "\0\0\0\1" },
		{ CELL_NULL, NULL },
	};
	PGresult *result = make_row(row, 3);
	/* 2000-01-01 in seconds since 1970 */
	assert_true(cell_instant(result, 0, 0) == INT64_C(946684800) * USEC_PER_SEC + 1);
	assert_true(cell_instant(result, 0, 1) == INSTANT_UNKNOWN);
	assert_true(cell_instant(result, 0, 2) == INSTANT_UNKNOWN);
	PQclear(result);
}

static void text_is_harmless_and_null_is_not_empty(void **state)
{
	(void)state;
	const struct raw row[] = { { 4, "a\x1b[m" }, { 0, "" }, { CELL_NULL, NULL },
		{ 3, "x\ny" } };
	PGresult *result = make_row(row, 4);
	struct arena *arena = arena_new();
	assert_string_equal(cell_text(arena, result, 0, 0, TEXT_LINE), "a␛[m");
	assert_string_equal(cell_text(arena, result, 0, 1, TEXT_LINE), "");
	assert_null(cell_text(arena, result, 0, 2, TEXT_LINE));
	assert_string_equal(cell_text(arena, result, 0, 3, TEXT_BLOCK), "x\ny");
	assert_string_equal(cell_text(arena, result, 0, 3, TEXT_LINE), "x␊y");
	arena_free(arena);
	PQclear(result);
}

#define RECORD(bytes)                                                                              \
	{                                                                                          \
		sizeof(bytes) - 1, bytes                                                           \
	}
#define FIELD(length) "\0\0\0\x17" length

static void a_record_has_fields(void **state)
{
	(void)state;
	const struct raw row[] = {
		RECORD("\0\0\0\3" FIELD("\0\0\0\4") "\0\0\0\7" FIELD("\xff\xff\xff\xff")
				FIELD("\0\0\0\0")),
		{ CELL_NULL, NULL },
	};
	PGresult *result = make_row(row, 2);
	struct cell fields[3];
	assert_true(cell_fields(cell_get(result, 0, 0), fields, 3));
	assert_int_equal(cell_as_int(fields[0], -1), 7);
	assert_null(fields[1].bytes);
	assert_non_null(fields[2].bytes);
	assert_int_equal(fields[2].length, 0);
	assert_false(cell_fields(cell_get(result, 0, 0), fields, 2));
	assert_null(fields[0].bytes);
	assert_false(cell_fields(cell_get(result, 0, 1), fields, 3));
	assert_null(fields[0].bytes);
	PQclear(result);
}

static void a_record_that_lies_is_not_read_beyond_its_end(void **state)
{
	(void)state;
	const struct raw row[] = {
		{ 0, "" },
		{ 3, "\0\0\0" },
		RECORD("\0\0\0\1"),
		RECORD("\0\0\0\1" FIELD("\0\0\0")),
		RECORD("\0\0\0\1" FIELD("\0\0\0\2") "x"),
		RECORD("\0\0\0\1" FIELD("\x80\0\0\0") "x"),
		RECORD("\0\0\0\1" FIELD("\xff\xff\xff\xfe") "x"),
		RECORD("\0\0\0\1" FIELD("\0\0\0\1") "xy"),
	};
	PGresult *result = make_row(row, 8);
	struct cell field;
	for (int i = 0; i < 8; i++)
		assert_false(cell_fields(cell_get(result, 0, i), &field, 1));
	PQclear(result);
}

static void an_answer_is_rows_of_so_many_columns(void **state)
{
	(void)state;
	const struct raw row[] = { { 1, "" }, { 1, "" } };
	PGresult *rows = make_row(row, 2);
	PGresult *error = PQmakeEmptyPGresult(NULL, PGRES_FATAL_ERROR);
	assert_true(cell_has_rows(rows, 2));
	assert_false(cell_has_rows(rows, 3));
	assert_false(cell_has_rows(error, 0));
	assert_false(cell_has_rows(NULL, 0));
	PQclear(rows);
	PQclear(error);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(integers_have_two_sizes),
		cmocka_unit_test(what_is_not_visible_is_not_true),
		cmocka_unit_test(instants_count_from_2000),
		cmocka_unit_test(text_is_harmless_and_null_is_not_empty),
		cmocka_unit_test(a_record_has_fields),
		cmocka_unit_test(a_record_that_lies_is_not_read_beyond_its_end),
		cmocka_unit_test(an_answer_is_rows_of_so_many_columns),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
