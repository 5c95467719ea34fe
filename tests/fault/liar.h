/* A bad line to a server: it forwards what both ends say, and does one thing wrong. */
#ifndef TESTS_LIAR_H
#define TESTS_LIAR_H

#include <stddef.h>
#include <stdint.h>

enum liar_fault {
	LIAR_HONEST,
	LIAR_CUT,     /* hangs up after that many bytes from the server */
	LIAR_HANG,    /* says nothing more after them, and stays connected */
	LIAR_FLIP,    /* changes a random byte of every so many */
	LIAR_RUBBISH, /* answers with random bytes, whatever is asked */
	LIAR_MUTE,    /* accepts, and never says a word */
	LIAR_ENDLESS, /* asks for a password hash that takes an hour to compute */
};

/* How many bytes the server had sent by the end of a message; 0 when it did not come. */
struct liar_marks {
	size_t let_in; /* AuthenticationOk */
	size_t ready;  /* the first ReadyForQuery: the end of the login */
};

struct liar;

/* Listens on 127.0.0.1; ends with the test. Never NULL. */
struct liar *liar_start(
	const char *server_socket, enum liar_fault fault, size_t after, uint64_t seed);

int liar_port(const struct liar *liar);

/* Of its last connection: what went through an honest line. */
struct liar_marks liar_marks(const struct liar *liar);

/* NULL is allowed. */
void liar_stop(struct liar *liar);

#endif
