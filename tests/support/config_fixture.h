/* Configurations from texts and files. */
#ifndef CONFIG_FIXTURE_H
#define CONFIG_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "config/config.h"

#define EXAMPLE "config.example.yaml"
#define FULL    "tests/data/config/full.yaml"

/* Whether the text has no character that a terminal executes, and is not cut within a character. */
static inline void assert_clean(const char *text)
{
	struct arena *arena = arena_new();
	size_t len = strlen(text);
	assert_in_range(len, 1, sizeof(((struct config_error *)0)->text) - 1);
	assert_string_equal(text_clean(arena, text, len, TEXT_LINE), text);
	arena_free(arena);
}

static inline struct config_error refused(const char *text, size_t len)
{
	struct config *config = NULL;
	struct config_error error = { 0 };
	assert_int_equal(config_parse("f.yaml", text, len, &config, &error), -EINVAL);
	assert_null(config);
	assert_clean(error.text);
	return error;
}

static inline void assert_refused(const char *text, const char *expected)
{
	assert_string_equal(refused(text, strlen(text)).text, expected);
}

static inline struct config *parsed(const char *text)
{
	struct config *config = NULL;
	struct config_error error = { 0 };
	int r = config_parse("f.yaml", text, strlen(text), &config, &error);
	assert_string_equal(error.text, "");
	assert_int_equal(r, 0);
	return config;
}

static inline struct config *loaded(const char *path)
{
	struct config *config = NULL;
	struct config_error error = { 0 };
	int r = config_load(path, &config, &error);
	assert_string_equal(error.text, "");
	assert_int_equal(r, 0);
	return config;
}

static inline char *read_whole(const char *path)
{
	CLEANUP(cleanup_file) FILE *file = fopen(path, "re");
	assert_non_null(file);
	char *text = calloc(1, 65536);
	assert_in_range(fread(text, 1, 65535, file), 1, 65534);
	return text;
}

static inline char *repeated(const char *piece, size_t times)
{
	size_t len = strlen(piece);
	char *text = calloc(1, len * times + 1);
	for (size_t i = 0; i < times; i++)
		memcpy(text + i * len, piece, len);
	return text;
}

#endif
