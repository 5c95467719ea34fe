#ifndef LIVE_RESOLVER_H
#define LIVE_RESOLVER_H

#include <stdbool.h>

/* A name server in the test's own process: a program that is linked with it finds its
 * getaddrinfo(). two.test has a first address where nobody answers, 127.0.0.9, one.test has only
 * that, db.test is 127.0.0.1; silent.test is not answered until it is released. Any other name is
 * the system's. */

/* Until so many threads wait for silent.test. */
void resolver_wait_for_silent(int count);

/* All of them get their answer: try again. */
void resolver_release_silent(void);

/* Waits until they have it; the next ones wait again. */
void resolver_hold_silent(void);

/* Whether the thread that waits for silent.test does not take this signal. */
bool resolver_blocks(int signal);

#endif
