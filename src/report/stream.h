/* Finishing an output stream. */
#ifndef REPORT_STREAM_H
#define REPORT_STREAM_H

#include <stdio.h>

/* Flushes. Returns 0 if all output was written, else a negative errno: -EPIPE if the reader has
 * closed the pipe, even if an earlier write noticed it. */
int stream_flush(FILE *file) __attribute__((warn_unused_result));

#endif
