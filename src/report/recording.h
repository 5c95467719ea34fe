/* A recording: the lines that dbtop --json --follow wrote. They are indexed first, then read one by
 * one. */
#ifndef REPORT_RECORDING_H
#define REPORT_RECORDING_H

#include <stddef.h>
#include <stdint.h>

struct assessment;
struct history;
struct recording;

#define RECORDING_ERROR_MAX 512

/* Opens a recording; "-" is standard input, which is read to its end. The first line must be a
 * snapshot. A last line that is cut off is ignored: that happens if dbtop is killed while it
 * writes. Returns 0, or a negative errno with "PATH: what is wrong" in error. */
int recording_open(const char *path, struct recording **ret_recording,
	char error[static RECORDING_ERROR_MAX]) __attribute__((warn_unused_result));
/* NULL is allowed. */
void recording_free(struct recording *recording);

/* The number of snapshots, at least one. */
size_t recording_count(const struct recording *recording);

/* When the i-th snapshot was taken; INSTANT_UNKNOWN if the line does not begin as
 * dbtop writes it. */
int64_t recording_at(const struct recording *recording, size_t i);

/* The first snapshot at or after the instant; the last one if there is none. */
size_t recording_find(const struct recording *recording, int64_t instant);

/* Reads the i-th snapshot. Returns 0 with an assessment that the caller frees; -EINVAL with
 * "PATH:LINE: what is wrong" for a line that is no snapshot; another negative errno if the file
 * cannot be read. */
int recording_read(const struct recording *recording, size_t i, struct assessment **ret_assessment,
	char error[static RECORDING_ERROR_MAX]) __attribute__((warn_unused_result));

/* Fills the history with the slots used and leaked up to the i-th snapshot; old
 * contents are lost. */
void recording_history(const struct recording *recording, size_t i, struct history *ret_history);

#endif
