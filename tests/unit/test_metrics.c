/* report/metrics: both formats, no series twice, no counter that falls, a limited number of series.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/instant.h"
#include "base/mem.h"
#include "model/assessment.h"
#include "model/session_ends.h"
#include "report/metrics.h"
#include "report/metrics_accept.h"
#include "report/metrics_counters.h"
#include "sample.h"

static char *print(
	const struct metrics_source *sources, size_t count, const struct metrics_options *options)
{
	char *text = NULL;
	size_t size;
	FILE *file = open_memstream(&text, &size);
	assert_non_null(file);
	assert_int_equal(metrics_print(sources, count, options, file), 0);
	fclose(file);
	return text;
}

static char *print_one(const struct assessment *assessment, const struct metrics_counters *counters,
	enum metrics_format format)
{
	const struct metrics_source source = { "shop", assessment, counters };
	const struct metrics_options options = { .format = format, .processes = 20 };
	return print(&source, 1, &options);
}

static int compare_lines(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The samples' names and labels; each must occur once. */
static void assert_no_series_twice(const char *text)
{
	CLEANUP(cleanup_free) char *copy = mem_strdup(text);
	char *lines[5000];
	size_t count = 0;
	for (char *rest = copy, *line; (line = strsep(&rest, "\n"));) {
		char *end = strstr(line, "} ");
		if (*line == '#' || !*line)
			continue;
		assert_non_null(end);
		*end = '\0';
		lines[count++] = line;
	}
	qsort(lines, count, sizeof(*lines), compare_lines);
	for (size_t i = 1; i < count; i++)
		if (strcmp(lines[i - 1], lines[i]) == 0)
			fail_msg("twice: %s", lines[i]);
}

static void assert_has(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("no %s in:\n%s", part, text);
}

static void assert_lacks(const char *text, const char *part)
{
	if (strstr(text, part))
		fail_msg("%s in:\n%s", part, text);
}

#define ENDED "dbtop_sessions_ended_total{server=\"shop\",database="

static void the_sample_is_written_as_the_contract_says(void **state)
{
	(void)state;
	struct assessment *assessment = sample_assessment(SAMPLE_SCREEN);
	struct metrics_counters *counters = metrics_counters_new();
	metrics_counters_update(counters, assessment);
	metrics_counters_note(counters, RESULT_TERMINATED);
	CLEANUP(cleanup_free) char *text = print_one(assessment, counters, METRICS_TEXT);
	assert_has(text, "# TYPE dbtop_up gauge\ndbtop_up{server=\"shop\"} 1\n");
	assert_has(text, "dbtop_slots{server=\"shop\",kind=\"max\"} 25\n");
	assert_has(text, "dbtop_connections{server=\"shop\",status=\"leaked\"} 4\n");
	assert_has(text,
		"dbtop_leaked_connections{server=\"shop\",reason=\"client_gone\","
		"certainty=\"proven\"} 2\n");
	assert_has(text, "# TYPE dbtop_terminated_total counter\n");
	assert_has(text, "dbtop_terminated_total{server=\"shop\",result=\"terminated\"} 1\n");
	assert_lacks(text, "dbtop_slots_wanted_free{");
	assert_lacks(text, "# EOF");
	assert_no_series_twice(text);
	metrics_counters_free(counters);
	assessment_free(assessment);
}

static void openmetrics_differs_in_counters_units_and_its_end(void **state)
{
	(void)state;
	struct assessment *assessment = sample_assessment(SAMPLE_SCREEN);
	struct metrics_counters *counters = metrics_counters_new();
	CLEANUP(cleanup_free) char *text = print_one(assessment, counters, METRICS_OPEN);
	assert_has(text, "# TYPE dbtop_terminated counter\n");
	assert_has(text, "dbtop_terminated_total{");
	assert_has(text, "# UNIT dbtop_refresh_seconds seconds\n");
	assert_string_equal(text + strlen(text) - strlen("\n# EOF\n"), "\n# EOF\n");
	assert_no_series_twice(text);
	metrics_counters_free(counters);
	assessment_free(assessment);
}

/* Counts that the server does not have are no samples; two names that are the same when they are
 * clean are one series. */
static void ended_sessions_are_shown_by_database(void **state)
{
	(void)state;
	static struct database_ends items[25] = {
		{ "app", .abandoned = 12, .fatal = 1, .killed = 3 },
		{ "twin?", .abandoned = 5, .fatal = -1, .killed = 0 },
		{ "twin?", .abandoned = 6, .fatal = 6, .killed = 6 },
	};
	static struct session_ends ends = { .items = items, .count = 25, .refs = 2 };
	char names[25][8];
	for (size_t i = 3; i < 25; i++) {
		snprintf(names[i], sizeof(names[i]), "db%zu", i);
		items[i].database = names[i];
	}
	struct assessment *assessment = sample_assessment(SAMPLE_SCREEN);
	assessment->session_ends = &ends;
	struct metrics_counters *counters = metrics_counters_new();
	CLEANUP(cleanup_free) char *text = print_one(assessment, counters, METRICS_TEXT);
	CLEANUP(cleanup_free) char *open = print_one(assessment, counters, METRICS_OPEN);
	assert_has(text, "# TYPE dbtop_sessions_ended_total counter\n");
	assert_has(text,
		ENDED "\"app\",how=\"abandoned\"} 12\n" ENDED "\"app\",how=\"fatal\"} 1\n" ENDED
		      "\"app\",how=\"killed\"} 3\n");
	assert_has(text, ENDED "\"twin?\",how=\"abandoned\"} 5\n");
	assert_lacks(text, ENDED "\"twin?\",how=\"fatal\"}");
	assert_has(text, ENDED "\"db19\",how=\"killed\"} 0\n");
	assert_lacks(text, ENDED "\"db20\"");
	assert_has(open, "# TYPE dbtop_sessions_ended counter\n");
	assert_no_series_twice(text);
	metrics_counters_free(counters);
	assessment_free(assessment);
}

/* Without current rows nothing is reported of sessions. */
static void what_is_not_known_has_no_sample(void **state)
{
	(void)state;
	static const enum sample_kind kinds[] = { SAMPLE_STALE, SAMPLE_FULL, SAMPLE_REFUSED,
		SAMPLE_CONNECTING };
	static struct database_ends items[] = { { "app", .abandoned = 12 } };
	static struct session_ends ends = { .items = items, .count = 1, .refs = 9 };
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct assessment *assessment = sample_assessment(kinds[i]);
		struct metrics_counters *counters = metrics_counters_new();
		assessment->session_ends = &ends;
		CLEANUP(cleanup_free) char *text = print_one(assessment, counters, METRICS_TEXT);
		assert_has(text, "dbtop_up{server=\"shop\"} 0\n");
		assert_lacks(text, "dbtop_slots{");
		assert_lacks(text, "dbtop_connections{");
		assert_lacks(text, "dbtop_leaked_connections{");
		assert_lacks(text, "dbtop_process_connections{");
		assert_lacks(text, "dbtop_sessions_ended_total{");
		metrics_counters_free(counters);
		assessment_free(assessment);
	}
}

static void hostile_texts_stay_inside_their_quotes(void **state)
{
	(void)state;
	struct assessment *assessment = sample_assessment(SAMPLE_HOSTILE);
	struct metrics_counters *counters = metrics_counters_new();
	const struct metrics_source source = { "a\"b\\c\nd", assessment, counters };
	const struct metrics_options options = { .processes = 20, .wanted_free = 3 };
	CLEANUP(cleanup_free) char *text = print(&source, 1, &options);
	assert_has(text, "dbtop_slots_wanted_free{server=\"a\\\"b\\\\c\\nd\"} 3\n");
	assert_no_series_twice(text);
	metrics_counters_free(counters);
	assessment_free(assessment);
}

static void servers_stand_together_in_each_metric(void **state)
{
	(void)state;
	struct assessment *up = sample_assessment(SAMPLE_SCREEN);
	struct assessment *down = sample_assessment(SAMPLE_REFUSED);
	struct metrics_counters *counters = metrics_counters_new();
	const struct metrics_source sources[] = { { "a", up, counters }, { "b", down, counters } };
	const struct metrics_options options = { .processes = 20 };
	CLEANUP(cleanup_free) char *text = print(sources, 2, &options);
	assert_has(text, "dbtop_up{server=\"a\"} 1\ndbtop_up{server=\"b\"} 0\n");
	assert_no_series_twice(text);
	metrics_counters_free(counters);
	assessment_free(up);
	assessment_free(down);
}

static void names_that_are_equal_stand_once(void **state)
{
	(void)state;
	struct assessment *assessment = sample_assessment(SAMPLE_SCREEN);
	struct metrics_counters *counters = metrics_counters_new();
	struct source_state sources[SOURCE_COUNT + 2];
	for (size_t i = 0; i < SOURCE_COUNT + 2; i++)
		sources[i] = assessment->sources[i < SOURCE_COUNT ? i : SOURCE_ACTIVITY];
	sources[SOURCE_COUNT].name = sources[SOURCE_COUNT + 1].name = "pgbouncer 127.0.0.1:6432";
	assessment->sources = sources;
	assessment->n_sources = SOURCE_COUNT + 2;
	struct slot_limit limits[30];
	for (int i = 0; i < 30; i++)
		limits[i] = (struct slot_limit){
			.kind = i % 2 ? SLOT_LIMIT_ROLE : SLOT_LIMIT_DATABASE,
			.name = i < 4   ? "same"
				: i % 3 ? "a"
					: "b",
			.limit = i < 28 ? 10 : -1,
			.used = i == 1 ? -1 : i,
		};
	assessment->slot_limits = limits;
	assessment->n_slot_limits = 30;
	CLEANUP(cleanup_free) char *text = print_one(assessment, counters, METRICS_TEXT);
	assert_no_series_twice(text);
	assert_has(text, "source=\"pgbouncer 127.0.0.1:6432\"");
	assert_has(
		text, "dbtop_limit_connections{server=\"shop\",kind=\"role\",name=\"same\"} 10\n");
	assert_has(text,
		"dbtop_limit_used_connections{server=\"shop\",kind=\"database\",name=\"same\"} "
		"0\n");
	/* not known */
	assert_lacks(
		text, "dbtop_limit_used_connections{server=\"shop\",kind=\"role\",name=\"same\"}");
	metrics_counters_free(counters);
	assessment_free(assessment);
}

static size_t count_text(const char *text, const char *part)
{
	size_t count = 0;
	for (const char *at = text; (at = strstr(at, part)); at++)
		count++;
	return count;
}

/* Processes of one name are added up; beyond the limit they are "other". */
static void processes_are_limited_and_add_up(void **state)
{
	(void)state;
	struct assessment *assessment = sample_many(400, 100);
	struct metrics_counters *counters = metrics_counters_new();
	char names[100][24];
	for (size_t i = 0; i < assessment->n_processes; i++) {
		snprintf(names[i], sizeof(names[i]), "p%zu", i / 2);
		assessment->processes[i].process.name = i < 2 ? "other" : names[i];
		assessment->processes[i].process.user = "";
		assessment->processes[i].process.unit = NULL;
		assessment->processes[i].process.container = NULL;
	}
	const struct metrics_source source = { "s", assessment, counters };
	for (int limit = 0; limit < 60; limit += 7) {
		const struct metrics_options options = { .processes = limit };
		CLEANUP(cleanup_free) char *text = print(&source, 1, &options);
		assert_no_series_twice(text);
		size_t rows = count_text(text, "dbtop_process_connections{");
		assert_true(rows <= (size_t)limit + 1);
		int64_t sum = 0, expected = 0;
		for (const char *at = text; (at = strstr(at, "dbtop_process_connections{")); at++)
			sum += strtol(strstr(at, "} ") + 2, NULL, 10);
		for (size_t i = 0; i < assessment->n_processes; i++)
			expected += assessment->processes[i].connections;
		assert_int_equal(sum, expected);
	}
	metrics_counters_free(counters);
	assessment_free(assessment);
}

/* --- pools --- */

static struct pool_page pages[300];
static struct pool pools[300];
static struct pool_pages block;

static struct assessment pools_of(size_t count)
{
	block.read_at++;
	for (size_t i = 0; i < count; i++)
		pools[i] = (struct pool){ .kind = POOL_DBPOOL, .page = &pages[i] };
	return (struct assessment){ .pages = &block, .pools = pools, .n_pools = count };
}

static struct pool_page page_of(const char *name, int pid, uint64_t timeouts)
{
	return (struct pool_page){
		.path = "/p",
		.name = name,
		.pid = pid,
		.start_ticks = 5,
		.timeouts = timeouts,
		.wait = { [3] = timeouts },
		.pending_writes = -1,
	};
}

static uint64_t timeouts_of(const struct metrics_counters *counters, const char *name)
{
	size_t count;
	const struct pool_counts *counts = metrics_counters_pools(counters, &count);
	for (size_t i = 0; i < count; i++)
		if (strcmp(counts[i].name, name) == 0)
			return counts[i].timeouts;
	fail_msg("no pool %s", name);
	return 0;
}

static void update(struct metrics_counters *counters, size_t n_pages)
{
	struct assessment assessment = pools_of(n_pages);
	metrics_counters_update(counters, &assessment);
}

static void what_an_ended_process_counted_stays_in_the_sum(void **state)
{
	(void)state;
	struct metrics_counters *counters = metrics_counters_new();
	pages[0] = page_of("app", 1, 10);
	pages[1] = page_of("app", 2, 5);
	update(counters, 2);
	assert_int_equal(timeouts_of(counters, "app"), 15);
	/* assessed again without new pages */
	struct assessment same = pools_of(2);
	block.read_at--;
	metrics_counters_update(counters, &same);
	assert_int_equal(timeouts_of(counters, "app"), 15);
	/* the second one has ended, and the first one counts on */
	pages[0].timeouts = 12;
	update(counters, 1);
	assert_int_equal(timeouts_of(counters, "app"), 17);
	/* its page was only out of sight for a while */
	update(counters, 2);
	assert_int_equal(timeouts_of(counters, "app"), 17);
	/* another process has its pid */
	pages[1].start_ticks++;
	pages[1].timeouts = 1;
	update(counters, 2);
	assert_int_equal(timeouts_of(counters, "app"), 18);
	size_t count;
	const struct pool_counts *counts = metrics_counters_pools(counters, &count);
	assert_int_equal(count, 1);
	assert_int_equal(counts[0].wait[3], 15 + 5);
	metrics_counters_free(counters);
}

static void pools_of_other_servers_are_not_counted(void **state)
{
	(void)state;
	struct metrics_counters *counters = metrics_counters_new();
	pages[0] = page_of("there", 1, 10);
	struct assessment assessment = pools_of(1);
	size_t count;
	/* another server's; or it may be, and this server has shown none of its sessions */
	for (int is_unsure = 0; is_unsure < 2; is_unsure++) {
		pools[0].elsewhere = !is_unsure;
		pools[0].unsure = is_unsure;
		block.read_at++;
		metrics_counters_update(counters, &assessment);
		metrics_counters_pools(counters, &count);
		assert_int_equal(count, 0);
	}
	CLEANUP(cleanup_free) char *text = print_one(&assessment, counters, METRICS_TEXT);
	assert_lacks(text, "dbtop_pool_connections{");
	metrics_counters_free(counters);
}

static void names_of_pools_are_limited(void **state)
{
	(void)state;
	struct metrics_counters *counters = metrics_counters_new();
	char names[300][16];
	for (int i = 0; i < 300; i++) {
		snprintf(names[i], sizeof(names[i]), "pool%d", i);
		pages[i] = page_of(names[i], i + 1, 1);
	}
	update(counters, 300);
	size_t count;
	metrics_counters_pools(counters, &count);
	assert_int_equal(count, METRICS_POOLS_MAX);
	assert_int_equal(timeouts_of(counters, METRICS_OTHER), 300 - METRICS_POOLS_MAX + 1);
	assert_string_equal(metrics_counters_name(counters, "pool1"), "pool1");
	assert_string_equal(metrics_counters_name(counters, "pool299"), METRICS_OTHER);
	metrics_counters_free(counters);
}

static void a_histogram_is_cumulative_and_ends_with_all(void **state)
{
	(void)state;
	struct assessment *assessment = sample_assessment(SAMPLE_REFUSED);
	struct metrics_counters *counters = metrics_counters_new();
	pages[0] = page_of("app", 1, 0);
	pages[0].wait[0] = 7;  /* without a wait */
	pages[0].wait[8] = 2;  /* 128 to 256 µs */
	pages[0].wait[31] = 1; /* over 17 minutes */
	pages[0].waited = 1100000300;
	update(counters, 1);
	CLEANUP(cleanup_free) char *text = print_one(assessment, counters, METRICS_TEXT);
	assert_has(text, "_bucket{server=\"shop\",pool=\"app\",le=\"0.000064\"} 7\n");
	assert_has(text, "_bucket{server=\"shop\",pool=\"app\",le=\"0.000256\"} 9\n");
	assert_has(text, "_bucket{server=\"shop\",pool=\"app\",le=\"67.108864\"} 9\n");
	assert_has(text, "_bucket{server=\"shop\",pool=\"app\",le=\"+Inf\"} 10\n");
	assert_has(text, "_sum{server=\"shop\",pool=\"app\"} 1100.000300\n");
	assert_has(text, "_count{server=\"shop\",pool=\"app\"} 10\n");
	metrics_counters_free(counters);
	assessment_free(assessment);
}

static void accept_chooses_the_format(void **state)
{
	(void)state;
	static const struct {
		const char *accept;
		enum metrics_format format;
	} cases[] = {
		{ NULL, METRICS_TEXT },
		{ "", METRICS_TEXT },
		{ "*/*", METRICS_TEXT },
		{ "text/plain", METRICS_TEXT },
		{ "text/html, application/openmetrics-text", METRICS_OPEN },
		{ "application/openmetrics-text;version=1.0.0;q=0.5,"
		  "application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=0.0.4;q=0.3,"
		  "*/*;q=0.2",
			METRICS_OPEN },
		{ "application/openmetrics-text;version=1.0.0;q=0.2,text/plain;q=0.9",
			METRICS_TEXT },
		{ "application/openmetrics-text;version=0.0.1", METRICS_TEXT },
		{ "application/openmetrics-text; version=1.0.0; q=0", METRICS_TEXT },
		{ "application/openmetrics-textual", METRICS_TEXT },
		{ "application/openmetrics-text;q=x", METRICS_TEXT },
		{ ";;;,,,;q=", METRICS_TEXT },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (metrics_accepted(cases[i].accept) != cases[i].format)
			fail_msg("wrong format for: %s", cases[i].accept);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_sample_is_written_as_the_contract_says),
		cmocka_unit_test(openmetrics_differs_in_counters_units_and_its_end),
		cmocka_unit_test(ended_sessions_are_shown_by_database),
		cmocka_unit_test(what_is_not_known_has_no_sample),
		cmocka_unit_test(hostile_texts_stay_inside_their_quotes),
		cmocka_unit_test(servers_stand_together_in_each_metric),
		cmocka_unit_test(names_that_are_equal_stand_once),
		cmocka_unit_test(processes_are_limited_and_add_up),
		cmocka_unit_test(what_an_ended_process_counted_stays_in_the_sum),
		cmocka_unit_test(pools_of_other_servers_are_not_counted),
		cmocka_unit_test(names_of_pools_are_limited),
		cmocka_unit_test(a_histogram_is_cumulative_and_ends_with_all),
		cmocka_unit_test(accept_chooses_the_format),
	};
	return cmocka_run_group_tests_name("metrics", tests, NULL, NULL);
}
