/* Memory that is always there: for dbtop, which ends cleanly when there is none left.
 *
 * libdbpool does not use this file: a library must hand -ENOMEM to its caller. */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stddef.h>

/* Called once, before abort(), when memory runs out: restores the terminal. NULL for none. */
void mem_on_exhausted(void (*handler)(void));

/* Zeroed memory, never NULL; the caller frees it with free(). */
void *mem_alloc(size_t size) __attribute__((malloc, returns_nonnull, warn_unused_result));

/* As reallocarray(), never NULL. What is new is not zeroed. */
void *mem_resize(void *old, size_t count, size_t size)
	__attribute__((returns_nonnull, warn_unused_result));

/* A copy the caller frees; NULL for NULL. */
char *mem_strdup(const char *s) __attribute__((warn_unused_result));

/* As asprintf(), never NULL; the caller frees it. */
char *mem_printf(const char *format, ...)
	__attribute__((format(printf, 1, 2), returns_nonnull, warn_unused_result));

#endif
