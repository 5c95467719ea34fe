/* Memory allocation that ends the program when it fails. */
#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void (*on_exhausted)(void);

void mem_on_exhausted(void (*handler)(void))
{
	on_exhausted = handler;
}

__attribute__((noreturn)) static void exhausted(void)
{
	if (on_exhausted)
		on_exhausted();
	static const char text[] = "dbtop: out of memory\n";
	fwrite(text, 1, sizeof(text) - 1, stderr);
	abort();
}

void *mem_alloc(size_t size)
{
	void *p = calloc(1, size ? size : 1);
	if (!p)
		exhausted();
	return p;
}

void *mem_resize(void *old, size_t count, size_t size)
{
	void *p = reallocarray(old, count ? count : 1, size ? size : 1);
	if (!p)
		exhausted();
	return p;
}

void *mem_grow(void *items, size_t count, size_t *room, size_t size)
{
	if (count < *room)
		return items;
	*room = *room ? *room * 2 : MEM_FIRST_ROOM;
	return mem_resize(items, *room, size);
}

char *mem_strdup(const char *s)
{
	if (!s)
		return NULL;
	char *copy = strdup(s);
	if (!copy)
		exhausted();
	return copy;
}

char *mem_printf(const char *format, ...)
{
	char *text;
	va_list args;
	va_start(args, format);
	int n = vasprintf(&text, format, args);
	va_end(args);
	if (n < 0)
		exhausted();
	return text;
}
