/* Writes the sentence of a shutdown's verdict. Pure; all strings are in the facts' arena. */
#ifndef ANALYZE_SHUTDOWN_WORDS_H
#define ANALYZE_SHUTDOWN_WORDS_H

#include <stdbool.h>

#include "model/shutdown.h"

struct shutdown_facts;

/* Before the verdict: the progress. */
const char *shutdown_words_progress(const struct shutdown_facts *facts);

/* `behaviour` is not BEHAVIOUR_NONE. `lost_write`: exit status 0 hides a lost write, which the
 * sentence adds. */
const char *shutdown_words_verdict(
	const struct shutdown_facts *facts, enum shutdown_behaviour behaviour, bool lost_write);

#endif
