/* The errors in a settings file, in words for its author. */
#ifndef CONFIG_ERROR_H
#define CONFIG_ERROR_H

/* "FILE:LINE: KEY: what is wrong". Valid UTF-8 without control characters, so it is
 * safe to print. */
struct config_error {
	char text[512];
};

/* bytes with the terminator */
#define ERROR_QUOTE_MAX 80

/* Writes the text. file and key may be NULL and line 0: that part is left out. file and key are
 * cleaned and shortened here; the caller must quote the arguments of the format. */
void error_set(struct config_error *ret_error, const char *file, int line, const char *key,
	const char *format, ...) __attribute__((format(printf, 5, 6)));

/* Cleans, shortens and quotes a value for an error's text. Returns quote. */
char *error_quote(const char *text, char quote[static ERROR_QUOTE_MAX]);

#endif
