/* tui/input on a real pty: which bytes become which keys: whole, split or broken sequences. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <locale.h>
#include <poll.h>
#include <pty.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "config/theme.h"
#include "tui/input.h"
#include "tui/tui.h"

static struct {
	int master;
	struct tui *tui;
} terminal;

/* Without a /dev/tty, standard input and output are used. */
static int open_terminal(void **state)
{
	(void)state;
	struct winsize size = { .ws_row = 24, .ws_col = 80 };
	struct theme theme;
	int slave;
	assert_int_equal(openpty(&terminal.master, &slave, NULL, NULL, &size), 0);
	fcntl(terminal.master, F_SETFL, O_NONBLOCK);
	dup2(slave, STDIN_FILENO);
	dup2(slave, STDOUT_FILENO);
	close(slave);
	setenv("TERM", "xterm-256color", 1);
	assert_int_equal(theme_builtin("default", &theme), 0);
	assert_int_equal(tui_new(&theme, &terminal.tui), 0);
	return 0;
}

static int close_terminal(void **state)
{
	(void)state;
	tui_free(terminal.tui);
	close(terminal.master);
	return 0;
}

static void send(const char *bytes)
{
	size_t size = strlen(bytes);
	assert_int_equal(write(terminal.master, bytes, size), (ssize_t)size);
	struct pollfd pollfd = { .fd = tui_fd(terminal.tui), .events = POLLIN };
	assert_int_equal(poll(&pollfd, 1, 5000), 1);
}

static void assert_key(enum input_key key, char32_t c)
{
	struct key_event event = { 0 };
	assert_int_equal(input_read(terminal.tui, &event), 1);
	assert_int_equal(event.key, key);
	assert_int_equal(event.c, c);
}

static void assert_nothing(void)
{
	struct key_event event;
	assert_int_equal(input_read(terminal.tui, &event), 0);
}

static void known_sequences(void **state)
{
	(void)state;
	static const struct {
		const char *bytes;
		enum input_key key;
		char32_t c;
	} rows[] = {
		{ "k", INPUT_CHAR, 'k' },
		{ "\xc3\xa9", INPUT_CHAR, 0xe9 },
		{ "\xe6\xbc\xa2", INPUT_CHAR, 0x6f22 },
		{ "\r", INPUT_ENTER, 0 },
		{ "\n", INPUT_ENTER, 0 },
		{ "\t", INPUT_TAB, 0 },
		{ "\x7f", INPUT_BACKSPACE, 0 },
		{ "\x0c", INPUT_CTRL, 'l' },
		{ "\033", INPUT_ESCAPE, 0 },
		{ "\033OA", INPUT_UP, 0 },
		{ "\033OB", INPUT_DOWN, 0 },
		{ "\033OC", INPUT_RIGHT, 0 },
		{ "\033OD", INPUT_LEFT, 0 },
		{ "\033OH", INPUT_HOME, 0 },
		{ "\033OF", INPUT_END, 0 },
		{ "\033[5~", INPUT_PAGE_UP, 0 },
		{ "\033[6~", INPUT_PAGE_DOWN, 0 },
		{ "\033[3~", INPUT_DELETE, 0 },
		{ "\033OP", INPUT_FUNCTION, 1 },
		{ "\033[21~", INPUT_FUNCTION, 10 },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		send(rows[i].bytes);
		assert_key(rows[i].key, rows[i].c);
		assert_nothing();
	}
}

static void escape_and_what_comes_with_it(void **state)
{
	(void)state;
	send("\033\033");
	assert_key(INPUT_ESCAPE, 0);
	assert_key(INPUT_ESCAPE, 0);
	assert_nothing();
	send("\033q");
	assert_key(INPUT_ESCAPE, 0);
	assert_key(INPUT_CHAR, 'q');
	assert_nothing();
	send("\033\033OA");
	assert_key(INPUT_ESCAPE, 0);
	assert_key(INPUT_UP, 0);
	assert_nothing();
}

static void unknown_sequences_are_swallowed_whole(void **state)
{
	(void)state;
	static const char *const unknown[] = { "\033[99~", "\033[1;9Z", "\033[?1;2c",
		"\033[<0;1;1m" };
	for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
		send(unknown[i]);
		assert_nothing();
		send("x");
		assert_key(INPUT_CHAR, 'x');
	}
}

/* As when the line is interrupted: the keys after an incomplete sequence do not become a part of
 * it. */
static void a_sequence_that_was_cut_off_ends_at_the_next_key(void **state)
{
	(void)state;
	static const char *const cut[] = { "\033[", "\033O", "\033[<0;5", "\033[1;" };
	for (size_t i = 0; i < sizeof(cut) / sizeof(cut[0]); i++) {
		char bytes[32];
		snprintf(bytes, sizeof(bytes), "%s\033\033q", cut[i]);
		send(bytes);
		assert_key(INPUT_ESCAPE, 0);
		assert_key(INPUT_ESCAPE, 0);
		assert_key(INPUT_CHAR, 'q');
		assert_nothing();
		snprintf(bytes, sizeof(bytes), "%s\033OAq", cut[i]);
		send(bytes);
		assert_key(INPUT_UP, 0);
		assert_key(INPUT_CHAR, 'q');
		assert_nothing();
	}
}

static void assert_pasted(enum input_key key, char32_t c)
{
	struct key_event event = { 0 };
	assert_int_equal(input_read(terminal.tui, &event), 1);
	assert_int_equal(event.key, key);
	assert_int_equal(event.c, c);
	assert_true(event.pasted);
}

static void pasted_text_is_marked(void **state)
{
	(void)state;
	send("a\033[200~k\r\033[201~b");
	assert_key(INPUT_CHAR, 'a');
	assert_pasted(INPUT_CHAR, 'k');
	assert_pasted(INPUT_ENTER, 0);
	struct key_event event = { 0 };
	assert_int_equal(input_read(terminal.tui, &event), 1);
	assert_int_equal(event.c, 'b');
	assert_false(event.pasted);
	assert_nothing();
}

/* Keys and clicks in a paste are not keys; only the end mark ends it. */
static void sequences_in_a_paste_are_no_keys(void **state)
{
	(void)state;
	send("\033[200~\033OA\033[<0;5;5M\033[200~");
	struct key_event event = { 0 };
	while (input_read(terminal.tui, &event) == 1)
		assert_true(event.pasted && event.key == INPUT_CHAR);
	send("k");
	assert_pasted(INPUT_CHAR, 'k');
	send("\033[201~k");
	assert_key(INPUT_CHAR, 'k');
	assert_nothing();
}

/* As when a paste is longer than the buffer of the terminal's driver. */
static void a_mark_in_two_packets_ends_a_paste(void **state)
{
	(void)state;
	for (size_t cut = 1; cut < 6; cut++) {
		char bytes[8];
		send("\033[200~x");
		assert_pasted(INPUT_CHAR, 'x');
		snprintf(bytes, sizeof(bytes), "%.*s", (int)cut, "\033[201~");
		send(bytes);
		assert_nothing();
		send(&"\033[201~"[cut]);
		assert_nothing();
		send("k");
		struct key_event event = { 0 };
		assert_int_equal(input_read(terminal.tui, &event), 1);
		assert_false(event.pasted);
	}
}

static void broken_bytes_hold_nothing_back(void **state)
{
	(void)state;
	send("\xff\xfe");
	assert_nothing();
	send("x");
	assert_key(INPUT_CHAR, 'x');
	assert_nothing();
	/* An incomplete character, followed at once by a key. */
	send("\xc3\033OC");
	assert_key(INPUT_RIGHT, 0);
	assert_nothing();
}

/* As from a terminal whose encoding is not the locale's: "é" in Latin-1 is one byte. */
static void a_broken_byte_takes_no_other_with_it(void **state)
{
	(void)state;
	send("\xffkj\xe6\xbcq\xe9");
	assert_key(INPUT_CHAR, 'k');
	assert_key(INPUT_CHAR, 'j');
	assert_key(INPUT_CHAR, 'q');
	assert_nothing();
	send("\033[200~caf\xe9\033[201~k");
	assert_pasted(INPUT_CHAR, 'c');
	assert_pasted(INPUT_CHAR, 'a');
	assert_pasted(INPUT_CHAR, 'f');
	struct key_event event = { 0 };
	assert_int_equal(input_read(terminal.tui, &event), 1);
	assert_int_equal(event.c, 'k');
	assert_false(event.pasted);
	assert_nothing();
}

/* A terminal removes the end mark from pasted text, but not bytes that become the mark when other
 * bytes are skipped. */
static void a_mark_with_a_broken_byte_in_it_is_text(void **state)
{
	(void)state;
	send("\033[200~\033[20\xdd\xdd"
	     "1~k");
	struct key_event event = { 0 };
	while (input_read(terminal.tui, &event) == 1)
		assert_true(event.pasted && event.key == INPUT_CHAR);
	assert_int_equal(event.c, 'k');
	send("\033[201~k");
	assert_key(INPUT_CHAR, 'k');
	assert_nothing();
}

static void what_is_not_unicode_is_no_key(void **state)
{
	(void)state;
	send("\xfd\xad\xad\xad\xad\xad"
	     "k");
	assert_key(INPUT_CHAR, 'k');
	assert_nothing();
	send("\xed\xa0\x80k");
	assert_key(INPUT_CHAR, 'k');
	assert_nothing();
}

static void many_keys_in_one_packet(void **state)
{
	(void)state;
	char keys[1025];
	memset(keys, 'j', sizeof(keys) - 1);
	keys[sizeof(keys) - 1] = '\0';
	send(keys);
	for (size_t i = 0; i < sizeof(keys) - 1; i++)
		assert_key(INPUT_CHAR, 'j');
	assert_nothing();
}

static void a_terminal_that_went_away(void **state)
{
	(void)state;
	struct key_event event;
	int spare = open("/dev/null", O_RDWR | O_CLOEXEC);
	assert_true(spare >= 0);
	dup2(spare, terminal.master);
	close(spare);
	assert_true(input_read(terminal.tui, &event) < 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_terminal, close_terminal)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(known_sequences),
		TEST(escape_and_what_comes_with_it),
		TEST(unknown_sequences_are_swallowed_whole),
		TEST(a_sequence_that_was_cut_off_ends_at_the_next_key),
		TEST(pasted_text_is_marked),
		TEST(sequences_in_a_paste_are_no_keys),
		TEST(a_mark_in_two_packets_ends_a_paste),
		TEST(broken_bytes_hold_nothing_back),
		TEST(a_broken_byte_takes_no_other_with_it),
		TEST(a_mark_with_a_broken_byte_in_it_is_text),
		TEST(what_is_not_unicode_is_no_key),
		TEST(many_keys_in_one_packet),
		TEST(a_terminal_that_went_away),
	};
	setlocale(LC_CTYPE, "C.UTF-8");
	/* A new session has no /dev/tty. The leader of a process group cannot make one. */
	pid_t child = fork();
	int status = 1;
	if (child > 0)
		return waitpid(child, &status, 0) == child && status == 0 ? 0 : 1;
	setsid();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
