/* Names of roles and other objects, as they are written in SQL. */
#ifndef MODEL_IDENTIFIER_H
#define MODEL_IDENTIFIER_H

#include <stddef.h>

/* Room for any name: 63 bytes, each of which may be doubled, and the quotes. */
#define IDENTIFIER_TEXT_MAX 160

/* Quotes a name unless it is plain: lower case and no reserved word. A longer text is cut. Returns
 * text. */
char *identifier_quote(const char *name, char *text, size_t size);

#endif
