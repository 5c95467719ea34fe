/* The end of an output. */
#ifndef REPORT_STREAM_H
#define REPORT_STREAM_H

#include <stdio.h>

/* Flushes. 0 when all that was written arrived, else a negative errno: -EPIPE when the reader has
 * left, whenever that was noticed. */
int stream_flush(FILE *file) __attribute__((warn_unused_result));

#endif
