/* An arena: many small allocations that live and die together. */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stddef.h>

struct arena;

/* Never NULL. */
struct arena *arena_new(void) __attribute__((returns_nonnull));

/* Frees everything that came from it; NULL is allowed. */
void arena_free(struct arena *arena);

/* Forgets everything that came from it and keeps the memory for the next round. */
void arena_reset(struct arena *arena);

/* How many bytes came from it. */
size_t arena_used(const struct arena *arena);

/* Zeroed, aligned for any type, never NULL. */
void *arena_alloc(struct arena *arena, size_t size) __attribute__((returns_nonnull));

/* count × size, zeroed; ends the program on overflow. */
void *arena_array(struct arena *arena, size_t count, size_t size) __attribute__((returns_nonnull));

/* A copy of the first len bytes, terminated. */
char *arena_strndup(struct arena *arena, const char *s, size_t len);

/* A copy; NULL for NULL. */
char *arena_strdup(struct arena *arena, const char *s);

char *arena_printf(struct arena *arena, const char *format, ...)
	__attribute__((format(printf, 2, 3), returns_nonnull));

#endif
