/* base: durations, instants, text, map, arena. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/duration.h"
#include "base/instant.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/text.h"

static void duration_reads_seconds_and_units(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int64_t usec;
	} good[] = {
		{ "0", 0 },
		{ "300", 300000000 },
		{ "0.5", 500000 },
		{ ".5", 500000 },
		{ "300ms", 300000 },
		{ "5min", 300000000 },
		{ "2h", 7200000000 },
		{ "1d", 86400000000 },
		{ "1.5 h", 5400000000 },
		{ "7us", 7 },
	};
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		int64_t usec = -1;
		assert_int_equal(duration_parse(good[i].text, &usec), 0);
		assert_int_equal(usec, good[i].usec);
	}
}

static void duration_refuses_everything_else(void **state)
{
	(void)state;
	static const char *const bad[] = { "", " 5", "5x", "0x10", "nan", "inf", "1e3", "five",
		"5m", "min", "5minutes", "--5", "5 5" };
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		int64_t usec = 42;
		assert_int_equal(duration_parse(bad[i], &usec), -EINVAL);
		assert_int_equal(usec, 42);
	}
	int64_t usec = 42;
	assert_int_equal(duration_parse("-1", &usec), -ERANGE);
	assert_int_equal(duration_parse("99999d", &usec), -ERANGE);
	assert_int_equal(usec, 42);
}

static void duration_reads_as_people_say_it(void **state)
{
	(void)state;
	static const struct {
		int64_t usec;
		const char *text;
	} cases[] = {
		{ -1, "-" },
		{ 0, "0.0s" },
		{ 149999, "0.1s" },
		{ 9999999, "9.9s" },
		{ 10000000, "10s" },
		{ 59999999, "59s" },
		{ 432000000, "7m12s" },
		{ 1870000000, "31m10s" },
		{ INT64_C(11045) * 1000000, "3h04m" },
		{ INT64_C(273600) * 1000000, "3d04h" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[DURATION_TEXT_MAX];
		assert_string_equal(duration_format(cases[i].usec, text), cases[i].text);
	}
}

static void instant_writes_rfc3339(void **state)
{
	(void)state;
	char text[INSTANT_TEXT_MAX];
	assert_string_equal(instant_rfc3339(0, text), "1970-01-01T00:00:00.000000Z");
	assert_string_equal(instant_rfc3339(-1, text), "1969-12-31T23:59:59.999999Z");
	assert_string_equal(
		instant_rfc3339(INT64_C(1769860800123456), text), "2026-01-31T12:00:00.123456Z");
}

static void instant_knows_postgres_epoch_and_infinity(void **state)
{
	(void)state;
	assert_int_equal(instant_from_postgres(0), INT64_C(946684800000000));
	assert_int_equal(instant_from_postgres(INT64_MAX), INSTANT_UNKNOWN);
	assert_int_equal(instant_from_postgres(INT64_MIN), INSTANT_UNKNOWN);
	assert_int_equal(instant_from_postgres(12345), INT64_C(946684800012345));
}

static void instant_elapsed_is_never_negative_but_unknown(void **state)
{
	(void)state;
	assert_int_equal(instant_elapsed(5, 12), 7);
	assert_int_equal(instant_elapsed(12, 5), 0);
	assert_int_equal(instant_elapsed(INSTANT_UNKNOWN, 5), -1);
	assert_int_equal(instant_elapsed(5, INSTANT_UNKNOWN), -1);
	assert_int_equal(instant_elapsed(INT64_MIN + 1, INT64_MAX), -1);
}

static const char *clean(struct arena *arena, const char *s, enum text_kind kind)
{
	return text_clean(arena, s, strlen(s), kind);
}

static void text_disarms_what_a_terminal_obeys(void **state)
{
	(void)state;
	struct arena *arena = arena_new();
	assert_null(text_clean(arena, NULL, 0, TEXT_LINE));
	assert_string_equal(clean(arena, "plain", TEXT_LINE), "plain");
	assert_string_equal(clean(arena, "a\033[2Jb", TEXT_LINE), "a␛[2Jb");
	assert_string_equal(clean(arena, "a\nb\tc", TEXT_LINE), "a␊b␉c");
	assert_string_equal(clean(arena, "a\nb\tc\r", TEXT_BLOCK), "a\nb\tc␍");
	assert_string_equal(clean(arena, "\x7f", TEXT_LINE), "␡");
	assert_string_equal(clean(arena, "\xc2\x9b", TEXT_LINE), "\xef\xbf\xbd");     /* C1 CSI */
	assert_string_equal(clean(arena, "\xe2\x80\xae", TEXT_LINE), "\xef\xbf\xbd"); /* RLO */
	assert_string_equal(clean(arena,
				    "\xff"
				    "a",
				    TEXT_LINE),
		"\xef\xbf\xbd"
		"a");
	assert_string_equal(clean(arena, "Größe 漢字", TEXT_LINE), "Größe 漢字");
	assert_string_equal(text_clean(arena, "abc\0def", 7, TEXT_LINE), "abc");
	assert_string_equal(
		text_clean(arena, "\xe6\xbc", 2, TEXT_LINE), "\xef\xbf\xbd\xef\xbf\xbd");
	arena_free(arena);
}

static void text_refuses_overlong_and_surrogates(void **state)
{
	(void)state;
	static const char *const broken[] = { "\xc0\xaf", "\xe0\x80\xaf", "\xed\xa0\x80",
		"\xf4\x90\x80\x80", "\xf8\x88\x80\x80\x80" };
	for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
		const char *s = broken[i];
		size_t steps = 0;
		for (char32_t c; (c = text_next(&s)); steps++)
			assert_int_equal(c, 0xfffd);
		assert_int_equal(steps, strlen(broken[i]));
	}
}

static void text_encode_is_next_backwards(void **state)
{
	(void)state;
	for (char32_t c = 1; c <= 0x10ffff; c += c < 0x3000 ? 1 : 97) {
		if (c >= 0xd800 && c <= 0xdfff)
			continue;
		char bytes[5] = "";
		size_t length = text_encode(c, bytes);
		const char *s = bytes;
		assert_int_equal(text_next(&s), c);
		assert_ptr_equal(s, bytes + length);
	}
}

static void text_measures_columns(void **state)
{
	(void)state;
	assert_int_equal(text_width("plain"), 5);
	assert_int_equal(text_width("漢字"), 4);
	assert_int_equal(text_width("e\xcc\x81"), 1);
}

static void a_mixed_key_keeps_the_order_of_its_words(void **state)
{
	(void)state;
	for (uint64_t a = 0; a < 50; a++)
		for (uint64_t b = 0; b < 50; b++)
			if (a != b)
				assert_true(map_mix(a, b) != map_mix(b, a));
}

static void map_keeps_what_was_set(void **state)
{
	(void)state;
	struct arena *arena = arena_new();
	struct map *map = map_new(arena, 4);
	for (uint64_t key = 0; key < 5000; key++)
		map_set(map, key * key, (uint32_t)key);
	map_set(map, 49, 77);
	for (uint64_t key = 0; key < 5000; key++)
		assert_int_equal(map_get(map, key * key), key == 7 ? 77 : key);
	assert_int_equal(map_get(map, 2), MAP_NONE);
	arena_free(arena);
}

static void arena_hands_out_zeroed_memory_again_after_reset(void **state)
{
	(void)state;
	struct arena *arena = arena_new();
	for (int round = 0; round < 3; round++) {
		for (size_t size = 1; size < 70000; size = size * 3 + 1) {
			unsigned char *p = arena_alloc(arena, size);
			assert_int_equal((uintptr_t)p % _Alignof(max_align_t), 0);
			for (size_t i = 0; i < size; i++)
				assert_int_equal(p[i], 0);
			memset(p, 0xaa, size);
		}
		arena_reset(arena);
	}
	assert_string_equal(arena_printf(arena, "%d-%s", 7, "x"), "7-x");
	arena_free(arena);
}

static void arrays_grow_and_keep_their_items(void **state)
{
	(void)state;
	struct arena *arena = arena_new();
	uint32_t *heap = NULL, *lent = NULL;
	size_t heap_room = 0, lent_room = 0;
	for (uint32_t i = 0; i < 1000; i++) {
		heap = mem_grow(heap, i, &heap_room, sizeof(*heap));
		lent = arena_grow(arena, lent, i, &lent_room, sizeof(*lent));
		assert_true(heap_room > i && lent_room > i);
		heap[i] = lent[i] = i;
	}
	for (uint32_t i = 0; i < 1000; i++)
		assert_true(heap[i] == i && lent[i] == i);
	/* room is doubled, so that growing stays cheap */
	assert_int_equal(heap_room, 1024);
	free(heap);
	arena_free(arena);
}

int main(void)
{
	setlocale(LC_ALL, "C.UTF-8");
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(duration_reads_seconds_and_units),
		cmocka_unit_test(duration_refuses_everything_else),
		cmocka_unit_test(duration_reads_as_people_say_it),
		cmocka_unit_test(instant_writes_rfc3339),
		cmocka_unit_test(instant_knows_postgres_epoch_and_infinity),
		cmocka_unit_test(instant_elapsed_is_never_negative_but_unknown),
		cmocka_unit_test(text_disarms_what_a_terminal_obeys),
		cmocka_unit_test(text_refuses_overlong_and_surrogates),
		cmocka_unit_test(text_encode_is_next_backwards),
		cmocka_unit_test(text_measures_columns),
		cmocka_unit_test(map_keeps_what_was_set),
		cmocka_unit_test(a_mixed_key_keeps_the_order_of_its_words),
		cmocka_unit_test(arena_hands_out_zeroed_memory_again_after_reset),
		cmocka_unit_test(arrays_grow_and_keep_their_items),
	};
	return cmocka_run_group_tests_name("base", tests, NULL, NULL);
}
