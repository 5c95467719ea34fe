/* Converts by iconv(3). */
#include "base/encoding.h"

#include <errno.h>
#include <iconv.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/arena.h"

static const char replacement[] = "\xef\xbf\xbd";

/* PostgreSQL's names (src/common/encnames.c) that iconv does not know. */
static const struct {
	const char *postgresql, *iconv;
} names[] = {
	{ "LATIN1", "ISO-8859-1" },
	{ "LATIN2", "ISO-8859-2" },
	{ "LATIN3", "ISO-8859-3" },
	{ "LATIN4", "ISO-8859-4" },
	{ "LATIN5", "ISO-8859-9" },
	{ "LATIN6", "ISO-8859-10" },
	{ "LATIN7", "ISO-8859-13" },
	{ "LATIN8", "ISO-8859-14" },
	{ "LATIN9", "ISO-8859-15" },
	{ "LATIN10", "ISO-8859-16" },
	{ "ISO_8859_5", "ISO-8859-5" },
	{ "ISO_8859_6", "ISO-8859-6" },
	{ "ISO_8859_7", "ISO-8859-7" },
	{ "ISO_8859_8", "ISO-8859-8" },
	{ "WIN866", "CP866" },
	{ "WIN874", "CP874" },
	{ "WIN1250", "CP1250" },
	{ "WIN1251", "CP1251" },
	{ "WIN1252", "CP1252" },
	{ "WIN1253", "CP1253" },
	{ "WIN1254", "CP1254" },
	{ "WIN1255", "CP1255" },
	{ "WIN1256", "CP1256" },
	{ "WIN1257", "CP1257" },
	{ "WIN1258", "CP1258" },
	{ "KOI8R", "KOI8-R" },
	{ "KOI8U", "KOI8-U" },
	{ "EUC_JP", "EUC-JP" },
	{ "EUC_CN", "EUC-CN" },
	{ "EUC_KR", "EUC-KR" },
	{ "EUC_TW", "EUC-TW" },
	{ "EUC_JIS_2004", "EUC-JISX0213" },
};

static const char *iconv_name(const char *encoding)
{
	for (size_t i = 0; encoding && i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(names[i].postgresql, encoding) == 0)
			return names[i].iconv;
	return NULL;
}

static bool is_ascii(const char *bytes, size_t length)
{
	unsigned char all = 0;
	for (size_t i = 0; i < length; i++)
		all |= (unsigned char)bytes[i];
	return all < 0x80;
}

const char *encoding_convert(struct arena *arena, const char *encoding, const char *bytes,
	size_t length, size_t *ret_length)
{
	const char *name = is_ascii(bytes, length) ? NULL : iconv_name(encoding);
	if (!name)
		return NULL;
	iconv_t conversion = iconv_open("UTF-8", name);
	if ((intptr_t)conversion == -1)
		return NULL;
	/* a byte becomes three at most: no character of these encodings is beyond U+FFFF but some
	 * of two bytes or more; and two for a combination */
	size_t room = length * 6;
	char *text = arena_alloc(arena, room + 1), *to = text, *from = (char *)bytes;
	while (length > 0) {
		if (iconv(conversion, &from, &length, &to, &room) != (size_t)-1)
			break;
		if (errno == E2BIG || room < sizeof(replacement))
			break;
		to = mempcpy(to, replacement, sizeof(replacement) - 1);
		room -= sizeof(replacement) - 1;
		if (errno == EINVAL) /* cut in the middle of a character */
			break;
		from++;
		length--;
	}
	iconv_close(conversion);
	*to = '\0';
	*ret_length = (size_t)(to - text);
	return text;
}
