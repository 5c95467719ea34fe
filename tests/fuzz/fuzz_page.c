/* page/reader: a stats page is whatever its owner, or somebody else, made of the file. */
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "fuzz.h"
#include "page/reader.h"

static void check_text(const char *text, size_t room)
{
	size_t length = strnlen(text, room);
	MUST(length < room);
	for (size_t i = 0; i < length; i++)
		MUST(text[i] >= 0x20 && text[i] < 0x7f);
}

static void check_slot(const struct page_slot_copy *slot)
{
	if (slot->torn)
		return;
	MUST(slot->state < PAGE_SLOT_STATES);
	MUST(slot->backend_pid >= 0 && slot->thread >= 0);
	check_text(slot->site, sizeof(slot->site));
}

static void check_copy(const struct page_copy *copy)
{
	MUST(copy->pid > 0);
	MUST(copy->phase >= PAGE_STARTING && copy->phase < PAGE_PHASES);
	MUST(copy->n_slots >= 1 && copy->n_slots <= PAGE_SLOTS_MAX);
	MUST(copy->n_hooks <= PAGE_HOOKS_MAX);
	check_text(copy->name, sizeof(copy->name));
	check_text(copy->server, sizeof(copy->server));
	check_text(copy->hostname, sizeof(copy->hostname));
	for (uint32_t i = 0; i < copy->n_slots; i++)
		check_slot(&copy->slots[i]);
	for (uint32_t i = 0; i < copy->n_hooks; i++) {
		check_text(copy->hooks[i].name, sizeof(copy->hooks[i].name));
		MUST(copy->hooks[i].state < PAGE_HOOK_STATES);
	}
	MUST(page_phase_name(copy->phase));
	(void)page_percentile(copy->totals.wait, 0.99);
}

static char folder_path[] = "/tmp/fuzz-page-XXXXXX";

static void remove_folder(void)
{
	(void)rmdir(folder_path);
}

static int make_folder(void)
{
	MUST(mkdtemp(folder_path));
	int folder = open(folder_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	MUST(folder >= 0);
	(void)atexit(remove_folder);
	return folder;
}

bool fuzz_one(const uint8_t *data, size_t size)
{
	static int folder = -1;
	static struct page_host host;
	static struct page_copy copy;
	if (folder < 0) {
		folder = make_folder();
		page_host_read("/proc", &host);
	}
	{
		CLEANUP(cleanup_fd)
		int file =
			openat(folder, "fuzz.page", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
		MUST(file >= 0 && write(file, data, size) == (ssize_t)size);
	}
	int status = page_read(folder, "fuzz.page", &host, &copy);
	MUST(status >= PAGE_OK && status < PAGE_STATUSES);
	bool whole = status == PAGE_OK || status == PAGE_DEAD_OWNER;
	if (whole)
		check_copy(&copy);
	MUST(unlinkat(folder, "fuzz.page", 0) == 0);
	return whole;
}
