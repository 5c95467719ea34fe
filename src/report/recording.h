/* A recording: the lines that dbtop --json --follow wrote, found at once and read one by one. */
#ifndef REPORT_RECORDING_H
#define REPORT_RECORDING_H

#include <stddef.h>
#include <stdint.h>

struct assessment;
struct history;
struct recording;

#define RECORDING_ERROR_MAX 512

/* "-" is standard input, which is read to its end. The first line has to be a snapshot; a last line
 * that is cut off is passed over, as it is when dbtop was killed while it wrote. Returns 0, or a
 * negative errno with "PATH: what is wrong" in error. */
int recording_open(const char *path, struct recording **ret_recording,
	char error[static RECORDING_ERROR_MAX]) __attribute__((warn_unused_result));
/* NULL is allowed. */
void recording_free(struct recording *recording);

/* Snapshots: one at least. */
size_t recording_count(const struct recording *recording);

/* When the i-th was taken; INSTANT_UNKNOWN where the line does not begin as dbtop writes it. */
int64_t recording_at(const struct recording *recording, size_t i);

/* The first snapshot at or after the instant; the last one if there is none. */
size_t recording_find(const struct recording *recording, int64_t instant);

/* Returns 0 with an assessment that the caller frees; -EINVAL with "PATH:LINE: what is wrong" for a
 * line that is no snapshot, another negative errno when it cannot be read any more. */
int recording_read(const struct recording *recording, size_t i, struct assessment **ret_assessment,
	char error[static RECORDING_ERROR_MAX]) __attribute__((warn_unused_result));

/* The slots that were used and leaked up to the i-th: replaces what the history held. */
void recording_history(const struct recording *recording, size_t i, struct history *ret_history);

#endif
