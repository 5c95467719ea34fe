/* A page of this process, in a folder of its own. */
#ifndef PAGE_FIXTURE_H
#define PAGE_FIXTURE_H

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "page/reader.h"
#include "page/writer.h"

#define SITE "src/sync.c:212"

struct fixture {
	char root[64];   /* a folder for this test only */
	char folder[96]; /* the folder of its pages */
	struct page_host host;
	struct page_writer *writer;
	struct page *page;
	struct page_copy copy;
};

static inline struct page_writer *write_page(const char *folder, int *ret_file)
{
	const struct page_writer_options options = {
		.folder = folder,
		.name = "jarvis",
		.server = "127.0.0.1:5432/app",
		.limits = { .min = 1,
			.max = 3,
			.acquire_timeout = 5000000,
			.idle_lifetime = PAGE_NEVER,
			.held = 60000000,
			.max_uses = 10000 },
		.slots = 3,
	};
	struct page_writer *writer = NULL;
	assert_int_equal(page_writer_new(&options, &writer, ret_file), 0);
	return writer;
}

static inline int set_up(void **state)
{
	int file;
	struct fixture *f = calloc(1, sizeof(*f));
	strcpy(f->root, "/tmp/test_page-XXXXXX");
	assert_non_null(mkdtemp(f->root));
	snprintf(f->folder, sizeof(f->folder), "%s/dbpool", f->root);
	page_host_read("/proc", &f->host);
	f->writer = write_page(f->folder, &file);
	assert_int_equal(file, 0);
	f->page = page_writer_page(f->writer);
	*state = f;
	return 0;
}

static inline int tear_down(void **state)
{
	struct fixture *f = *state;
	char command[128];
	page_writer_free(f->writer);
	snprintf(command, sizeof(command), "rm -rf %s", f->root);
	assert_int_equal(system(command), 0);
	free(f);
	return 0;
}

static inline int read_file(struct fixture *f, const char *file)
{
	int folder = open(f->folder, O_RDONLY | O_DIRECTORY);
	int status = page_read(folder, file, &f->host, &f->copy);
	close(folder);
	return status;
}

static inline int read_own(struct fixture *f)
{
	return read_file(f, strrchr(page_writer_path(f->writer), '/') + 1);
}

static inline int64_t monotonic(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * INT64_C(1000000) + ts.tv_nsec / 1000;
}

#endif
