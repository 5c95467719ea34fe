/* Connection parameters: keywords and values, each keyword once. */
#ifndef SESSION_PARAMS_H
#define SESSION_PARAMS_H

/* libpq 17 knows 47 keywords. */
#define PARAMS_MOST 64

/* NULL-terminated, as PQconnectStartParams() takes them. {0} is empty. */
struct params {
	char *keywords[PARAMS_MOST + 1], *values[PARAMS_MOST + 1];
	int count;
};

/* Copies keyword and value; replaces an earlier value. Keywords beyond PARAMS_MOST are dropped. */
void params_set(struct params *params, const char *keyword, const char *value);

/* NULL when it is not set. */
const char *params_get(const struct params *params, const char *keyword);

/* Copies all parameters of `from` to `to`; they replace those of the same keyword. */
void params_lay_over(struct params *to, const struct params *from);

/* Wipes and frees the contents; the struct is {0} again. */
void params_clear(struct params *params);

#endif
