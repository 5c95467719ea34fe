/* base/text: what comes out is harmless, whatever goes in. */
#include <stdbool.h>
#include <string.h>

#include "base/arena.h"
#include "base/text.h"
#include "fuzz.h"

static void check(const char *text, enum text_kind kind)
{
	const char *s = text;
	int width = 0;
	for (char32_t c; (c = text_next(&s));) {
		bool layout = kind == TEXT_BLOCK && (c == '\n' || c == '\t');
		MUST(c >= 0x20 || layout);
		MUST(c < 0x7f || c >= 0xa0);
		MUST(c < 0xd800 || c > 0xdfff);
		MUST(c <= 0x10ffff);
		char bytes[4];
		size_t length = text_encode(c, bytes);
		MUST(length >= 1 && length <= 4);
		MUST((size_t)(s - text) >= length && memcmp(s - length, bytes, length) == 0);
		width += text_char_width(c);
	}
	MUST(s == text + strlen(text));
	MUST(kind == TEXT_BLOCK || text_width(text) == width);
}

bool fuzz_one(const uint8_t *data, size_t size)
{
	static const enum text_kind kinds[] = { TEXT_LINE, TEXT_BLOCK };
	struct arena *arena = arena_new();
	for (size_t i = 0; i < 2; i++) {
		const char *once = text_clean(arena, (const char *)data, size, kinds[i]);
		check(once, kinds[i]);
		MUST(strcmp(text_clean(arena, once, strlen(once), kinds[i]), once) == 0);
	}
	arena_free(arena);
	return true;
}
