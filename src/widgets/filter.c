/* The filter is parsed once and applied to each connection. */
#include "widgets/filter.h"

#include <ctype.h>
#include <string.h>
#include <uchar.h>
#include <wctype.h>

#include "base/text.h"
#include "widgets/line.h"

static void add_term(struct filter *filter, size_t from, size_t length)
{
	struct filter_term term = { .column = COLUMN_NONE };
	const char *text = filter->text + from;
	term.negated = *text == '!';
	size_t skip = term.negated;
	const char *colon = memchr(text + skip, ':', length - skip);
	if (colon) {
		term.column = column_find(text + skip, (size_t)(colon - text) - skip);
		if (term.column != COLUMN_NONE)
			skip = (size_t)(colon - text) + 1;
	}
	term.from = from + skip;
	term.length = length - skip;
	/* "!" or "user:" without text after it is not a term yet. */
	if (term.length && filter->n_terms < FILTER_TERMS_MAX)
		filter->terms[filter->n_terms++] = term;
}

void filter_set(struct filter *filter, const char *text)
{
	size_t length = strlen(text);
	if (length >= FILTER_TEXT_MAX) {
		length = FILTER_TEXT_MAX - 1;
		while (length && ((unsigned char)text[length] & 0xc0) == 0x80)
			length--;
	}
	memmove(filter->text, text, length);
	filter->text[length] = '\0';
	filter->n_terms = 0;
	for (size_t from = 0; from < length;) {
		size_t end = from + strcspn(filter->text + from, " ");
		if (end > from)
			add_term(filter, from, end - from);
		from = end + 1;
	}
}

static char32_t fold(char32_t c)
{
	return c < 0x80 ? (char32_t)tolower((int)c) : (char32_t)towlower((wint_t)c);
}

/* Returns how many bytes of text, from its first character on, match the term; 0 for none. */
static size_t match_here(const char *text, const char *term, size_t length)
{
	const char *at = text, *end = term + length;
	while (term < end) {
		char32_t c = text_next(&at);
		if (!c || fold(c) != fold(text_next(&term)))
			return 0;
	}
	return (size_t)(at - text);
}

static long find_term(
	const char *text, size_t from, const char *term, size_t length, size_t *ret_length)
{
	/* The first byte excludes most places. Case folding of a non-ASCII character may change its
	 * length. */
	unsigned char first = (unsigned char)*term;
	int lower = tolower(first), upper = toupper(first);
	for (const char *at = text + from; *at; at++) {
		unsigned char byte = (unsigned char)*at;
		if (first < 0x80 ? byte != lower && byte != upper : byte < 0x80)
			continue;
		size_t matched = match_here(at, term, length);
		if (matched) {
			*ret_length = matched;
			return at - text;
		}
	}
	return -1;
}

/* A connection, and a buffer for the text of one of its columns. */
struct texts {
	const struct assessment *assessment;
	const struct connection *connection;
	struct line line;
};

static bool term_in_column(const struct filter *filter, const struct filter_term *term,
	enum column_id id, struct texts *texts)
{
	size_t length;
	column_format(id, texts->assessment, texts->connection, false, &texts->line);
	return find_term(texts->line.text, 0, filter->text + term->from, term->length, &length) >=
		0;
}

static bool term_matches(
	const struct filter *filter, const struct filter_term *term, struct texts *texts)
{
	if (term->column != COLUMN_NONE)
		return term_in_column(filter, term, term->column, texts);
	for (size_t i = 0; i < COLUMN_COUNT; i++)
		if (!column_get((enum column_id)i)->optional &&
			term_in_column(filter, term, (enum column_id)i, texts))
			return true;
	return false;
}

bool filter_matches(const struct filter *filter, const struct assessment *assessment,
	const struct connection *connection)
{
	struct texts texts;
	texts.assessment = assessment;
	texts.connection = connection;
	for (size_t i = 0; i < filter->n_terms; i++)
		if (term_matches(filter, &filter->terms[i], &texts) == filter->terms[i].negated)
			return false;
	return true;
}

bool filter_matches_text(const struct filter *filter, const char *text)
{
	for (size_t i = 0; i < filter->n_terms; i++) {
		const struct filter_term *term = &filter->terms[i];
		size_t length;
		bool has =
			find_term(text, 0, filter->text + term->from, term->length, &length) >= 0;
		if (has == term->negated)
			return false;
	}
	return true;
}

long filter_find(const struct filter *filter, enum column_id column, const char *text, size_t from,
	size_t *ret_length)
{
	long best = -1;
	for (size_t i = 0; i < filter->n_terms; i++) {
		const struct filter_term *term = &filter->terms[i];
		bool looks_here = term->column == COLUMN_NONE || term->column == column;
		if (term->negated || !looks_here)
			continue;
		size_t length;
		long at = find_term(text, from, filter->text + term->from, term->length, &length);
		if (at >= 0 && (best < 0 || at < best)) {
			best = at;
			*ret_length = length;
		}
	}
	return best;
}
