/* Stats pages: of a pool that starts, of one in the midst of its work, and of one that ends. */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "fuzz.h"
#include "make_seeds.h"
#include "page/layout.h"
#include "page/writer.h"

#define SLOTS 3

static void begin_work(struct page *page)
{
	int64_t now = page->clock.monotonic;
	page_set(page->totals.phase, PAGE_RUNNING);
	page_add(page->totals.opened, 2);
	page_add(page->wait[page_bucket(700)], 3);
	page_slot_opened(&page->slots[0], 4711, page->clock.realtime, now);
	page_slot_idle(&page->slots[0], now);
	page_add(page->slots[0].counters.hold[page_bucket(20)], 5);
	page_slot_opened(&page->slots[1], 4712, PAGE_UNKNOWN, now);
	page_slot_held(&page->slots[1], now, 77, "orders.c:212");
	page_slot_leaked(&page->slots[1], true);
}

static void begin_end(struct page *page)
{
	struct page_hook *hook;
	page_set(page->totals.phase, PAGE_FLUSHING);
	page_set(page->totals.pending_writes, 12);
	MUST(page_hook_add(page, "flush orders", PAGE_HOOK_FLUSH, 2000000, &hook));
	page_hook_set(hook, PAGE_HOOK_RUNNING, 0, 0);
	MUST(page_hook_add(page, "say goodbye", PAGE_HOOK_CLOSED, 1000000, &hook));
}

static void write_page(const char *folder, const char *name, struct page_writer *writer)
{
	const struct page *page = page_writer_page(writer);
	seed_write(folder, name, page, page->head.file_size);
}

void seeds_page(const char *folder)
{
	const struct page_writer_options options = {
		.name = "orders",
		.server = "127.0.0.1:5432/shop",
		.slots = SLOTS,
		.limits = { .min = 1,
			.max = SLOTS,
			.acquire_timeout = 5000000,
			.idle_lifetime = 600000000,
			.max_lifetime = PAGE_NEVER,
			.held = 60000000,
			.reclaim = PAGE_NEVER },
		.no_file = true,
	};
	struct page_writer *writer = NULL;
	int file = 0;
	MUST(page_writer_new(&options, &writer, &file) == 0);
	page_beat(page_writer_page(writer));
	write_page(folder, "starting", writer);
	begin_work(page_writer_page(writer));
	write_page(folder, "running", writer);
	begin_end(page_writer_page(writer));
	write_page(folder, "flushing", writer);
	page_writer_free(writer);
}
