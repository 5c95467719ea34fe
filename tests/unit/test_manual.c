/* The manual says what the tables say: options, keys, settings; and so do the completions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/instant.h"
#include "base/mem.h"
#include "config/config.h"
#include "dashboard/attention.h"
#include "dashboard/keymap.h"
#include "dashboard/logs.h"
#include "model/assessment.h"
#include "model/server_row.h"
#include "model/style.h"
#include "modes/options.h"
#include "sample.h"
#include "view/overview.h"
#include "widgets/columns.h"

static const char *completions[3]; /* of bash, zsh and fish: paths */

static char *read_whole(const char *path)
{
	CLEANUP(cleanup_file) FILE *file = fopen(path, "re");
	if (!file)
		fail_msg("no %s", path);
	char *text = mem_alloc(1 << 20);
	text[fread(text, 1, (1 << 20) - 1, file)] = '\0';
	return text;
}

/* Without mdoc's escapes that are of no width. */
static char *read_page(const char *path)
{
	char *text = read_whole(path);
	for (char *at; (at = strstr(text, "\\&"));)
		memmove(at, at + 2, strlen(at + 2) + 1);
	return text;
}

/* From this heading to the next. */
static char *section(const char *page, const char *name)
{
	CLEANUP(cleanup_free) char *heading = mem_printf("\n.Sh %s\n", name);
	const char *from = strstr(page, heading);
	if (!from)
		fail_msg("no section %s", name);
	from += strlen(heading);
	const char *to = strstr(from, "\n.Sh ");
	return strndup(from, to ? (size_t)(to - from) : strlen(from));
}

/* As a word of its own: what is around it is a blank, a comma or the end of the line. */
static bool has_word(const char *text, const char *word)
{
	size_t length = strlen(word);
	for (const char *at = text; (at = strstr(at, word)); at++) {
		bool begins = at == text || isspace((unsigned char)at[-1]);
		char after = at[length];
		if (begins && (after == '\0' || isspace((unsigned char)after)))
			return true;
	}
	return false;
}

static void every_option_is_in_the_manual(void **state)
{
	(void)state;
	CLEANUP(cleanup_free) char *page = read_page("docs/dbtop.1");
	struct option_info option;
	for (size_t i = 0; options_info(i, &option); i++) {
		CLEANUP(cleanup_free) char *name = mem_printf("Fl -%s", option.name);
		if (!has_word(page, name))
			fail_msg("docs/dbtop.1 does not tell of --%s", option.name);
		CLEANUP(cleanup_free) char *letter = mem_printf("Fl %c", option.letter);
		if (option.letter && !has_word(page, letter))
			fail_msg("docs/dbtop.1 does not tell of -%c", option.letter);
	}
}

static void every_option_is_completed(void **state)
{
	(void)state;
	static const char *const forms[] = { "--%s", "--%s", "-l %s" };
	for (size_t shell = 0; shell < 3; shell++) {
		CLEANUP(cleanup_free) char *text = read_whole(completions[shell]);
		struct option_info option;
		for (size_t i = 0; options_info(i, &option); i++) {
			char word[64];
			int length = snprintf(word, sizeof(word), forms[shell], option.name);
			const char *at = strstr(text, word);
			while (at && (isalnum((unsigned char)at[length]) || at[length] == '-'))
				at = strstr(at + 1, word);
			if (!at)
				fail_msg("%s does not complete --%s", completions[shell],
					option.name);
		}
	}
}

/* How a key is named in the manual. */
static const char *in_words(const char *key)
{
	static const char *const names[][2] = { { "↑", "Up" }, { "↓", "Down" }, { "←", "Left" },
		{ "→", "Right" }, { "Shift-→", "Shift-Right" }, { "Shift-←", "Shift-Left" } };
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(names[i][0], key) == 0)
			return names[i][1];
	return key;
}

static void every_key_is_in_the_manual(void **state)
{
	(void)state;
	CLEANUP(cleanup_free) char *page = read_page("docs/dbtop.1");
	CLEANUP(cleanup_free) char *keys = section(page, "KEYS");
	size_t count;
	const struct key_help *help = keymap_help(&count);
	for (size_t i = 0; i < count; i++) {
		CLEANUP(cleanup_free) char *names = mem_strdup(help[i].keys);
		for (char *rest = names, *name; (name = strsep(&rest, " "));)
			if (help[i].what && !has_word(keys, in_words(name)))
				fail_msg("docs/dbtop.1 does not tell of the key %s: %s", name,
					help[i].what);
	}
}

static void assert_verdict(const char *verdicts, const char *name)
{
	CLEANUP(cleanup_free) char *first = mem_printf("Sy %s\n", name);
	CLEANUP(cleanup_free) char *item = mem_printf(".It Sy %s No ", name);
	if (!strstr(verdicts, first) && !strstr(verdicts, item))
		fail_msg("docs/dbtop.1 does not explain the verdict %s", name);
}

static void every_verdict_is_in_the_manual(void **state)
{
	(void)state;
	CLEANUP(cleanup_free) char *page = read_page("docs/dbtop.1");
	CLEANUP(cleanup_free) char *verdicts = section(page, "VERDICTS");
	for (int i = 0; i < REASON_COUNT; i++)
		if (i != REASON_NONE)
			assert_verdict(verdicts, reason_name((enum reason)i));
	for (int i = 0; i < PROTECTION_COUNT; i++)
		if (i != PROTECTION_NONE)
			assert_verdict(verdicts, protection_name((enum protection)i));
}

static void every_setting_is_in_the_manual(void **state)
{
	(void)state;
	CLEANUP(cleanup_free) char *page = read_page("docs/dbtop-config.5");
	CLEANUP(cleanup_free) char *keys = section(page, "KEYS");
	size_t count;
	const struct config_key *key = config_keys(&count);
	for (; count--; key++) {
		CLEANUP(cleanup_free)
		char *line = mem_printf(".It Cm %s : Li %s\n", key->name, key->fallback);
		if (!strstr(keys, line))
			fail_msg("docs/dbtop-config.5 has no line %s", line);
	}
	for (size_t i = 0; i < COLUMN_COUNT; i++)
		if (!has_word(keys, column_get((enum column_id)i)->field))
			fail_msg("docs/dbtop-config.5 does not tell of the column %s",
				column_get((enum column_id)i)->field);
	CLEANUP(cleanup_free) char *themes = section(page, "THEMES");
	for (size_t i = 0; i < STYLE_COUNT; i++)
		if (!has_word(themes, style_name((enum style)i)))
			fail_msg("docs/dbtop-config.5 does not tell of the style %s",
				style_name((enum style)i));
}

/* The help's and the key bar's words for a key fit into their places. */
static void keys_are_printed_in_short(void **state)
{
	(void)state;
	size_t count;
	const struct key_help *help = keymap_help(&count);
	for (size_t i = 0; i < count; i++) {
		assert_true(!help[i].what || strlen(help[i].what) <= 64);
		assert_true(!help[i].bar || strlen(help[i].bar) <= 18);
	}
}

static void the_title_says_what_matters(void **state)
{
	(void)state;
	char title[ATTENTION_TITLE_MAX];
	struct assessment *assessment = sample_assessment(SAMPLE_SCREEN);
	attention_title(assessment, title);
	assert_non_null(strstr(title, "dbtop 4 leaked, 18/25, "));
	/* a title is obeyed by many terminals */
	assessment->server.host = "a\033]2;\a漢";
	attention_title(assessment, title);
	for (const char *c = title; *c; c++)
		assert_in_range(*c, ' ', '~');
	assessment_free(assessment);
	assessment = sample_assessment(SAMPLE_FULL);
	attention_title(assessment, title);
	assert_non_null(strstr(title, "full"));
	assessment_free(assessment);
}

static void the_overviews_title_counts(void **state)
{
	(void)state;
	char title[ATTENTION_TITLE_MAX];
	struct server_row rows[3] = { { .need = NEED_FULL }, { .need = NEED_NOTHING },
		{ .need = NEED_CONNECTING } };
	struct overview overview = { .rows = rows, .n_rows = 3 };
	attention_overview_title(&overview, title);
	assert_string_equal(title, "dbtop 1 of 3 servers needs a person");
	rows[1].need = NEED_LEAKED;
	attention_overview_title(&overview, title);
	assert_string_equal(title, "dbtop 2 of 3 servers need a person");
}

#define SESSION                                                                                    \
	"\"at\":\"1970-01-01T00:00:01Z\",\"event\":\"result\",\"action\":\"terminate\","           \
	"\"session\":{\"pid\":12,\"database\":\"app\",\"user\":\"u\",\"process\":\"p\\u001b[2J\"}" \
	","

static void actions_are_read_from_their_log(void **state)
{
	(void)state;
	static const struct {
		const char *line, *text; /* text NULL: not a line of it */
		bool failed;
	} cases[] = {
		{ "{" SESSION "\"result\":\"denied\",\"detail\":\"GRANT x\"}",
			"terminate: backend 12 denied, u on app, of p␛[2J: GRANT x", true },
		{ "{" SESSION "\"result\":\"terminated\",\"planned\":{\"reason\":\"client_gone\"}}",
			"terminate: backend 12 terminated, client gone, u on app, of p␛[2J",
			false },
		{ "{\"at\":\"1970-01-01T00:00:01Z\",\"event\":\"action\",\"action\":\"cancel\","
		  "\"targets\":1}",
			"cancel: begins with 1 target", false },
		{ "{" SESSION "\"result\":7}", NULL, false },
		{ "{\"at\":\"yesterday\",\"event\":\"action\",\"action\":\"x\"}", NULL, false },
		{ "[]", NULL, false },
		{ "", NULL, false },
		{ "{\"at\":\"1970-01-01T00", NULL, false },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct logs_line line = { 0 };
		bool good = logs_read_action(cases[i].line, strlen(cases[i].line), &line);
		assert_int_equal(good, cases[i].text != NULL);
		if (!good)
			continue;
		assert_string_equal(line.text, cases[i].text);
		assert_int_equal(line.failed, cases[i].failed);
		assert_int_equal(line.at, USEC_PER_SEC);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_option_is_in_the_manual),
		cmocka_unit_test(every_option_is_completed),
		cmocka_unit_test(every_key_is_in_the_manual),
		cmocka_unit_test(every_verdict_is_in_the_manual),
		cmocka_unit_test(every_setting_is_in_the_manual),
		cmocka_unit_test(keys_are_printed_in_short),
		cmocka_unit_test(the_title_says_what_matters),
		cmocka_unit_test(the_overviews_title_counts),
		cmocka_unit_test(actions_are_read_from_their_log),
	};
	if (argc != 4)
		return 2;
	for (int i = 0; i < 3; i++)
		completions[i] = argv[i + 1];
	return cmocka_run_group_tests_name("manual", tests, NULL, NULL);
}
