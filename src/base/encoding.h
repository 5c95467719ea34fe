/* Text in the encodings of PostgreSQL's databases. */
#ifndef BASE_ENCODING_H
#define BASE_ENCODING_H

#include <stddef.h>

struct arena;

/* Converts bytes in a database's encoding ("LATIN1") to UTF-8. *ret_length is the length of the
 * result, which is in the arena and not clean yet: see base/text.h. A byte that is no character of
 * the encoding becomes U+FFFD, and so does a character that was cut at the end.
 *
 * Returns NULL if there is nothing to convert, or nothing that can be: plain ASCII, UTF8,
 * SQL_ASCII, NULL, and an encoding that the C library does not know. */
const char *encoding_convert(struct arena *arena, const char *encoding, const char *bytes,
	size_t length, size_t *ret_length);

#endif
