/* Memory allocation that never fails: when no memory is left, it restores the terminal and ends the
 * program.
 *
 * libdbpool does not use this file, because a library must return -ENOMEM to its caller. */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stddef.h>

/* Sets a function that is called once, before abort(), when memory runs out: it restores the
 * terminal. NULL for none. */
void mem_on_exhausted(void (*handler)(void));

/* Returns zeroed memory, never NULL; the caller frees it with free(). */
void *mem_alloc(size_t size) __attribute__((malloc, returns_nonnull, warn_unused_result));

/* Like reallocarray(), but never NULL. New memory is not zeroed. */
void *mem_resize(void *old, size_t count, size_t size)
	__attribute__((returns_nonnull, warn_unused_result));

/* The first room of an array that grows. */
#define MEM_FIRST_ROOM 16

/* Makes room for one more item at the end of an array: if all `*room` items are in use, doubles the
 * room. Returns the array, which may have moved. Begin with NULL and no room. */
void *mem_grow(void *items, size_t count, size_t *room, size_t size)
	__attribute__((returns_nonnull, warn_unused_result));

/* Returns a copy, which the caller frees; NULL for NULL. */
char *mem_strdup(const char *s) __attribute__((warn_unused_result));

/* Like asprintf(), but returns the text, never NULL; the caller frees it. */
char *mem_printf(const char *format, ...)
	__attribute__((format(printf, 1, 2), returns_nonnull, warn_unused_result));

#endif
