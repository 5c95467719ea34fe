/* A small scanner of SQL: it knows names, strings, comments and where a statement begins. */
#include "model/statement.h"

#include <ctype.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

enum token_kind {
	TOKEN_END,
	TOKEN_NAME,
	TOKEN_STRING,
	TOKEN_SIGN, /* any other character */
};

struct token {
	enum token_kind kind;
	const char *text; /* of a name: without its quotes */
	size_t length;
	bool quoted;
};

/* SQL's comments may be nested. */
static const char *skip_block_comment(const char *s)
{
	int depth = 0;
	do {
		if (s[0] == '/' && s[1] == '*') {
			depth++;
			s += 2;
		} else if (s[0] == '*' && s[1] == '/') {
			depth--;
			s += 2;
		} else {
			s++;
		}
	} while (depth > 0 && *s);
	return s;
}

static const char *skip_blanks(const char *s)
{
	for (;;) {
		if (isspace((unsigned char)*s))
			s++;
		else if (s[0] == '-' && s[1] == '-')
			s += strcspn(s, "\n");
		else if (s[0] == '/' && s[1] == '*')
			s = skip_block_comment(s);
		else
			return s;
	}
}

static bool begins_name(char c)
{
	return isalpha((unsigned char)c) || c == '_' || (unsigned char)c >= 0x80;
}

static bool continues_name(char c)
{
	return begins_name(c) || isdigit((unsigned char)c);
}

/* Returns the position after the closing quote; s is after the opening one. A doubled quote is part
 * of the text. */
static const char *skip_quoted(const char *s, char quote, bool escapes)
{
	while (*s) {
		if (escapes && *s == '\\' && s[1])
			s += 2;
		else if (*s != quote)
			s++;
		else if (s[1] == quote)
			s += 2;
		else
			return s + 1;
	}
	return s;
}

/* Returns the position after $tag$…$tag$; NULL if no such string begins here. */
static const char *skip_dollars(const char *s)
{
	const char *end = s + 1;
	while (continues_name(*end))
		end++;
	if (*end != '$' || isdigit((unsigned char)s[1]))
		return NULL;
	size_t length = (size_t)(end + 1 - s);
	for (const char *at = end + 1; *at; at++)
		if (strncmp(at, s, length) == 0)
			return at + length;
	return s + strlen(s);
}

static const char *next_token(const char *s, struct token *ret)
{
	const char *dollars;
	s = skip_blanks(s);
	*ret = (struct token){ .kind = TOKEN_SIGN, .text = s, .length = 1 };
	if (!*s) {
		ret->kind = TOKEN_END;
		return s;
	}
	bool escapes = (*s == 'e' || *s == 'E') && s[1] == '\'';
	if (*s == '\'' || escapes) {
		ret->kind = TOKEN_STRING;
		return skip_quoted(s + 1 + escapes, '\'', escapes);
	}
	if (*s == '$' && (dollars = skip_dollars(s))) {
		ret->kind = TOKEN_STRING;
		return dollars;
	}
	if (*s == '"') {
		const char *end = skip_quoted(s + 1, '"', false);
		ret->kind = TOKEN_NAME;
		ret->quoted = true;
		ret->text = s + 1;
		ret->length = (size_t)(end - ret->text) - (end > ret->text && end[-1] == '"');
		return end;
	}
	if (!begins_name(*s))
		return s + 1;
	while (continues_name(s[ret->length]) || s[ret->length] == '$')
		ret->length++;
	ret->kind = TOKEN_NAME;
	return s + ret->length;
}

static bool is_sign(const struct token *token, char sign)
{
	return token->kind == TOKEN_SIGN && *token->text == sign;
}

static bool is_word(const struct token *token, const char *word)
{
	return token->kind == TOKEN_NAME && !token->quoted && token->length == strlen(word) &&
		strncasecmp(token->text, word, token->length) == 0;
}

/* A function's name: in quotes its case counts. */
static bool is_function(const struct token *token, const char *name)
{
	if (!token->quoted)
		return is_word(token, name);
	return token->length == strlen(name) && memcmp(token->text, name, token->length) == 0;
}

static void read_command(
	const struct token *command, const struct token *next, struct statement_effects *effects)
{
	if (is_word(command, "listen") && next->kind == TOKEN_NAME)
		effects->listening = EFFECT_BEGINS;
	else if (is_word(command, "unlisten") && is_sign(next, '*'))
		effects->listening = EFFECT_ENDS;
	else if (is_word(command, "discard") && is_word(next, "all"))
		effects->listening = EFFECT_ENDS;
}

static void read_call(
	const struct token *function, const struct token *next, struct statement_effects *effects)
{
	if (!is_sign(next, '('))
		return;
	if (is_function(function, "pg_backup_start") || is_function(function, "pg_start_backup"))
		effects->backup = EFFECT_BEGINS;
	else if (is_function(function, "pg_backup_stop") || is_function(function, "pg_stop_backup"))
		effects->backup = EFFECT_ENDS;
}

struct statement_effects statement_effects(const char *text)
{
	struct statement_effects effects = { EFFECT_NONE, EFFECT_NONE };
	struct token token, next;
	bool first = true; /* of its statement */
	if (!text)
		return effects;
	text = next_token(text, &token);
	while (token.kind != TOKEN_END) {
		text = next_token(text, &next);
		if (first && token.kind == TOKEN_NAME)
			read_command(&token, &next, &effects);
		if (token.kind == TOKEN_NAME)
			read_call(&token, &next, &effects);
		first = is_sign(&token, ';');
		token = next;
	}
	return effects;
}
