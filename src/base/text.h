/* Text from outside: made harmless once, at the edge; decoded and measured from then on. */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stddef.h>
#include <uchar.h>

struct arena;

enum text_kind {
	TEXT_LINE,  /* a name: line breaks and tabs are shown as pictures, too */
	TEXT_BLOCK, /* a statement: line breaks and tabs are kept */
};

/* A copy that is valid UTF-8 and holds nothing a terminal obeys: control characters become their
 * pictures (ESC is ␛), other invisible or reordering characters (C1, bidirectional overrides,
 * zero-width marks) and broken bytes become U+FFFD. At most `len` bytes of s are read, and reading
 * ends at a NUL. NULL for NULL. */
const char *text_clean(struct arena *arena, const char *s, size_t len, enum text_kind kind);

/* Decodes the next character of clean text and moves *s on; 0 at the end. Broken bytes are
 * U+FFFD, one byte each: it never reads past the terminator. */
char32_t text_next(const char **s);

/* Writes c as UTF-8; returns its length, 1 to 4. */
size_t text_encode(char32_t c, char bytes[static 4]);

/* Columns a character takes: 0 combining, 1, or 2 wide. What the locale cannot tell is 1. */
int text_char_width(char32_t c);

/* Columns of a whole string. */
int text_width(const char *s);

#endif
