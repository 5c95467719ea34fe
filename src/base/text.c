/* UTF-8, and the characters that must not reach a terminal. */
#include "base/text.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <wchar.h>

#include "base/arena.h"

#define REPLACEMENT 0xfffdu

/* Returns the length that a lead byte announces, and the smallest value allowed for that length:
 * shorter forms are invalid (RFC 3629, section 3). */
static int sequence_length(unsigned char lead, char32_t *ret_bits, char32_t *ret_smallest)
{
	if (lead >= 0xc2 && lead <= 0xdf) {
		*ret_bits = lead & 0x1f;
		*ret_smallest = 0x80;
		return 2;
	}
	if ((lead & 0xf0) == 0xe0) {
		*ret_bits = lead & 0x0f;
		*ret_smallest = 0x800;
		return 3;
	}
	if (lead >= 0xf0 && lead <= 0xf4) {
		*ret_bits = lead & 0x07;
		*ret_smallest = 0x10000;
		return 4;
	}
	return 0;
}

const char *text_shell_word(struct arena *arena, const char *word)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				    "_-+=:,./@%";
	const char *rest = word;
	char *text, *end;
	if (*word && word[strspn(word, plain)] == '\0')
		return arena_strdup(arena, word);
	text = end = arena_alloc(arena, strlen(word) * 4 + 3);
	*end++ = '\'';
	for (; *rest; rest++)
		end = *rest == '\'' ? mempcpy(end, "'\\''", 4) : mempcpy(end, rest, 1);
	mempcpy(end, "'", 2);
	return text;
}

bool text_is_one_of(const char *word, const char *const *words, size_t count)
{
	for (size_t i = 0; word && i < count; i++)
		if (words[i][0] == word[0] && strcmp(words[i], word) == 0)
			return true;
	return false;
}

char32_t text_next(const char **s)
{
	const unsigned char *p = (const unsigned char *)*s;
	if (!*p)
		return 0;
	if (*p < 0x80) {
		*s += 1;
		return *p;
	}
	char32_t c = 0, smallest = 0;
	int length = sequence_length(*p, &c, &smallest);
	for (int i = 1; i < length; i++) {
		if ((p[i] & 0xc0) != 0x80) {
			length = 0;
			break;
		}
		c = c << 6 | (p[i] & 0x3f);
	}
	if (!length || c < smallest || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff)) {
		*s += 1;
		return REPLACEMENT;
	}
	*s += length;
	return c;
}

size_t text_encode(char32_t c, char bytes[static 4])
{
	if (c < 0x80) {
		bytes[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		bytes[0] = (char)(0xc0 | c >> 6);
		bytes[1] = (char)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		bytes[0] = (char)(0xe0 | c >> 12);
		bytes[1] = (char)(0x80 | (c >> 6 & 0x3f));
		bytes[2] = (char)(0x80 | (c & 0x3f));
		return 3;
	}
	bytes[0] = (char)(0xf0 | c >> 18);
	bytes[1] = (char)(0x80 | (c >> 12 & 0x3f));
	bytes[2] = (char)(0x80 | (c >> 6 & 0x3f));
	bytes[3] = (char)(0x80 | (c & 0x3f));
	return 4;
}

/* True for characters that draw nothing or move their neighbours: C1 controls, zero-width and
 * directional marks, line and paragraph separators, the byte-order mark, tags, non-characters. */
static bool is_treacherous(char32_t c)
{
	return (c >= 0x80 && c <= 0x9f) || c == 0xad || c == 0x61c ||
		(c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) ||
		(c >= 0x2060 && c <= 0x206f) || c == 0xfeff || (c >= 0xfff0 && c <= 0xfffb) ||
		(c & 0xfffe) == 0xfffe || (c >= 0xe0000 && c <= 0xe0fff);
}

static char32_t harmless(char32_t c, enum text_kind kind)
{
	if (kind == TEXT_BLOCK && (c == '\n' || c == '\t'))
		return c;
	if (c < 0x20)
		return 0x2400 + c;
	if (c == 0x7f)
		return 0x2421;
	return is_treacherous(c) ? REPLACEMENT : c;
}

/* Has no branch for each byte, so that the compiler can check sixteen bytes at a time. */
static bool is_plain(const char *s, size_t len)
{
	unsigned odd = 0;
	for (size_t i = 0; i < len; i++)
		odd |= (unsigned char)(s[i] - 0x20) >= 0x7f - 0x20;
	return !odd;
}

const char *text_clean(struct arena *arena, const char *s, size_t len, enum text_kind kind)
{
	if (!s)
		return NULL;
	len = strnlen(s, len);
	if (is_plain(s, len))
		return arena_strndup(arena, s, len);
	/* a terminated copy, because text_next() stops at the terminator, not at len; a byte
	 * becomes at most three */
	const char *from = arena_strndup(arena, s, len);
	char *clean = arena_alloc(arena, len * 3 + 1);
	char *to = clean;
	for (char32_t c; (c = text_next(&from));)
		to += text_encode(harmless(c, kind), to);
	*to = '\0';
	return clean;
}

int text_char_width(char32_t c)
{
	if (c >= 0x20 && c < 0x7f)
		return 1;
	int width = wcwidth((wchar_t)c);
	return width < 0 ? 1 : width;
}

int text_width(const char *s)
{
	size_t len = strlen(s);
	if (is_plain(s, len))
		return (int)len;
	int width = 0;
	for (char32_t c; (c = text_next(&s));)
		width += text_char_width(c);
	return width;
}
