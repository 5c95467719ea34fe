/* Text from outside: cleaned once, where it is read; later only decoded and measured. */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <uchar.h>

struct arena;

enum text_kind {
	TEXT_LINE,  /* a name: line breaks and tabs are replaced by pictures, too */
	TEXT_BLOCK, /* a statement: line breaks and tabs are kept */
};

/* Returns a copy that is valid UTF-8 and contains nothing that controls a terminal: control
 * characters become their pictures (ESC is ␛); other invisible or reordering characters (C1,
 * bidirectional overrides, zero-width marks) and invalid bytes become U+FFFD. Reads at most `len`
 * bytes of s, and stops at a NUL. NULL for NULL. */
const char *text_clean(struct arena *arena, const char *s, size_t len, enum text_kind kind);

/* Returns the word as a shell takes it, quoted where that is needed; in the arena. */
const char *text_shell_word(struct arena *arena, const char *word);

/* Whether the word is one of a list; NULL is none. Most words differ in their first byte, so this
 * is cheap enough for each row of each poll. */
bool text_is_one_of(const char *word, const char *const *words, size_t count);

/* Decodes the next character of clean text and advances *s; 0 at the end. Each invalid byte becomes
 * U+FFFD, so it never reads past the terminator. */
char32_t text_next(const char **s);

/* Writes c as UTF-8; returns its length, 1 to 4. */
size_t text_encode(char32_t c, char bytes[static 4]);

/* The columns of a character: 0 (combining), 1, or 2 (wide). 1 for a character that the locale does
 * not know. */
int text_char_width(char32_t c);

/* The columns of a whole string. */
int text_width(const char *s);

#endif
