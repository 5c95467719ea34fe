/* Memory comes in chunks that double in size; an allocation only moves a pointer. */
#include "base/arena.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define FIRST_CHUNK  4096
#define LARGEST_STEP (64 * 1024) /* below the size for which malloc() calls mmap() */

struct chunk {
	struct chunk *next;
	size_t size, used;
	_Alignas(max_align_t) unsigned char data[];
};

struct arena {
	size_t used;          /* bytes allocated from the arena */
	struct chunk *chunks; /* newest first; allocations come from the first one */
};

static struct chunk *chunk_new(size_t size, struct chunk *next)
{
	struct chunk *chunk = mem_resize(NULL, 1, sizeof(*chunk) + size);
	*chunk = (struct chunk){ .next = next, .size = size };
	return chunk;
}

static void chunks_free(struct chunk *chunk)
{
	while (chunk) {
		struct chunk *next = chunk->next;
		free(chunk);
		chunk = next;
	}
}

struct arena *arena_new(void)
{
	return mem_alloc(sizeof(struct arena));
}

void arena_free(struct arena *arena)
{
	if (!arena)
		return;
	chunks_free(arena->chunks);
	free(arena);
}

void arena_reset(struct arena *arena)
{
	arena->used = 0;
	if (!arena->chunks)
		return;
	chunks_free(arena->chunks->next);
	arena->chunks->next = NULL;
	arena->chunks->used = 0;
}

size_t arena_used(const struct arena *arena)
{
	return arena->used;
}

static void grow(struct arena *arena, size_t needed)
{
	size_t size = FIRST_CHUNK;
	if (arena->chunks)
		size = arena->chunks->size < LARGEST_STEP ? arena->chunks->size * 2 : LARGEST_STEP;
	arena->chunks = chunk_new(size > needed ? size : needed, arena->chunks);
}

/* Returns memory that is not zeroed, for callers that overwrite it at once. */
static void *reserve(struct arena *arena, size_t size)
{
	const size_t align = _Alignof(max_align_t);
	size_t needed = (size + align - 1) & ~(align - 1);
	if (needed < size)
		abort();
	if (!arena->chunks || arena->chunks->size - arena->chunks->used < needed)
		grow(arena, needed);
	void *p = arena->chunks->data + arena->chunks->used;
	arena->chunks->used += needed;
	arena->used += needed;
	return p;
}

void *arena_alloc(struct arena *arena, size_t size)
{
	return memset(reserve(arena, size), 0, size);
}

void *arena_array(struct arena *arena, size_t count, size_t size)
{
	size_t total;
	if (__builtin_mul_overflow(count, size, &total))
		abort();
	return arena_alloc(arena, total);
}

void *arena_grow(struct arena *arena, void *items, size_t count, size_t *room, size_t size)
{
	if (count < *room)
		return items;
	*room = *room ? *room * 2 : MEM_FIRST_ROOM;
	void *grown = arena_array(arena, *room, size);
	if (count)
		memcpy(grown, items, count * size);
	return grown;
}

char *arena_strndup(struct arena *arena, const char *s, size_t len)
{
	char *copy = reserve(arena, len + 1);
	memcpy(copy, s, len);
	copy[len] = '\0';
	return copy;
}

char *arena_strdup(struct arena *arena, const char *s)
{
	return s ? arena_strndup(arena, s, strlen(s)) : NULL;
}

char *arena_printf(struct arena *arena, const char *format, ...)
{
	va_list args, again;
	va_start(args, format);
	va_copy(again, args);
	int len = vsnprintf(NULL, 0, format, args);
	va_end(args);
	char *text = arena_alloc(arena, (size_t)(len < 0 ? 0 : len) + 1);
	if (len > 0)
		vsnprintf(text, (size_t)len + 1, format, again);
	va_end(again);
	return text;
}
