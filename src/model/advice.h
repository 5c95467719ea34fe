/* Settings of the server that invite leaks, and the statements that change them. */
#ifndef MODEL_ADVICE_H
#define MODEL_ADVICE_H

#include <stddef.h>

struct assessment;

#define ADVICE_MAX 3

struct advice {
	const char *what;  /* "idle_in_transaction_session_timeout is 0: …" */
	const char *alter; /* the exact statements */
};

/* Writes what applies and returns how many there are. The strings are static. */
size_t advice_get(const struct assessment *assessment, struct advice ret_advice[static ADVICE_MAX]);

#endif
