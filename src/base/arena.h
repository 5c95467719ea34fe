/* An arena: many small allocations that are freed together. */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stddef.h>

struct arena;

/* Never NULL. */
struct arena *arena_new(void) __attribute__((returns_nonnull));

/* Frees the arena and all its allocations. NULL is allowed. */
void arena_free(struct arena *arena);

/* Invalidates all allocations, and keeps the memory for later ones. */
void arena_reset(struct arena *arena);

/* The number of bytes allocated since arena_new() or arena_reset(). */
size_t arena_used(const struct arena *arena);

/* Returns zeroed memory, aligned for any type; never NULL. */
void *arena_alloc(struct arena *arena, size_t size) __attribute__((returns_nonnull));

/* Returns count × size zeroed bytes. Ends the program on overflow. */
void *arena_array(struct arena *arena, size_t count, size_t size) __attribute__((returns_nonnull));

/* As mem_grow(), for an array in the arena: the old array stays in the arena, unused. */
void *arena_grow(struct arena *arena, void *items, size_t count, size_t *room, size_t size)
	__attribute__((returns_nonnull, warn_unused_result));

/* Returns a copy of the first len bytes, terminated. */
char *arena_strndup(struct arena *arena, const char *s, size_t len);

/* Returns a copy; NULL for NULL. */
char *arena_strdup(struct arena *arena, const char *s);

char *arena_printf(struct arena *arena, const char *format, ...)
	__attribute__((format(printf, 2, 3), returns_nonnull));

#endif
