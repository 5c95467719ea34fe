/* Errors about settings: the text is clean, and each part is short enough that the whole fits. */
#include "config/error.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/text.h"

/* The most bytes of each part, so that the following parts still fit. */
#define FILE_MAX 160
#define KEY_MAX  100

static bool begins_character(char byte)
{
	return ((unsigned char)byte & 0xc0) != 0x80;
}

/* The longest beginning that fits, cut between characters. */
static void keep_head(const char *text, char *to, size_t size)
{
	size_t len = strlen(text);
	if (len < size) {
		memcpy(to, text, len + 1);
		return;
	}
	len = size - sizeof("…");
	while (len > 0 && !begins_character(text[len]))
		len--;
	memcpy(to, text, len);
	memcpy(to + len, "…", sizeof("…"));
}

/* The longest end that fits: the end of a path says most. */
static void keep_tail(const char *text, char *to, size_t size)
{
	size_t len = strlen(text);
	if (len < size) {
		memcpy(to, text, len + 1);
		return;
	}
	const char *from = text + len - (size - sizeof("…"));
	while (!begins_character(*from))
		from++;
	memcpy(to, "…", sizeof("…") - 1);
	memcpy(to + sizeof("…") - 1, from, strlen(from) + 1);
}

static void append(struct config_error *error, const char *text, const char *after)
{
	size_t used = strlen(error->text);
	snprintf(error->text + used, sizeof(error->text) - used, "%s%s", text, after);
}

static void append_place(struct config_error *error, const char *file, int line)
{
	char number[16];
	append(error, file, ":");
	if (line > 0) {
		snprintf(number, sizeof(number), "%d", line);
		append(error, number, ":");
	}
	append(error, " ", "");
}

void error_set(struct config_error *ret_error, const char *file, int line, const char *key,
	const char *format, ...)
{
	struct arena *arena = arena_new();
	char part[FILE_MAX > KEY_MAX ? FILE_MAX : KEY_MAX];
	struct config_error error = { 0 };
	if (file) {
		keep_tail(text_clean(arena, file, strlen(file), TEXT_LINE), part, FILE_MAX);
		append_place(&error, part, line);
	}
	if (key) {
		keep_head(text_clean(arena, key, strlen(key), TEXT_LINE), part, KEY_MAX);
		append(&error, part, ": ");
	}
	char message[sizeof(error.text)];
	va_list args;
	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	size_t used = strlen(error.text);
	keep_head(message, error.text + used, sizeof(error.text) - used);
	*ret_error = error;
	arena_free(arena);
}

char *error_quote(const char *text, char quote[static ERROR_QUOTE_MAX])
{
	struct arena *arena = arena_new();
	char shown[ERROR_QUOTE_MAX - 2];
	keep_head(text_clean(arena, text, strlen(text), TEXT_LINE), shown, sizeof(shown));
	snprintf(quote, ERROR_QUOTE_MAX, "\"%s\"", shown);
	arena_free(arena);
	return quote;
}
