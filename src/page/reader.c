/* Copies a page from its file and checks every field. */
#include "page/reader.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"

/* A slot in use changes about every 100 µs, and a try takes 1 µs. So many tries fail only for a
 * slot that changes all the time, or whose writer was killed in the middle of a change. */
#define MOST_TRIES 64

/* Larger instants and durations are invalid; the limit also keeps sums of two from overflowing. */
#define MOST_USEC (INT64_C(1) << 60)

static bool read_at(int fd, void *bytes, size_t size, size_t offset)
{
	for (size_t done = 0; done < size;) {
		ssize_t n = pread(fd, (char *)bytes + done, size - done, (off_t)(offset + done));
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		done += (size_t)n;
	}
	return true;
}

/* The beginning of the file, usually all of it, read twice. A page has some twenty blocks, of which
 * few change at any moment: a block that is the same in both copies needs no further read. */
#define WINDOW_MAX (sizeof(struct page) + 32 * sizeof(struct page_slot))

struct window {
	int fd;
	size_t size;
	_Alignas(8) unsigned char first[WINDOW_MAX], second[WINDOW_MAX];
};

static bool open_window(struct window *window, int fd, size_t file_size)
{
	window->fd = fd;
	window->size = file_size < WINDOW_MAX ? file_size : WINDOW_MAX;
	return read_at(fd, window->first, window->size, 0) &&
		read_at(fd, window->second, window->size, 0);
}

/* True if no store happened between the two reads and none was under way. The second read began
 * after the first had ended, so this is certain when the block does not differ and its sequence
 * number is even. */
static bool is_at_rest(const struct window *window, size_t size, size_t offset)
{
	uint32_t seq;
	if (offset > window->size || size > window->size - offset)
		return false;
	memcpy(&seq, window->first + offset, sizeof(seq));
	return !(seq & 1) && memcmp(window->first + offset, window->second + offset, size) == 0;
}

enum guarded { GUARDED_OK, GUARDED_TORN, GUARDED_CUT };

/* Reads a block that begins with its sequence number. If the block is changing, reads the number,
 * the block and the number again in three reads, because the kernel promises no order within one
 * read. */
static enum guarded read_guarded(
	const struct window *window, void *block, size_t size, size_t offset)
{
	int fd = window->fd;
	if (is_at_rest(window, size, offset)) {
		memcpy(block, window->first + offset, size);
		return GUARDED_OK;
	}
	for (int i = 0; i < MOST_TRIES; i++) {
		uint32_t before, after;
		if (!read_at(fd, &before, sizeof(before), offset) ||
			!read_at(fd, block, size, offset) ||
			!read_at(fd, &after, sizeof(after), offset))
			return GUARDED_CUT;
		if (before == after && !(before & 1))
			return GUARDED_OK;
	}
	return GUARDED_TORN;
}

static void clean(char *ret, const char *field, size_t size)
{
	size_t length = strnlen(field, size - 1);
	for (size_t i = 0; i < length; i++)
		ret[i] = field[i] >= 0x20 && field[i] < 0x7f ? field[i] : '?';
	memset(ret + length, 0, size - length);
}

static bool is_instant(int64_t instant)
{
	return instant >= 0 && instant < MOST_USEC;
}

static bool is_limit(int64_t limit)
{
	return limit == PAGE_NEVER || is_instant(limit);
}

static bool fits(size_t at, size_t size, size_t count, size_t file_size)
{
	return at % 8 == 0 && at >= sizeof(struct page_head) && at <= file_size &&
		count <= (file_size - at) / size;
}

static enum page_status check_head(const struct page_head *head, off_t file_size)
{
	if (memcmp(head->magic, PAGE_MAGIC, sizeof(head->magic)) != 0 ||
		head->version < PAGE_VERSION)
		return PAGE_DAMAGED;
	if (head->version > PAGE_VERSION)
		return PAGE_TOO_NEW;
	if (head->file_size != file_size || file_size < (off_t)sizeof(struct page) ||
		head->slot_count < 1 || head->slot_count > PAGE_SLOTS_MAX ||
		head->hook_count > PAGE_HOOKS_MAX || head->slot_size < sizeof(struct page_slot) ||
		head->hook_size < sizeof(struct page_hook) || head->slot_size % 8 ||
		head->hook_size % 8)
		return PAGE_DAMAGED;
	return fits(head->slots_at, head->slot_size, head->slot_count, head->file_size) &&
			fits(head->hooks_at, head->hook_size, head->hook_count, head->file_size)
		? PAGE_OK
		: PAGE_DAMAGED;
}

static bool check_limits(const struct page_limits *limits, uint32_t slots)
{
	return limits->max >= 1 && limits->max <= slots && limits->min <= limits->max &&
		is_limit(limits->acquire_timeout) && is_limit(limits->idle_lifetime) &&
		is_limit(limits->max_lifetime) && is_limit(limits->held) &&
		is_limit(limits->reclaim);
}

static bool check_outbox(const struct page_outbox *outbox)
{
	return outbox->fsync < PAGE_FSYNCS && is_instant(outbox->waiting) &&
		is_instant(outbox->oldest_realtime) && is_instant((int64_t)outbox->rejected);
}

static bool check_totals(const struct page_totals *totals)
{
	return totals->phase >= PAGE_STARTING && totals->phase < PAGE_PHASES &&
		(totals->pending_writes == PAGE_UNKNOWN || is_instant(totals->pending_writes)) &&
		check_outbox(&totals->outbox);
}

static bool check_identity(const struct page_identity *identity)
{
	return identity->pid > 0 && is_instant(identity->created_realtime) &&
		is_instant(identity->created_monotonic);
}

/* Reads the pair of clocks: the last update, or, if the writer died during it, the pair of the
 * page's creation. */
static bool take_clock(
	const struct window *window, const struct page_identity *identity, struct page_clock *ret)
{
	enum guarded guarded =
		read_guarded(window, ret, sizeof(*ret), offsetof(struct page, clock));
	if (guarded == GUARDED_CUT)
		return false;
	if (guarded == GUARDED_TORN) {
		ret->realtime = identity->created_realtime;
		ret->monotonic = identity->created_monotonic;
	}
	return is_instant(ret->realtime) && is_instant(ret->monotonic);
}

static bool to_realtime(const struct page_clock *clock, int64_t monotonic, int64_t *ret)
{
	*ret = PAGE_UNKNOWN;
	if (monotonic == PAGE_UNKNOWN)
		return true;
	if (!is_instant(monotonic))
		return false;
	*ret = clock->realtime + (monotonic - clock->monotonic);
	return true;
}

static int64_t result_of_hold(const struct page_slot *slot)
{
	return slot->state == PAGE_SLOT_HELD && slot->last_result_monotonic &&
			slot->last_result_monotonic >= slot->since_monotonic
		? slot->last_result_monotonic
		: PAGE_UNKNOWN;
}

static bool take_slot(
	const struct page_slot *slot, const struct page_clock *clock, struct page_slot_copy *ret)
{
	bool known = slot->backend_start != PAGE_UNKNOWN;
	if (slot->state >= PAGE_SLOT_STATES || slot->backend_pid < 0 || slot->thread < 0 ||
		slot->leaked > 1 || (known && !is_instant(slot->backend_start)) ||
		!to_realtime(clock, slot->since_monotonic, &ret->since) ||
		!to_realtime(clock, slot->opened_monotonic, &ret->opened) ||
		!to_realtime(clock, result_of_hold(slot), &ret->last_result))
		return false;
	ret->state = (enum page_slot_state)slot->state;
	ret->backend_pid = slot->backend_pid;
	ret->thread = slot->thread;
	ret->backend_start = slot->backend_start;
	ret->uses = slot->uses;
	ret->leaked = slot->leaked;
	clean(ret->site, slot->site, sizeof(ret->site));
	return true;
}

/* Reads numbers that are each written in one store, so that no sequence number is needed. */
static bool read_plain(const struct window *window, void *block, size_t size, size_t offset)
{
	if (offset > window->size || size > window->size - offset)
		return read_at(window->fd, block, size, offset);
	memcpy(block, window->second + offset, size);
	return true;
}

static void add_buckets(uint64_t *sums, const uint64_t *buckets)
{
	for (int i = 0; i < PAGE_BUCKETS; i++)
		sums[i] += buckets[i];
}

static bool add_slot(struct page_sums *sums, const struct page_slot *slot)
{
	const struct page_counters *counters = &slot->counters;
	bool held = slot->state == PAGE_SLOT_HELD, idle = slot->state == PAGE_SLOT_IDLE;
	if (!is_instant(counters->longest_hold))
		return false;
	sums->held += held;
	sums->idle += idle;
	sums->open += held || idle;
	sums->leaks += held && slot->leaked;
	sums->acquired += counters->acquired;
	sums->released += counters->released;
	sums->resets += counters->resets;
	sums->wait[0] += counters->at_once;
	if (counters->longest_hold > sums->longest_hold)
		sums->longest_hold = counters->longest_hold;
	add_buckets(sums->hold, counters->hold);
	return true;
}

static bool read_slots(const struct window *window, const struct page_head *head,
	const struct page_clock *clock, struct page_copy *ret)
{
	ret->n_slots = head->slot_count;
	for (uint32_t i = 0; i < head->slot_count; i++) {
		struct page_slot slot;
		size_t offset = head->slots_at + (size_t)i * head->slot_size;
		if (!read_plain(window, &slot, sizeof(slot), offset) ||
			!add_slot(&ret->totals, &slot))
			return false;
		enum guarded guarded =
			read_guarded(window, &slot, offsetof(struct page_slot, counters), offset);
		ret->slots[i] = (struct page_slot_copy){ .torn = guarded == GUARDED_TORN };
		if (guarded == GUARDED_CUT)
			return false;
		if (guarded == GUARDED_OK && !take_slot(&slot, clock, &ret->slots[i]))
			return false;
	}
	return true;
}

static bool read_hooks(
	const struct window *window, const struct page_head *head, struct page_copy *ret)
{
	ret->n_hooks = 0;
	for (uint32_t i = 0; i < head->hook_count; i++) {
		struct page_hook hook;
		size_t offset = head->hooks_at + (size_t)i * head->hook_size;
		enum guarded guarded = read_guarded(window, &hook, sizeof(hook), offset);
		if (guarded == GUARDED_CUT)
			return false;
		if (guarded == GUARDED_TORN || !hook.name[0])
			continue;
		if (hook.phase >= PAGE_HOOK_PHASES || hook.state >= PAGE_HOOK_STATES ||
			!is_instant(hook.duration) || !is_limit(hook.deadline))
			return false;
		struct page_hook_copy *copy = &ret->hooks[ret->n_hooks++];
		copy->phase = (enum page_hook_phase)hook.phase;
		copy->state = (enum page_hook_state)hook.state;
		copy->result = hook.result;
		copy->duration = hook.duration;
		copy->deadline = hook.deadline;
		clean(copy->name, hook.name, sizeof(copy->name));
	}
	return true;
}

/* Takes the numbers of the whole pool; add_slot() adds those of the slots. */
static void take_totals(const struct page *page, struct page_sums *ret)
{
	const struct page_totals *totals = &page->totals;
	*ret = (struct page_sums){
		.waiters = totals->waiters,
		.timeouts = totals->timeouts,
		.errors = totals->errors,
		.opened = totals->opened,
		.closed = totals->closed,
		.leaked = totals->leaked,
		.reclaimed = totals->reclaimed,
		.pending_writes = totals->pending_writes,
		.lost_slots = totals->lost_slots,
		.outbox = totals->outbox,
		.waited = totals->waited,
	};
	add_buckets(ret->wait, page->wait);
}

static void take_identity(
	const struct page *page, const struct page_clock *clock, struct page_copy *ret)
{
	const struct page_identity *identity = &page->identity;
	ret->pid = identity->pid;
	ret->start_ticks = identity->start_ticks;
	ret->pid_namespace = identity->pid_namespace;
	ret->created = identity->created_realtime;
	ret->seen = clock->realtime;
	clean(ret->hostname, identity->hostname, sizeof(ret->hostname));
	clean(ret->name, identity->name, sizeof(ret->name));
	clean(ret->server, identity->server, sizeof(ret->server));
}

static enum page_status read_open(
	int fd, off_t file_size, const struct page_host *host, struct page_copy *ret)
{
	struct window window;
	struct page_clock clock;
	struct page page;
	if (file_size < (off_t)sizeof(page.head) || !open_window(&window, fd, (size_t)file_size))
		return PAGE_DAMAGED;
	memset(&page, 0, sizeof(page));
	memcpy(&page, window.first, window.size < sizeof(page) ? window.size : sizeof(page));
	enum page_status status = check_head(&page.head, file_size);
	if (status != PAGE_OK)
		return status;
	if (!check_identity(&page.identity) || !check_limits(&page.limits, page.head.slot_count) ||
		!check_totals(&page.totals) || !take_clock(&window, &page.identity, &clock))
		return PAGE_DAMAGED;
	take_identity(&page, &clock, ret);
	ret->limits = page.limits;
	ret->phase = (enum page_phase)page.totals.phase;
	take_totals(&page, &ret->totals);
	if (!read_hooks(&window, &page.head, ret) || !read_slots(&window, &page.head, &clock, ret))
		return PAGE_DAMAGED;
	enum page_owner owner = page_owner(host, &page.identity);
	ret->owner_visible = owner != PAGE_OWNER_UNKNOWN;
	ret->same_boot = page_is_same_boot(host, &page.identity);
	return owner == PAGE_OWNER_DEAD ? PAGE_DEAD_OWNER : PAGE_OK;
}

/* True if the file belongs to its folder's owner, and that is us, or we are root. */
static bool is_ours(const struct stat *folder, const struct stat *file)
{
	return S_ISREG(file->st_mode) && file->st_uid == folder->st_uid &&
		(file->st_uid == geteuid() || geteuid() == 0) && !(file->st_mode & 022);
}

/* To open a device may do something: in a container's folder it may be one. So the file is opened
 * only after its kind is known. That needs our own /proc. Returns a descriptor, −1 with errno set,
 * or PAGE_REFUSED. */
#define PAGE_REFUSED (-2)

static int open_file(int folder, const char *file, const struct page_host *host)
{
	/* O_NONBLOCK: the open of a FIFO must not wait for a writer */
	int flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
	if (!host->own_proc)
		return openat(folder, file, flags | O_NOFOLLOW);
	CLEANUP(cleanup_fd) int handle = openat(folder, file, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;
	if (handle < 0 || fstat(handle, &st) < 0)
		return -1;
	if (!S_ISREG(st.st_mode))
		return PAGE_REFUSED;
	char path[64];
	snprintf(path, sizeof(path), "/proc/self/fd/%d", handle);
	return open(path, flags);
}

int page_open(int folder, const char *file, const struct page_host *host, struct page_copy *ret,
	int *ret_fd)
{
	struct stat folder_status, status;
	if (fstat(folder, &folder_status) < 0)
		return -errno;
	CLEANUP(cleanup_fd) int fd = open_file(folder, file, host);
	if (fd == PAGE_REFUSED)
		return PAGE_FOREIGN;
	if (fd < 0)
		return errno == ELOOP || errno == ENXIO ? (int)PAGE_FOREIGN : -errno;
	if (fstat(fd, &status) < 0)
		return -errno;
	if (!is_ours(&folder_status, &status))
		return PAGE_FOREIGN;
	enum page_status result = read_open(fd, status.st_size, host, ret);
	/* from the kernel: the page could claim any user */
	ret->uid = (uint32_t)status.st_uid;
	if (result == PAGE_OK || result == PAGE_DEAD_OWNER) {
		*ret_fd = fd;
		fd = -1;
	}
	return (int)result;
}

int page_read(int folder, const char *file, const struct page_host *host, struct page_copy *ret)
{
	CLEANUP(cleanup_fd) int fd = -1;
	return page_open(folder, file, host, ret, &fd);
}

int page_reread(int fd, const struct page_host *host, struct page_copy *ret, bool *ret_removed)
{
	struct stat status;
	if (fstat(fd, &status) < 0)
		return -errno;
	*ret_removed = status.st_nlink == 0;
	enum page_status result = read_open(fd, status.st_size, host, ret);
	ret->uid = (uint32_t)status.st_uid;
	return (int)result;
}
