/* Writes the sentence of a shutdown's verdict. Pure; all strings are in the facts' arena. */
#ifndef ANALYZE_SHUTDOWN_WORDS_H
#define ANALYZE_SHUTDOWN_WORDS_H

#include "model/shutdown.h"

struct shutdown_facts;

/* Before the verdict: the progress. */
const char *shutdown_words_progress(const struct shutdown_facts *facts);

/* Why there is no verdict on an application that held no connection, and left nothing. */
const char *shutdown_words_no_connection(const struct shutdown_facts *facts);

/* Which stats pages were not read, as a clause; NULL: none. */
const char *shutdown_words_not_read(const struct shutdown_facts *facts);

/* The sentence of a verdict whose other members are set; its behaviour is not BEHAVIOUR_NONE. */
const char *shutdown_words_verdict(
	const struct shutdown_facts *facts, const struct shutdown_verdict *verdict);

#endif
