/* What the screen tests play on: a private server, an application with two leaks, and dbtop in a
 * terminal. Fails the test when something of it cannot be had. */
#ifndef SCREEN_SET_H
#define SCREEN_SET_H

#include "live.h"
#include "term.h"

/* For cmocka's groups: the server, and on it
 *   web        3 idle
 *   cruncher   1 active
 *   forgetful  2 in a transaction, leaked after SET_LIMIT */
int set_up(void **state);
int set_down(void **state);

/* A teardown for each test: ends what a failed test left behind, so that it does not make the next
 * one fail. The second also ends all sessions but those of the set's application. */
int set_end_programs(void **state);
int set_clean_up(void **state);
#define SET_TEST(name) cmocka_unit_test_teardown(name, set_clean_up)

#define SET_LIMIT "0.3"
#define SET_LEAKS 2

struct private_server *set_server(void);

/* dbtop on the set's server, without a leak at the start of the test that nobody asked for; ...:
 * more arguments, ended by NULL. It has drawn its first rows. */
struct term *set_open(int width, int height, ...) __attribute__((sentinel));
/* The same, with a terminal of one's own making (width and height among it). */
struct term *set_open_in(const struct term_options *options, ...) __attribute__((sentinel));
/* Started, and nothing waited for; conninfo NULL: the set's. */
struct term *set_start(const struct term_options *options, const char *conninfo, ...)
	__attribute__((sentinel));

/* The same, started by another program: launcher (NULL-terminated) is put before dbtop's arguments.
 */
struct term *set_start_by(const struct term_options *options, const char *const *launcher);

/* q, and it ends well: status 0, the terminal as before. Frees it. */
void set_quit(struct term *term);

/* The terminal is the shell's again: its screen, its cursor, its modes. */
void set_assert_restored(struct term *term, const struct termios *before);

#endif
