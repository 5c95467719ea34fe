/* A small ordered list of at most a few dozen parameters. */
#include "session/params.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static int find(const struct params *params, const char *keyword)
{
	for (int i = 0; i < params->count; i++)
		if (strcmp(params->keywords[i], keyword) == 0)
			return i;
	return -1;
}

/* Wipes a value before it is freed: it may be a password. */
static void wipe(char *value)
{
	explicit_bzero(value, strlen(value));
	free(value);
}

void params_set(struct params *params, const char *keyword, const char *value)
{
	int i = find(params, keyword);
	if (i >= 0) {
		char *before = params->values[i];
		params->values[i] = mem_strdup(value);
		wipe(before);
	} else if (params->count < PARAMS_MOST) {
		params->keywords[params->count] = mem_strdup(keyword);
		params->values[params->count++] = mem_strdup(value);
	}
}

const char *params_get(const struct params *params, const char *keyword)
{
	int i = find(params, keyword);
	return i >= 0 ? params->values[i] : NULL;
}

void params_lay_over(struct params *to, const struct params *from)
{
	for (int i = 0; i < from->count; i++)
		params_set(to, from->keywords[i], from->values[i]);
}

void params_clear(struct params *params)
{
	for (int i = 0; i < params->count; i++) {
		free(params->keywords[i]);
		wipe(params->values[i]);
	}
	*params = (struct params){ 0 };
}
