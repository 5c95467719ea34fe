/* OSC 52: "set the clipboard to this base64", as xterm's control sequences define it. */
#include "tui/tui.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "tui/internal.h"

/* The most that terminals accept: the limit of xterm and tmux. */
#define MOST_BYTES 74000

/* If more bytes than this wait for the terminal, the text is not sent. */
#define MOST_WAITING (512u << 10)

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static size_t encode(const unsigned char *bytes, size_t len, char *text)
{
	char *to = text;
	for (size_t i = 0; i < len; i += 3) {
		size_t left = len - i;
		uint32_t group = (uint32_t)bytes[i] << 16;
		if (left > 1)
			group |= (uint32_t)bytes[i + 1] << 8;
		if (left > 2)
			group |= bytes[i + 2];
		*to++ = digits[group >> 18];
		*to++ = digits[group >> 12 & 63];
		*to++ = left > 1 ? digits[group >> 6 & 63] : '=';
		*to++ = left > 2 ? digits[group & 63] : '=';
	}
	return (size_t)(to - text);
}

void tui_copy(struct tui *tui, const char *text)
{
	static const char start[] = "\033]52;c;", end[] = "\a";
	size_t len = strnlen(text, MOST_BYTES);
	if (output_waiting(&tui->output) > MOST_WAITING)
		return;
	CLEANUP(cleanup_free)
	char *sequence = mem_alloc(sizeof(start) + sizeof(end) + len / 3 * 4 + 4);
	char *to = stpcpy(sequence, start);
	to += encode((const unsigned char *)text, len, to);
	to = stpcpy(to, end);
	output_write(&tui->output, sequence, (size_t)(to - sequence));
}
