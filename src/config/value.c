/* Values by type; the errors say what was expected and what was found. */
#include "config/value.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/arena.h"
#include "base/duration.h"
#include "config/document.h"
#include "config/error.h"

#define EXPECTED_MAX 128

static const char *const kind_names[] = {
	[NODE_NOTHING] = "nothing",
	[NODE_TEXT] = "a single value",
	[NODE_LIST] = "a list",
	[NODE_MAP] = "a mapping",
};

int value_unexpected(const struct node *node, const char *what, struct config_error *ret_error)
{
	char quote[ERROR_QUOTE_MAX];
	if (node->kind != NODE_TEXT)
		return document_error(
			node, ret_error, "expected %s, found %s", what, kind_names[node->kind]);
	return document_error(node, ret_error, "expected %s, found %s%s", what,
		node->quoted ? "the text " : "", error_quote(node->text, quote));
}

static bool is_plain(const struct node *node)
{
	return node->kind == NODE_TEXT && !node->quoted;
}

static bool is_other_boolean(const struct node *node)
{
	static const char *const words[] = { "yes", "no", "on", "off", "y", "n", "true", "false" };
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (is_plain(node) && strcasecmp(node->text, words[i]) == 0)
			return true;
	return false;
}

int value_boolean(const struct node *node, bool *ret_value, struct config_error *ret_error)
{
	bool is_true = is_plain(node) && strcmp(node->text, "true") == 0;
	bool is_false = is_plain(node) && strcmp(node->text, "false") == 0;
	if (is_other_boolean(node) && !is_true && !is_false)
		return value_unexpected(node,
			"true or false (YAML's other words for them, such as yes and no, are not "
			"taken)",
			ret_error);
	if (!is_true && !is_false)
		return value_unexpected(node, "true or false", ret_error);
	*ret_value = is_true;
	return 0;
}

/* strtol() alone is not enough: it accepts " 5", "+5" and "5x". YAML 1.1 would read
 * 010 as eight. */
static bool parse_integer(const char *text, long *ret_value)
{
	size_t digits = strspn(text, "0123456789");
	if (digits == 0 || digits > 9 || text[digits] || (digits > 1 && text[0] == '0'))
		return false;
	*ret_value = strtol(text, NULL, 10);
	return true;
}

int value_integer(const struct node *node, const char *min, const char *max, int *ret_value,
	struct config_error *ret_error)
{
	char expected[EXPECTED_MAX];
	long value;
	if (!is_plain(node) || !parse_integer(node->text, &value) || value < atol(min) ||
		value > atol(max)) {
		snprintf(expected, sizeof(expected), "a whole number from %s to %s", min, max);
		return value_unexpected(node, expected, ret_error);
	}
	*ret_value = (int)value;
	return 0;
}

static bool parse_within(const char *text, const char *min, const char *max, int64_t *ret_usec)
{
	int64_t usec, least, most;
	if (duration_parse(text, &usec) < 0 || duration_parse(min, &least) < 0 ||
		duration_parse(max, &most) < 0 || usec < least || usec > most)
		return false;
	*ret_usec = usec;
	return true;
}

int value_seconds(const struct node *node, const char *min, const char *max, int64_t *ret_usec,
	struct config_error *ret_error)
{
	char expected[EXPECTED_MAX];
	if (is_plain(node) && !node->text[strspn(node->text, ".0123456789")] &&
		parse_within(node->text, min, max, ret_usec))
		return 0;
	snprintf(expected, sizeof(expected), "a number of seconds from %s to %s", min, max);
	return value_unexpected(node, expected, ret_error);
}

int value_duration(const struct node *node, const char *min, const char *max, int64_t *ret_usec,
	struct config_error *ret_error)
{
	char expected[EXPECTED_MAX];
	if (node->kind == NODE_TEXT && parse_within(node->text, min, max, ret_usec))
		return 0;
	snprintf(expected, sizeof(expected),
		"a duration from %s to %s, such as 300 (seconds), 300ms, 5min or 2h", min, max);
	return value_unexpected(node, expected, ret_error);
}

int value_text(const struct node *node, const char **ret_text, struct config_error *ret_error)
{
	if (node->kind != NODE_TEXT)
		return value_unexpected(node, "text", ret_error);
	*ret_text = node->text;
	return 0;
}

static int check_item(const struct node *item, struct config_error *ret_error)
{
	const char *text;
	int r = value_text(item, &text, ret_error);
	if (r == 0 && !*text)
		return value_unexpected(item, "text that is not empty", ret_error);
	return r;
}

static size_t count_children(const struct node *node)
{
	size_t count = 0;
	for (const struct node *item = node->first; item; item = item->next)
		count++;
	return count;
}

int value_list(struct arena *arena, const struct node *node, const char ***ret_items,
	size_t *ret_count, struct config_error *ret_error)
{
	/* The found text is not repeated: it may be a conninfo with a password. */
	if (node->kind != NODE_LIST && node->kind != NODE_NOTHING)
		return document_error(node, ret_error, "expected a list, [A, B], found %s",
			kind_names[node->kind]);
	size_t count = 0;
	const char **items = arena_array(arena, count_children(node) + 1, sizeof(*items));
	for (const struct node *item = node->first; item; item = item->next) {
		int r = check_item(item, ret_error);
		if (r < 0)
			return r;
		items[count++] = item->text;
	}
	*ret_items = items;
	*ret_count = count;
	return 0;
}
