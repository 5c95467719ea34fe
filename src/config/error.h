/* What is wrong with a file of settings, in words for its author. */
#ifndef CONFIG_ERROR_H
#define CONFIG_ERROR_H

/* "FILE:LINE: KEY: what is wrong". Valid UTF-8, safe to print: whatever was in the file, a terminal
 * obeys nothing in it. */
struct config_error {
	char text[512];
};

/* Columns are not counted: bytes, and the terminator. */
#define ERROR_QUOTE_MAX 80

/* Writes the text. file and key may be NULL and line 0: that part is left out. Both are cleaned and
 * shortened here; what the format brings in is the caller's to quote. */
void error_set(struct config_error *ret_error, const char *file, int line, const char *key,
	const char *format, ...) __attribute__((format(printf, 5, 6)));

/* Cleaned, shortened and in double quotes: for values in an error's text. Returns quote. */
char *error_quote(const char *text, char quote[static ERROR_QUOTE_MAX]);

#endif
