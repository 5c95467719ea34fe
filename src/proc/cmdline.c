/* Joins arguments and masks secrets. The patterns are guesses, so each masks the longest text that
 * may belong to the secret. */
#include "proc/cmdline.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "base/arena.h"
#include "base/text.h"

static const char mask[] = "***";

/* Endings of the names of secrets. */
static const struct {
	const char *text;
	bool alone; /* only if no letter comes before it: "pass", not "bypass" */
} secret_names[] = {
	{ "password", false },
	{ "passwd", false },
	{ "passphrase", false },
	{ "secret", false },
	{ "token", false },
	{ "apikey", false },
	{ "api_key", false },
	{ "api-key", false },
	{ "secret_key", false },
	{ "secret-key", false },
	{ "access_key", false },
	{ "access-key", false },
	{ "authorization", false },
	{ "pass", true },
	{ "pwd", true },
};

struct masked_line {
	char *text;
	size_t length;
};

static void append(struct masked_line *line, const char *bytes, size_t size)
{
	memcpy(line->text + line->length, bytes, size);
	line->length += size;
}

/* True if the name that ends before `end` is that of a secret. */
static bool is_secret_name(const char *start, const char *end)
{
	for (size_t i = 0; i < sizeof(secret_names) / sizeof(secret_names[0]); i++) {
		size_t length = strlen(secret_names[i].text);
		if ((size_t)(end - start) < length)
			continue;
		const char *name = end - length;
		if (strncasecmp(name, secret_names[i].text, length) != 0)
			continue;
		if (!secret_names[i].alone || name == start || !isalpha((unsigned char)name[-1]))
			return true;
	}
	return false;
}

static const char *skip_spaces(const char *p, const char *end)
{
	while (p < end && isspace((unsigned char)*p))
		p++;
	return p;
}

static const char *skip_word(const char *p, const char *end)
{
	while (p < end && !isspace((unsigned char)*p))
		p++;
	return p;
}

/* Returns the position after the closing quote, skipping backslashes; the end if there is no
 * closing quote. */
static const char *skip_quoted(const char *p, const char *end)
{
	char quote = *p++;
	for (; p < end && *p != quote; p++)
		if (*p == '\\' && p + 1 < end)
			p++;
	return p < end ? p + 1 : end;
}

/* Returns the end of the secret that begins at `p`. A secret that is the whole value of an option,
 * a variable or a header (--password=two words) extends to the end of the argument; a secret inside
 * a conninfo string extends to the next space. */
static const char *secret_end(const char *p, const char *end, bool whole)
{
	if (whole)
		return end;
	if (p < end && (*p == '\'' || *p == '"'))
		return skip_word(skip_quoted(p, end), end);
	return skip_word(p, end);
}

/* For NAME=SECRET or "NAME": SECRET with the separator at `at`: returns the start of the secret, or
 * NULL. */
static const char *assigned_secret(const char *start, const char *at, const char *end)
{
	if (*at != '=' && *at != ':')
		return NULL;
	const char *name_end = at;
	while (name_end > start &&
		(isspace((unsigned char)name_end[-1]) || name_end[-1] == '"' ||
			name_end[-1] == '\''))
		name_end--;
	return is_secret_name(start, name_end) ? skip_spaces(at + 1, end) : NULL;
}

/* scheme://user:SECRET@host, `at` its "://": returns where the secret starts and *ret_end where it
 * ends, or NULL. A '/' or '@' that was not escaped belongs to the secret, as far as one can tell.
 */
static const char *url_secret(const char *at, const char *end, const char **ret_end)
{
	const char *start = at + 3;
	const char *word_end = skip_word(start, end);
	const char *slash = memchr(start, '/', (size_t)(word_end - start));
	const char *host_end = slash ? slash : word_end;
	const char *last = memrchr(start, '@', (size_t)(host_end - start));
	if (!last)
		last = memrchr(start, '@', (size_t)(word_end - start));
	const char *colon = last ? memchr(start, ':', (size_t)(last - start)) : NULL;
	if (!colon)
		return NULL;
	*ret_end = last;
	return colon + 1;
}

static bool is_whole_value(const char *start, const char *separator)
{
	if (start[0] == '-' || *separator == ':')
		return true;
	for (const char *p = start; p < separator; p++)
		if (!isalnum((unsigned char)*p) && *p != '_')
			return false;
	return isupper((unsigned char)start[0]);
}

static void append_argument(struct masked_line *line, const char *start, const char *end)
{
	for (const char *p = start; p < end;) {
		const char *secret = NULL, *after = end;
		if (end - p > 3 && memcmp(p, "://", 3) == 0)
			secret = url_secret(p, end, &after);
		if (!secret && (secret = assigned_secret(start, p, end)))
			after = secret_end(secret, end, is_whole_value(start, p));
		if (!secret || secret == after) {
			append(line, p++, 1);
			continue;
		}
		append(line, p, (size_t)(secret - p));
		append(line, mask, sizeof(mask) - 1);
		p = after;
	}
}

/* For --password SECRET: the next argument is the secret, unless it is an option, too. */
static bool announces_secret(const char *start, const char *end)
{
	return end - start > 2 && start[0] == '-' && is_secret_name(start, end);
}

const char *cmdline_format(struct arena *arena, const char *bytes, size_t size)
{
	while (size && (bytes[size - 1] == '\0' || bytes[size - 1] == ' '))
		size--;
	if (!size)
		return NULL;
	/* a mask replaces at least one byte, and a space replaces the zero byte before it */
	struct masked_line line = { .text = arena_alloc(arena, size * 4) };
	bool hide = false;
	for (const char *p = bytes, *end = bytes + size; p < end; p++) {
		const char *stop = memchr(p, '\0', (size_t)(end - p));
		stop = stop ? stop : end;
		if (line.length)
			append(&line, " ", 1);
		if (hide && *p != '-')
			append(&line, mask, sizeof(mask) - 1);
		else
			append_argument(&line, p, stop);
		hide = announces_secret(p, stop);
		p = stop;
	}
	return text_clean(arena, line.text, line.length, TEXT_LINE);
}

static bool is_interpreter(const char *executable)
{
	static const char *const names[] = { "python", "pypy", "perl", "ruby", "node", "php",
		"bash", "dash", "sh", "zsh", "ksh", "busybox" };
	for (size_t i = 0; executable && i < sizeof(names) / sizeof(names[0]); i++) {
		size_t length = strlen(names[i]);
		/* for example python3.11, ruby2.7 */
		if (strncmp(executable, names[i], length) == 0 &&
			!isalpha((unsigned char)executable[length]))
			return true;
	}
	return false;
}

/* Iterates over the arguments. */
struct arguments {
	const char *at, *end;
	char separator; /* ' ' for a title: a program that changes its title leaves a single string
			 */
};

static bool next_argument(struct arguments *arguments, const char **ret, size_t *ret_length)
{
	while (arguments->at < arguments->end && *arguments->at == arguments->separator)
		arguments->at++;
	if (arguments->at >= arguments->end)
		return false;
	size_t rest = (size_t)(arguments->end - arguments->at);
	const char *stop = memchr(arguments->at, arguments->separator, rest);
	*ret = arguments->at;
	*ret_length = stop ? (size_t)(stop - arguments->at) : rest;
	arguments->at += *ret_length;
	return true;
}

static bool is_argument(const char *argument, size_t length, const char *text)
{
	return length == strlen(text) && memcmp(argument, text, length) == 0;
}

static const char *file_name(struct arena *arena, const char *path, size_t length)
{
	const char *slash = memrchr(path, '/', length);
	const char *name = slash ? slash + 1 : path;
	size_t rest = (size_t)(path + length - name);
	return rest ? text_clean(arena, name, rest, TEXT_LINE) : NULL;
}

/* True for "-c", "-lc" of a shell and of Python, "-e" of the others: the program text follows. */
static bool has_program(const char *executable, const char *option, size_t length)
{
	bool by_c = strncmp(executable, "py", 2) == 0 || strstr(executable, "sh") ||
		strcmp(executable, "busybox") == 0;
	return length > 1 && length <= 4 && option[1] != '-' &&
		option[length - 1] == (by_c ? 'c' : 'e');
}

/* True for options that have an argument of their own. */
static bool takes_argument(const char *option, size_t length)
{
	static const char *const options[] = { "-W", "-X", "-I", "-r", "--require", "--import" };
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
		if (is_argument(option, length, options[i]))
			return true;
	return false;
}

/* For example "patroni.api" becomes patroni. */
static const char *module_name(struct arena *arena, struct arguments *arguments)
{
	const char *module;
	size_t length;
	if (!next_argument(arguments, &module, &length))
		return NULL;
	const char *dot = memchr(module, '.', length);
	return text_clean(arena, module, dot ? (size_t)(dot - module) : length, TEXT_LINE);
}

const char *cmdline_script(
	struct arena *arena, const char *bytes, size_t size, const char *executable)
{
	while (size && (bytes[size - 1] == '\0' || bytes[size - 1] == ' '))
		size--;
	if (!is_interpreter(executable) || !size)
		return NULL;
	struct arguments arguments = { .at = bytes, .end = bytes + size };
	if (!memchr(bytes, '\0', size))
		arguments.separator = ' ';
	const char *argument;
	size_t length;
	bool python = strncmp(executable, "py", 2) == 0;
	(void)next_argument(&arguments, &argument, &length); /* skips the interpreter's own name */
	while (next_argument(&arguments, &argument, &length)) {
		if (argument[0] != '-')
			return file_name(arena, argument, length);
		if (python && is_argument(argument, length, "-m"))
			return module_name(arena, &arguments);
		if (has_program(executable, argument, length))
			return NULL;
		if (takes_argument(argument, length))
			(void)next_argument(&arguments, &argument, &length);
	}
	return NULL;
}
