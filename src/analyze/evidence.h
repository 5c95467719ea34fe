/* Collects what is known of a connection besides its row, for the classifier and for people. */
#ifndef ANALYZE_EVIDENCE_H
#define ANALYZE_EVIDENCE_H

#include "analyze/classify.h"

/* The connection must be joined. */
struct evidence evidence_collect(
	const struct assessment *assessment, const struct connection *connection);

/* Sets the line beside each verdict, if there is something to say and the join has not said it. The
 * connections must be judged. */
void evidence_describe_all(struct assessment *assessment);

#endif
