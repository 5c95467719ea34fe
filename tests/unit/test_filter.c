/* The filter: how the typed text is parsed, which connections match, and which text it marks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <locale.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "model/assessment.h"
#include "sample.h"
#include "widgets/filter.h"

static struct assessment *assessment;
static struct filter filter;

static int set_up(void **state)
{
	(void)state;
	assessment = sample_assessment(SAMPLE_SCREEN);
	memset(&filter, 0, sizeof(filter));
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	assessment_free(assessment);
	return 0;
}

static bool matches(const char *text, int32_t pid)
{
	filter_set(&filter, text);
	return filter_matches(&filter, assessment, sample_find(assessment, pid));
}

static size_t count(const char *text)
{
	size_t n = 0;
	filter_set(&filter, text);
	for (size_t i = 0; i < assessment->n_connections; i++)
		n += filter_matches(&filter, assessment, &assessment->connections[i]);
	return n;
}

static void terms_are_read(void **state)
{
	(void)state;
	filter_set(&filter, "  user:app  !idle pg:catalog ");
	assert_int_equal(filter.n_terms, 3);
	assert_int_equal(filter.terms[0].column, COLUMN_USER);
	assert_false(filter.terms[0].negated);
	assert_memory_equal(filter.text + filter.terms[0].from, "app", 3);
	assert_int_equal(filter.terms[0].length, 3);
	assert_true(filter.terms[1].negated);
	assert_int_equal(filter.terms[1].column, COLUMN_NONE);
	/* There is no field pg, so this is a plain text. */
	assert_int_equal(filter.terms[2].column, COLUMN_NONE);
	assert_int_equal(filter.terms[2].length, strlen("pg:catalog"));
}

/* An incomplete term hides no rows. */
static void beginnings_hide_nothing(void **state)
{
	(void)state;
	static const char *const beginnings[] = { "", " ", "!", "user:", "!user:" };
	for (size_t i = 0; i < sizeof(beginnings) / sizeof(beginnings[0]); i++)
		assert_int_equal(count(beginnings[i]), assessment->n_connections);
}

static void all_terms_must_match(void **state)
{
	(void)state;
	assert_true(matches("worker", 9801));
	assert_false(matches("worker", 9912));
	assert_true(matches("WORKER copy", 9801));
	assert_false(matches("worker copy", 9802));
	assert_true(matches("!copy worker", 9802));
	assert_int_equal(count("worker"), 2);
	assert_int_equal(count("!worker"), assessment->n_connections - 2);
	assert_int_equal(count("worker !worker"), 0);
}

static void a_field_is_looked_into_alone(void **state)
{
	(void)state;
	assert_true(matches("user:alice", 9950));
	assert_false(matches("user:psql", 9950));
	assert_true(matches("status:leaked", 9912));
	assert_false(matches("status:leaked", 9913));
	assert_true(matches("!user:alice", 9912));
	/* A row without a state does not match the text, and matches its negation. */
	assert_false(matches("user:alice", 9980));
}

static void letters_match_in_either_case(void **state)
{
	(void)state;
	size_t length = 0;
	filter_set(&filter, "ÄRGER");
	assert_int_equal(filter_find(&filter, COLUMN_QUERY, "so ärgerlich", 0, &length), 3);
	assert_int_equal(length, strlen("ärger"));
	assert_int_equal(filter_find(&filter, COLUMN_QUERY, "arger", 0, &length), -1);
}

static void what_is_found_is_marked(void **state)
{
	(void)state;
	size_t length = 0;
	filter_set(&filter, "b user:cc !a");
	assert_int_equal(filter_find(&filter, COLUMN_QUERY, "a cc b b", 0, &length), 5);
	assert_int_equal(length, 1);
	assert_int_equal(filter_find(&filter, COLUMN_QUERY, "a cc b b", 6, &length), 7);
	assert_int_equal(filter_find(&filter, COLUMN_QUERY, "a cc b b", 8, &length), -1);
	assert_int_equal(filter_find(&filter, COLUMN_USER, "a cc b b", 0, &length), 2);
	assert_int_equal(length, 2);
}

static void too_long_is_cut_between_characters(void **state)
{
	(void)state;
	char *text = malloc(3 * FILTER_TEXT_MAX + 2);
	text[0] = 'x';
	for (size_t i = 0; i < FILTER_TEXT_MAX; i++)
		memcpy(text + 1 + 3 * i, "漢", 3);
	text[3 * FILTER_TEXT_MAX + 1] = '\0';
	filter_set(&filter, text);
	size_t length = strlen(filter.text);
	assert_true(length < FILTER_TEXT_MAX && length + 3 >= FILTER_TEXT_MAX);
	assert_int_equal(length % 3, 1);
	assert_int_equal(filter.n_terms, 1);
	free(text);
	/* Terms beyond the maximum are ignored. */
	char many[2 * FILTER_TERMS_MAX + 8] = "";
	for (size_t i = 0; i < FILTER_TERMS_MAX + 3; i++)
		strcat(many, "a ");
	filter_set(&filter, many);
	assert_int_equal(filter.n_terms, FILTER_TERMS_MAX);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(terms_are_read),
		TEST(beginnings_hide_nothing),
		TEST(all_terms_must_match),
		TEST(a_field_is_looked_into_alone),
		TEST(letters_match_in_either_case),
		TEST(what_is_found_is_marked),
		TEST(too_long_is_cut_between_characters),
	};
	setlocale(LC_CTYPE, "C.UTF-8");
	return cmocka_run_group_tests_name("filter", tests, NULL, NULL);
}
