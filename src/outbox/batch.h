/* Writes that were read from the file, in one buffer that is used again. */
#ifndef OUTBOX_BATCH_H
#define OUTBOX_BATCH_H

#include <stddef.h>
#include <stdint.h>

struct batch_write {
	int64_t id;       /* in the file */
	int64_t sequence; /* its number in the epoch */
	const void *blob; /* its statements, in the batch's buffer */
	size_t size;
};

/* Zero it before its first use. */
struct batch {
	struct batch_write *writes;
	size_t count, room;
	char *buffer;
	size_t used, buffer_room;
};

void batch_clear(struct batch *batch);

/* Frees its memory, and leaves it empty. */
void batch_free(struct batch *batch);

/* Copies a write; `blob` is set by batch_finish(). Returns 0 or -ENOMEM. */
int batch_add(struct batch *batch, int64_t id, int64_t sequence, const void *blob, size_t size)
	__attribute__((warn_unused_result));

/* Sets the pointers to the blobs: the buffer does not move any more. */
void batch_finish(struct batch *batch);

#endif
