/* What the screen tests play on: a private server, an application with two leaks, and dbtop in a
 * terminal. Fails the test when something of it cannot be had. */
#ifndef SCREEN_SET_H
#define SCREEN_SET_H

#include "live_group.h"
#include "term.h"

/* Starts on the group's server
 *   web        3 idle
 *   cruncher   1 active
 *   forgetful  2 in a transaction, leaked after SET_LIMIT
 * which stay for all tests of the group. */
void set_enter(void);

/* Starts forgetful again, whose sessions were ended. */
void set_leak(void);

#define SET_SESSIONS "application_name IN ('web', 'cruncher', 'forgetful')"

#define SET_GROUP(name, tests) LIVE_GROUP(name, tests, .set_up = set_enter, .kept = SET_SESSIONS)

#define SET_LIMIT "0.3"
#define SET_LEAKS 2

/* dbtop on the set's server, without a leak at the start of the test that nobody asked for; ...:
 * more arguments, ended by NULL. It has drawn its first rows. */
struct term *set_open(int width, int height, ...) __attribute__((sentinel));
/* The same, with the given options for the terminal, width and height among them. */
struct term *set_open_in(const struct term_options *options, ...) __attribute__((sentinel));
/* Started, and nothing waited for; way: a connection string; NULL: the set's. */
struct term *set_start(const struct term_options *options, const char *way, ...)
	__attribute__((sentinel));

/* The same, started by another program: launcher (NULL-terminated) is put before dbtop's arguments.
 */
struct term *set_start_by(const struct term_options *options, const char *const *launcher);

/* q, and it ends well: status 0, the terminal as before. Frees it. */
void set_quit(struct term *term);

/* The terminal is the shell's again: its screen, its cursor, its modes. */
void set_assert_restored(struct term *term, const struct termios *before);

#endif
