/* The demo opens, says what matters, and leaves the terminal as it was. */
#include "set.h"

#include <sys/wait.h>

static void demo_opens_and_ends(void **state)
{
	(void)state;
	struct term *term = term_start(&(struct term_options){ .width = 120, .height = 36 },
		(const char *const[]){ live_dbtop_path(), "--demo", NULL });
	struct termios before = term_modes(term);
	int status;
	assert_true(term_wait_text(term, "LEAKED"));
	assert_true(term_is_alternate(term));
	assert_false(term_cursor_visible(term));
	assert_true(term_wait_text(term, "7 leaked"));
	/* the application on libdbpool, and its line */
	assert_true(term_wait_text(term, "longest hold"));
	assert_true(term_wait_text(term, "src/demo/demo_pool.c:"));
	term_press(term, "?");
	assert_true(term_wait_text(term, "┌ Help"));
	term_press(term, "Esc");
	assert_true(term_wait_gone(term, "┌ Help"));
	term_press(term, "q");
	assert_true(term_wait_exit(term, &status));
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	assert_false(term_is_alternate(term));
	assert_true(term_cursor_visible(term));
	struct termios after = term_modes(term);
	assert_int_equal(after.c_lflag, before.c_lflag);
	assert_int_equal(after.c_iflag, before.c_iflag);
	term_end(term);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(demo_opens_and_ends),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
