#include "outbox/batch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "outbox/error.h"

void batch_clear(struct batch *batch)
{
	batch->count = batch->used = 0;
}

void batch_free(struct batch *batch)
{
	free(batch->writes);
	free(batch->buffer);
	*batch = (struct batch){ 0 };
}

static int make_room_for_bytes(struct batch *batch, size_t more)
{
	if (batch->used + more <= batch->buffer_room)
		return 0;
	size_t room = (batch->used + more) * 2;
	char *buffer = realloc(batch->buffer, room);
	if (!buffer)
		return outbox_fail(-ENOMEM, "out of memory");
	batch->buffer = buffer;
	batch->buffer_room = room;
	return 0;
}

static int make_room_for_write(struct batch *batch)
{
	if (batch->count < batch->room)
		return 0;
	size_t room = batch->room * 2 + 16;
	struct batch_write *writes = realloc(batch->writes, room * sizeof(*writes));
	if (!writes)
		return outbox_fail(-ENOMEM, "out of memory");
	batch->writes = writes;
	batch->room = room;
	return 0;
}

int batch_add(struct batch *batch, int64_t id, int64_t sequence, const void *blob, size_t size)
{
	int r = make_room_for_bytes(batch, size);
	if (r == 0)
		r = make_room_for_write(batch);
	if (r != 0)
		return r;
	if (size)
		memcpy(batch->buffer + batch->used, blob, size);
	batch->used += size;
	batch->writes[batch->count++] =
		(struct batch_write){ .id = id, .sequence = sequence, .size = size };
	return 0;
}

void batch_finish(struct batch *batch)
{
	size_t at = 0;
	for (size_t i = 0; i < batch->count; i++) {
		batch->writes[i].blob = batch->buffer + at;
		at += batch->writes[i].size;
	}
}
