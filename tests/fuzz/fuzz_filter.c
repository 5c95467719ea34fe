/* widgets/filter: what is typed, or pasted, after "/". */
#include <string.h>

#include "base/arena.h"
#include "base/text.h"
#include "fuzz.h"
#include "model/assessment.h"
#include "sample.h"
#include "widgets/filter.h"

static void check_marks(const struct filter *filter, const char *text)
{
	size_t from = 0, length = 0;
	for (long at; (at = filter_find(filter, COLUMN_QUERY, text, from, &length)) >= 0;) {
		MUST((size_t)at >= from && length > 0);
		MUST((size_t)at + length <= strlen(text));
		from = (size_t)at + length;
	}
}

bool fuzz_one(const uint8_t *data, size_t size)
{
	static struct assessment *sample;
	if (!sample)
		sample = sample_assessment(SAMPLE_HOSTILE);
	struct arena *arena = arena_new();
	struct filter filter = { 0 };
	filter_set(&filter, text_clean(arena, (const char *)data, size, TEXT_LINE));
	MUST(strlen(filter.text) < FILTER_TEXT_MAX && filter.n_terms <= FILTER_TERMS_MAX);
	for (size_t i = 0; i < filter.n_terms; i++)
		MUST(filter.terms[i].from + filter.terms[i].length <= strlen(filter.text));
	for (size_t i = 0; i < sample->n_connections; i++)
		(void)filter_matches(&filter, sample, &sample->connections[i]);
	check_marks(&filter, "UPDATE orders SET state = 'paid' WHERE id = $1");
	arena_free(arena);
	return filter.n_terms > 0;
}
