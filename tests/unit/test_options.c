/* modes/options: the command line again, for hints that can be typed as printed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "modes/connect.h"
#include "modes/options.h"

#define MOST_WORDS 16

static void the_hint_repeats_connection_and_limits_but_no_password(void **state)
{
	(void)state;
	static const struct {
		const char *words[MOST_WORDS]; /* ended by NULL */
		const char *text;
	} cases[] = {
		{ { "dbtop", "--once" }, "dbtop" },
		{ { "dbtop", "-p", "5433", "--idle-limit", "5 min", "--once", "app" },
			"dbtop -p 5433 --idle-limit '5 min' app" },
		{ { "dbtop", "-w", "-U", "o'hara", "--json" },
			"dbtop -U 'o'\\''hara' --no-password" },
		{ { "dbtop", "--host-agent", "ssh://monitor@web1:2222", "--json", "app" },
			"dbtop --host-agent ssh://monitor@web1:2222 app" },
		{ { "dbtop", "--pgbouncer", "port=6432", "--pgbouncer", "port=6433",
			  "host=/tmp dbname=app" },
			"dbtop --pgbouncer port=6432 --pgbouncer port=6433 'host=/tmp "
			"dbname=app'" },
		{ { "dbtop", "-h", "db", "user=app password=secret" }, "dbtop -h db user=app" },
		{ { "dbtop", "-h", "db", "password=secret" }, "dbtop -h db" },
		{ { "dbtop", "postgres://app:secret@db/shop" },
			"dbtop 'user=app dbname=shop host=db'" },
		{ { "dbtop", "-d", "postgresql://app:p%40ss@%2Frun%2Fmy%20pg/shop" },
			"dbtop -d 'user=app dbname=shop host='\\''/run/my pg'\\'''" },
		{ { "dbtop", "user=o\\'hara sslpassword=secret" },
			"dbtop 'user='\\''o\\'\\''hara'\\'''" },
		{ { "dbtop", "--pgbouncer", "postgres://admin:secret@:6432/pgbouncer", "app" },
			"dbtop --pgbouncer 'user=admin dbname=pgbouncer port=6432' app" },
		{ { "dbtop", "-c", "password.yaml", "-a", "password=|web", "service=shop" },
			"dbtop -c password.yaml -a 'password=|web' service=shop" },
		{ { "dbtop", "passwords" }, "dbtop passwords" },
		{ { "dbtop", "postgres://app@db:5433/shop" }, "dbtop postgres://app@db:5433/shop" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *words[MOST_WORDS + 1] = { NULL };
		int count = 0;
		for (; cases[i].words[count]; count++)
			words[count] = (char *)cases[i].words[count];
		struct options options;
		assert_int_equal(options_parse(count, words, &options), 0);
		CLEANUP(cleanup_free)
		char *text = options_retype(
			&options, options.servers.items[0], connect_without_password);
		assert_string_equal(text, cases[i].text);
	}
}

static void the_help_fits_into_80_columns(void **state)
{
	(void)state;
	CLEANUP(cleanup_free) char *text = NULL;
	size_t size, lines = 0;
	FILE *file = open_memstream(&text, &size);
	options_help(file);
	assert_int_equal(fclose(file), 0);
	const char *first = strstr(text, "  -h ");
	size_t at = (size_t)(strstr(first, "as in psql") - first);
	for (const char *line = text; *line; lines++) {
		size_t length = strcspn(line, "\n");
		if (length > 80)
			fail_msg("%zu columns: %.*s", length, (int)length, line);
		/* what an option does begins in one column */
		if (line[0] == ' ' && (line[at - 1] != ' ' || line[at] == ' '))
			fail_msg("not in column %zu: %.*s", at, (int)length, line);
		line += length + 1;
	}
	assert_true(lines > 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_hint_repeats_connection_and_limits_but_no_password),
		cmocka_unit_test(the_help_fits_into_80_columns),
	};
	return cmocka_run_group_tests_name("options", tests, NULL, NULL);
}
