/* analyze/classify: the rows of tests/data/verdicts.tsv. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analyze/classify.h"
#include "base/cleanup.h"
#include "base/instant.h"
#include "model/activity.h"
#include "model/rules.h"

#define NOW     (INT64_C(1800000000) * USEC_PER_SEC)
#define COLUMNS 11

enum column {
	TYPE,
	STATE,
	AGE,
	END,
	USER,
	APPLICATION,
	PROCESS,
	QUERY,
	FLAGS,
	VERDICT,
	PROTECTION
};

static const char *const end_names[] = {
	[CLIENT_END_UNKNOWN] = "unknown",
	[CLIENT_END_ELSEWHERE] = "elsewhere",
	[CLIENT_END_NOT_VISIBLE] = "not_visible",
	[CLIENT_END_HELD] = "held",
	[CLIENT_END_GONE] = "gone",
};

static const char *const applications[] = { "backup*", "cron" }, *const users[] = { "admin" },
			 *const processes[] = { "psql" };

static const struct rules rules = {
	.idle = 300 * USEC_PER_SEC,
	.transaction = 120 * USEC_PER_SEC,
	.held = 60 * USEC_PER_SEC,
	.protected_applications = { (const char **)applications, 2 },
	.protected_users = { (const char **)users, 1 },
	.protected_processes = { (const char **)processes, 1 },
};

static const char *null_for_dash(const char *cell)
{
	return strcmp(cell, "-") == 0 ? NULL : cell;
}

static enum client_end parse_end(const char *name)
{
	for (size_t i = 0; i < sizeof(end_names) / sizeof(end_names[0]); i++)
		if (strcmp(end_names[i], name) == 0)
			return (enum client_end)i;
	fail_msg("unknown end: %s", name);
	return CLIENT_END_UNKNOWN;
}

/* The flag in a cell of words, or NULL; a name that ends with ':' has a value after it. */
static const char *find_flag(const char *cell, const char *name)
{
	size_t length = strlen(name);
	for (const char *word = cell; *word; word += strspn(word, " ")) {
		size_t size = strcspn(word, " ");
		if (strncmp(word, name, length) == 0 && (size == length || name[length - 1] == ':'))
			return word;
		word += size;
	}
	return NULL;
}

static bool has_flag(const char *cell, const char *name)
{
	return find_flag(cell, name) != NULL;
}

static int64_t flag_time(const char *cell, const char *name)
{
	const char *flag = find_flag(cell, name);
	return flag ? llround(strtod(flag + strlen(name), NULL) * USEC_PER_SEC) : -1;
}

static struct verdict judge(char *cells[static COLUMNS])
{
	const char *age = null_for_dash(cells[AGE]);
	struct backend backend = {
		.pid = 4711,
		.start = NOW - 100000 * USEC_PER_SEC,
		.kind = backend_kind_parse(null_for_dash(cells[TYPE])),
		.state = backend_state_parse(null_for_dash(cells[STATE])),
		.state_change = INSTANT_UNKNOWN,
		.user = null_for_dash(cells[USER]),
		.application_name = null_for_dash(cells[APPLICATION]),
		.query = null_for_dash(cells[QUERY]),
		.advisory_lock = has_flag(cells[FLAGS], "lock") || has_flag(cells[FLAGS], "waited"),
		.lock_waiters = has_flag(cells[FLAGS], "waited") ? "4712" : NULL,
	};
	if (age)
		backend.state_change = NOW - llround(strtod(age, NULL) * USEC_PER_SEC);
	struct rules used = rules;
	struct statement_effects effects = statement_effects(null_for_dash(cells[QUERY]));
	if (has_flag(cells[FLAGS], "nolimit"))
		used.held = RULES_NO_LIMIT;
	const struct evidence evidence = {
		.own = has_flag(cells[FLAGS], "own"),
		.agent = has_flag(cells[FLAGS], "agent"),
		.backup = has_flag(cells[FLAGS], "backup") || effects.backup == EFFECT_BEGINS,
		.listening =
			has_flag(cells[FLAGS], "listens") || effects.listening == EFFECT_BEGINS,
		.backend_client = has_flag(cells[FLAGS], "backend"),
		.pooler = has_flag(cells[FLAGS], "pooler"),
		.linked = has_flag(cells[FLAGS], "linked"),
		.pool_reserve = has_flag(cells[FLAGS], "reserve"),
		.bouncer_reserve = has_flag(cells[FLAGS], "bouncer"),
		.declared_gone = has_flag(cells[FLAGS], "declared"),
		.held = flag_time(cells[FLAGS], "held:"),
		.held_limit = flag_time(cells[FLAGS], "page:"),
		.held_reported = has_flag(cells[FLAGS], "reported"),
		.end = parse_end(cells[END]),
		.process_name = null_for_dash(cells[PROCESS]),
	};
	return classify_backend(&backend, &evidence, &used, NOW);
}

static const char *or_dash(const char *name)
{
	return name ? name : "-";
}

static void check_row(char *line, int number)
{
	char *cells[COLUMNS], text[128];
	for (int i = 0; i < COLUMNS; i++)
		if (!(cells[i] = strsep(&line, "\t")))
			fail_msg("verdicts.tsv:%d: %d columns instead of %d", number, i, COLUMNS);
	struct verdict verdict = judge(cells);
	snprintf(text, sizeof(text), "%s", status_name(verdict.status));
	if (verdict.status == STATUS_LEAKED)
		snprintf(text, sizeof(text), "leaked:%s:%s", reason_name(verdict.reason),
			certainty_name(verdict.certainty));
	const char *protection = or_dash(protection_name(verdict.protection));
	if (strcmp(text, cells[VERDICT]) != 0 || strcmp(protection, cells[PROTECTION]) != 0)
		fail_msg("verdicts.tsv:%d: expected %s %s, found %s %s", number, cells[VERDICT],
			cells[PROTECTION], text, protection);
}

static void every_row_has_its_verdict(void **state)
{
	(void)state;
	CLEANUP(cleanup_file) FILE *file = fopen("tests/data/verdicts.tsv", "r");
	CLEANUP(cleanup_free) char *line = NULL;
	size_t size = 0;
	int number = 0, rows = 0;
	assert_non_null(file);
	while (getline(&line, &size, file) > 0) {
		number++;
		line[strcspn(line, "\n")] = '\0';
		if (line[0] == '#' || !line[0])
			continue;
		check_row(line, number);
		rows++;
	}
	assert_true(rows >= 60);
}

static void a_verdict_is_leaked_or_protected_never_both(void **state)
{
	(void)state;
	for (int end = 0; end <= CLIENT_END_GONE; end++) {
		for (int kind = 0; kind <= BACKEND_HIDDEN; kind++) {
			for (int word = 0; word <= BACKEND_STATE_IN_ABORTED_TRANSACTION; word++) {
				const struct backend backend = { .kind = (enum backend_kind)kind,
					.state = (enum backend_state)word,
					.advisory_lock = (end + word) % 2 };
				const struct evidence evidence = { .end = (enum client_end)end };
				struct verdict verdict =
					classify_backend(&backend, &evidence, &rules, NOW);
				bool leaked = verdict.status == STATUS_LEAKED;
				assert_int_equal(leaked, verdict.reason != REASON_NONE);
				assert_int_equal(leaked, verdict.certainty != CERTAINTY_NONE);
				assert_false(leaked && verdict.protection);
			}
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row_has_its_verdict),
		cmocka_unit_test(a_verdict_is_leaked_or_protected_never_both),
	};
	return cmocka_run_group_tests_name("classify", tests, NULL, NULL);
}
