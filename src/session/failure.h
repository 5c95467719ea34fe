/* Why a connection failed, in the terms of the interface, and what to do about it. */
#ifndef SESSION_FAILURE_H
#define SESSION_FAILURE_H

#include <stdint.h>

#include "model/assessment.h"

struct arena;

struct session_failure {
	enum server_status status; /* SERVER_FULL, SERVER_REFUSED or SERVER_DENIED */
	char sqlstate[6];          /* "" when there is none */
	const char *text;          /* one clean line, in the arena */
	const char *hint;          /* what to type or do next; static, or NULL */
};

/* Reads libpq's message of a connection set to PQERRORS_VERBOSE. The message then contains the
 * SQLSTATE, which does not depend on the server's language. */
struct session_failure failure_read(struct arena *arena, const char *message);

#endif
