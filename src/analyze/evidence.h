/* Collects what is known of a connection besides its row, for the classifier and for people. */
#ifndef ANALYZE_EVIDENCE_H
#define ANALYZE_EVIDENCE_H

#include "analyze/classify.h"

/* The connection must be joined. */
struct evidence evidence_collect(
	const struct assessment *assessment, const struct connection *connection);

/* One line that stands beside the verdict, in the assessment's arena; NULL if there is nothing to
 * say. The connection must be judged. */
const char *evidence_describe(
	const struct assessment *assessment, const struct connection *connection);

#endif
