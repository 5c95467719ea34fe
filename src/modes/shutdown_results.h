/* What a shutdown test tells the world: each round's verdict on stdout, all of them as JUnit XML,
 * and the exit status they come to. */
#ifndef MODES_SHUTDOWN_RESULTS_H
#define MODES_SHUTDOWN_RESULTS_H

#include <stdint.h>

struct options;
struct shutdown_record;
struct shutdown_results;
struct shutdown_verdict;

/* The options must outlive it. The JUnit file is opened here, before anything is started: NULL when
 * it cannot be written, which stderr says. */
struct shutdown_results *shutdown_results_new(const struct options *options, long rounds)
	__attribute__((warn_unused_result));

/* Writes the JUnit file, of the rounds that there were. */
void shutdown_results_free(struct shutdown_results *results);

/* The command's name, made harmless. Borrowed. */
const char *shutdown_results_program(const struct shutdown_results *results);

/* The next round came to this, `duration` µs after its start. */
void shutdown_results_add(struct shutdown_results *results, const struct shutdown_record *record,
	const struct shutdown_verdict *verdict, int64_t duration);

/* EXIT_LEAKS when a round failed, else EXIT_UNKNOWN when one has no verdict, else EXIT_CLEAN. */
int shutdown_results_status(const struct shutdown_results *results);

/* On stderr: what an interrupted test had to end, for which there is no verdict. */
void shutdown_results_name_survivors(const struct shutdown_record *record);

#endif
