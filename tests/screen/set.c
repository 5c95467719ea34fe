/* The server and its application are shared by a program's tests; dbtop is each test's own. */
#include "set.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#define MOST_ARGUMENTS 24

static const char *conninfo;

static void enter(const char *application, const char *role, const char *count)
{
	char more[64];
	snprintf(more, sizeof(more), "application_name=%s", application);
	live_client(live_group_conninfo(LIVE_TCP4, more), role, count, NULL);
}

void set_leak(void)
{
	enter("forgetful", "transaction", "2");
	/* so that the first rows of every dbtop have them leaked */
	live_wait_sessions(server,
		"state = 'idle in transaction' AND clock_timestamp() - state_change > "
		"interval '" SET_LIMIT " s'",
		SET_LEAKS, 10000);
	live_keep(true);
}

void set_enter(void)
{
	conninfo = live_group_conninfo(LIVE_TCP4, NULL);
	enter("web", "idle", "3");
	enter("cruncher", "active", "1");
	set_leak();
}

/* dbtop and its arguments for the set; returns how many. */
static size_t fill_arguments(const char *argv[static 7])
{
	const char *const arguments[] = { live_dbtop_path(), "-w", "-i", "0.2",
		"--transaction-limit", SET_LIMIT };
	memcpy(argv, arguments, sizeof(arguments));
	return sizeof(arguments) / sizeof(arguments[0]);
}

static struct term *start(const struct term_options *options, const char *way, va_list more)
{
	const char *argv[MOST_ARGUMENTS + 1];
	size_t count = fill_arguments(argv);
	for (const char *argument; (argument = va_arg(more, const char *));) {
		assert_true(count < MOST_ARGUMENTS - 1);
		argv[count++] = argument;
	}
	argv[count++] = way ? way : conninfo;
	argv[count] = NULL;
	return term_start(options, argv);
}

struct term *set_start_by(const struct term_options *options, const char *const *launcher)
{
	const char *argv[2 * MOST_ARGUMENTS];
	size_t count = 0;
	while (launcher[count]) {
		assert_true(count < MOST_ARGUMENTS);
		argv[count] = launcher[count];
		count++;
	}
	count += fill_arguments(argv + count);
	argv[count++] = conninfo;
	argv[count] = NULL;
	return term_start(options, argv);
}

struct term *set_start(const struct term_options *options, const char *way, ...)
{
	va_list more;
	va_start(more, way);
	struct term *term = start(options, way, more);
	va_end(more);
	return term;
}

static void await_rows(struct term *term, int width, int height)
{
	/* in a window this small there are numbers alone */
	bool has_words = width >= 30 && height >= 3;
	assert_true(term_wait_text(term, has_words ? "2 leaked" : "/"));
	assert_true(term_wait_gone(term, "looking for"));
	assert_true(term_settle(term));
}

struct term *set_open_in(const struct term_options *options, ...)
{
	va_list more;
	va_start(more, options);
	struct term *term = start(options, NULL, more);
	va_end(more);
	await_rows(term, options->width, options->height);
	return term;
}

struct term *set_open(int width, int height, ...)
{
	va_list more;
	va_start(more, height);
	struct term *term =
		start(&(struct term_options){ .width = width, .height = height }, NULL, more);
	va_end(more);
	await_rows(term, width, height);
	return term;
}

void set_assert_restored(struct term *term, const struct termios *before)
{
	struct termios after = term_modes(term);
	assert_false(term_is_alternate(term));
	assert_true(term_cursor_visible(term));
	assert_int_equal(term_mouse(term), 0);
	assert_int_equal(after.c_iflag, before->c_iflag);
	assert_int_equal(after.c_oflag, before->c_oflag);
	assert_int_equal(after.c_cflag, before->c_cflag);
	assert_int_equal(after.c_lflag, before->c_lflag);
	assert_memory_equal(after.c_cc, before->c_cc, sizeof(after.c_cc));
}

void set_quit(struct term *term)
{
	int status;
	term_press(term, "q");
	assert_true(term_wait_exit(term, &status));
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	assert_false(term_is_alternate(term));
	assert_true(term_cursor_visible(term));
	term_end(term);
}
