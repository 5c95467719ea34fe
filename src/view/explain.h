/* Explains the status of a connection, the evidence for it, and what each action would do to it, in
 * whole sentences. The text is in the arena, or static. */
#ifndef VIEW_EXPLAIN_H
#define VIEW_EXPLAIN_H

#include <stdbool.h>

#include "model/assessment.h"

/* "LEAKED, proven: client gone, for 31m10s" */
const char *explain_verdict(
	struct arena *arena, const struct verdict *verdict, const struct rules_limits *limits);

/* What the verdict rests on. */
const char *explain_evidence(struct arena *arena, const struct assessment *assessment,
	const struct connection *connection);

/* What happened to the client end. */
const char *explain_end(enum client_end end);

/* How its process was found; NULL for MATCHED_NONE. */
const char *explain_match(enum matched_by matched_by);

/* What a key would do to it. *ret_acts is true if it would do something. */
const char *explain_kill_leaked(struct arena *arena, const struct assessment *assessment,
	const struct connection *connection, bool *ret_acts);
const char *explain_terminate(struct arena *arena, const struct assessment *assessment,
	const struct connection *connection, bool *ret_acts);
const char *explain_cancel(struct arena *arena, const struct assessment *assessment,
	const struct connection *connection, bool *ret_acts);
const char *explain_emergency(struct arena *arena, const struct assessment *assessment,
	const struct connection *connection, bool *ret_acts);

#endif
