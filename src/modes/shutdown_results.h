/* The output of a shutdown test: each round's verdict on stdout, all of them as JUnit XML, and the
 * exit status that follows from them. */
#ifndef MODES_SHUTDOWN_RESULTS_H
#define MODES_SHUTDOWN_RESULTS_H

#include <stdint.h>

struct options;
struct shutdown_options;
struct shutdown_record;
struct shutdown_results;
struct shutdown_verdict;

/* The options must outlive it. Opens the JUnit file before anything is started: NULL, after a
 * message on stderr, if it cannot be written. */
struct shutdown_results *shutdown_results_new(const struct options *options,
	const struct shutdown_options *wanted) __attribute__((warn_unused_result));

/* Writes the JUnit file with the rounds that were run. */
void shutdown_results_free(struct shutdown_results *results);

/* The command's name as clean text. Borrowed. */
const char *shutdown_results_program(const struct shutdown_results *results);

/* Adds the result of the next round, `duration` µs after its start. */
void shutdown_results_add(struct shutdown_results *results, const struct shutdown_record *record,
	const struct shutdown_verdict *verdict, int64_t duration);

/* EXIT_LEAKS if a round failed; otherwise EXIT_UNKNOWN if a round has no verdict; otherwise
 * EXIT_CLEAN. */
int shutdown_results_status(const struct shutdown_results *results);

/* Prints on stderr what an interrupted test had to end; there is no verdict for it. */
void shutdown_results_name_survivors(const struct shutdown_record *record);

#endif
