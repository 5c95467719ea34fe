/* Texts that are made to fit: titles of processes, and sentences broken into lines. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "model/peers.h"
#include "widgets/grid.h"
#include "widgets/line.h"
#include "widgets/process_title.h"
#include "widgets/wrap.h"

static void a_title_has_no_folders(void **state)
{
	(void)state;
	static const struct {
		const char *command, *title, *brief; /* NULL: the title */
	} rows[] = {
		{ "/usr/bin/python3 /opt/shop/main.py", "python3 main.py", NULL },
		{ "/usr/bin/python3 /opt/shop/main.py --port 8000 -v",
			"python3 main.py --port 8000 -v", "python3 main.py …" },
		{ "postgres: app shop 10.0.0.1(5) idle", "postgres: app shop 10.0.0.1(5) idle",
			"postgres: app shop …" },
		{ "/srv/a_long_name_of_a_service /srv/x", "a_long_name_of_a_service x",
			"a_long_name_of_a_service …" },
		{ "a  23456789 123456789", "a 23456789 123456789", NULL },
		{ "a  23456789 1234567890", "a 23456789 1234567890", "a 23456789 …" },
		{ "/srv/ls /srv/", "ls /srv/", NULL },
		{ " ", "unnamed process", NULL },
	};
	struct line line;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct process process = { .command = rows[i].command };
		line_begin(&line);
		process_title_add(&process, STYLE_TEXT, &line);
		assert_string_equal(line.text, rows[i].title);
		line_begin(&line);
		line_add(&line, STYLE_TEXT, "a prefix does not count ");
		size_t prefix = line.length;
		process_title_add_short(&process, STYLE_TEXT, &line);
		assert_string_equal(
			line.text + prefix, rows[i].brief ? rows[i].brief : rows[i].title);
	}
}

/* Each call goes on by a character at least, whatever the width and the text; no character is
 * lost but the blank or line break at which a line ends. */
static void a_sentence_is_broken_into_lines(void **state)
{
	(void)state;
	static const char *const texts[] = { "could not connect again: timeout", "木木木 木木",
		"e\u0301e\u0301 \u0301", "  two  blanks ", "\nfirst\n\nlast\n", " ", "\xff\xfe" };
	struct grid grid;
	grid_init(&grid);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		for (int width = 0; width < 12; width++) {
			size_t skip;
			for (const char *at = texts[i]; *at; at += skip) {
				size_t length = wrap_line(&grid, at, width, &skip);
				assert_in_range(skip, 1, strlen(at));
				assert_in_range(skip, length, length + 1);
				if (skip > length)
					assert_non_null(strchr(" \n", at[length]));
				struct line line;
				line_begin(&line);
				line_add_bytes(&line, STYLE_TEXT, at, length);
				if (width > 1 && i < 6)
					assert_in_range(line_width(&grid, &line), 0, width);
			}
		}
	}
	grid_deinit(&grid);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_title_has_no_folders),
		cmocka_unit_test(a_sentence_is_broken_into_lines),
	};
	return cmocka_run_group_tests_name("line", tests, NULL, NULL);
}
