/* The file of a stats page: where it is created, and how it appears with its whole content.
 *
 * Every user can write to /tmp: another user may have created a folder or a file with our name
 * there. So no link is followed, the folder is opened once and checked through its descriptor, and
 * the file is created relative to that descriptor. It gets its final name only when its content is
 * complete. */
#include "page/writer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/safe_folder.h"
#include "page/reader.h"

#define KEEP_SECONDS 3600 /* systemd-tmpfiles waits ten days */
#define MOST_TRIES   100  /* names that are taken */

struct page_writer {
	struct page *page;
	size_t size;
	int folder;  /* −1: no file */
	ino_t inode; /* of the file */
	char file[48];
	char path[PAGE_PATH_MAX];
};

/* A process may have several pools, one after the other or at the same time. */
static atomic_uint serial;

static int check_folder(int fd)
{
	struct stat st;
	if (fstat(fd, &st) < 0)
		return -errno;
	return S_ISDIR(st.st_mode) && st.st_uid == geteuid() && !(st.st_mode & 077) ? 0 : -EPERM;
}

static int name_folder(const char *wanted, char *path, size_t size)
{
	const char *runtime = getenv("XDG_RUNTIME_DIR");
	int length;
	if (wanted && *wanted)
		length = snprintf(path, size, "%s", wanted);
	else if (runtime && *runtime == '/')
		length = snprintf(path, size, "%s/dbpool", runtime);
	else
		length = snprintf(path, size, "/tmp/dbpool-%u", (unsigned)geteuid());
	return length > 0 && (size_t)length < size ? 0 : -ENAMETOOLONG;
}

/* Returns the folder's descriptor or a negative errno. Root creates no folder in another user's
 * folder; under sudo, $XDG_RUNTIME_DIR may be one. */
static int open_folder(char *path)
{
	CLEANUP(cleanup_fd) int parent = -1;
	const char *name;
	for (size_t length = strlen(path); length > 1 && path[length - 1] == '/';)
		path[--length] = '\0';
	int r = safe_folder_of(path, SAFE_FOLDER_SHARED, &parent, &name);
	if (r < 0)
		return r == SAFE_FOLDER_FOREIGN ? -EPERM : r;
	if (mkdirat(parent, name, 0700) < 0 && errno != EEXIST)
		return -errno;
	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == ELOOP || errno == ENOTDIR ? -EPERM : -errno;
	r = check_folder(fd);
	if (r < 0) {
		close(fd);
		return r;
	}
	return fd;
}

/* Falls back to /tmp, because $XDG_RUNTIME_DIR may name a folder that does not exist, as under sudo
 * or in a container. */
static int find_folder(const char *wanted, char *path, size_t size)
{
	int r = name_folder(wanted, path, size);
	int fd = r < 0 ? r : open_folder(path);
	if (fd >= 0 || (wanted && *wanted))
		return fd;
	snprintf(path, size, "/tmp/dbpool-%u", (unsigned)geteuid());
	return open_folder(path);
}

int page_folder(const char *wanted, char *ret_path, size_t size)
{
	CLEANUP(cleanup_fd) int fd = find_folder(wanted, ret_path, size);
	return fd < 0 ? fd : 0;
}

static void copy_text(char *field, size_t size, const char *text)
{
	size_t length = strnlen(text, size - 1);
	memcpy(field, text, length);
}

static void identify(struct page_identity *identity, const struct page_writer_options *options)
{
	struct page_host host;
	page_host_read("/proc", &host);
	identity->pid = (int32_t)getpid();
	identity->uid = (uint32_t)geteuid();
	identity->start_ticks = page_start_ticks("/proc", "self");
	identity->pid_namespace = host.pid_namespace;
	copy_text(identity->boot_id, sizeof(identity->boot_id), host.boot_id);
	copy_text(identity->hostname, sizeof(identity->hostname), host.hostname);
	memcpy(identity->machine, host.machine, sizeof(identity->machine));
	identity->time_namespace = host.time_namespace;
	copy_text(identity->name, sizeof(identity->name), options->name);
	copy_text(identity->server, sizeof(identity->server), options->server);
}

static void fill(struct page *page, size_t size, const struct page_writer_options *options)
{
	memcpy(page->head.magic, PAGE_MAGIC, sizeof(page->head.magic));
	page->head.version = PAGE_VERSION;
	page->head.file_size = (uint32_t)size;
	page->head.slots_at = sizeof(struct page);
	page->head.slot_size = sizeof(struct page_slot);
	page->head.slot_count = options->slots;
	page->head.hooks_at = offsetof(struct page, hooks);
	page->head.hook_size = sizeof(struct page_hook);
	page->head.hook_count = PAGE_HOOKS_MAX;
	identify(&page->identity, options);
	page->limits = options->limits;
	page->totals.phase = PAGE_STARTING;
	page->totals.pending_writes = PAGE_UNKNOWN;
	page_beat(page);
	page->identity.created_realtime = page->clock.realtime;
	page->identity.created_monotonic = page->clock.monotonic;
	for (uint32_t i = 0; i < options->slots; i++)
		page_slot_state(&page->slots[i], PAGE_SLOT_EMPTY, page->clock.monotonic);
}

/* Creates a file that no reader takes for a page. A process of another container may have the same
 * pid and make its page in this folder now: its file is left alone. Returns a descriptor or a
 * negative errno. */
static int create_temporary(int folder, char *ret_file, size_t size)
{
	for (int tries = 0; tries < MOST_TRIES; tries++) {
		snprintf(ret_file, size, ".%ld-%u.new", (long)getpid(),
			atomic_fetch_add(&serial, 1));
		int fd = openat(
			folder, ret_file, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
		if (fd >= 0 || errno != EEXIST)
			return fd < 0 ? -errno : fd;
	}
	return -EEXIST;
}

/* Allocates all blocks of the file now, so that a full disk cannot cause a SIGBUS at a later
 * store. */
static int make_file(int folder, char *ret_file, size_t file_size, size_t size, void **ret_memory)
{
	CLEANUP(cleanup_fd) int fd = create_temporary(folder, ret_file, file_size);
	if (fd < 0)
		return fd;
	int r = fchmod(fd, 0600) < 0 ? -errno : -posix_fallocate(fd, 0, (off_t)size);
	void *memory =
		r < 0 ? MAP_FAILED : mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (memory == MAP_FAILED) {
		r = r < 0 ? r : -errno;
		(void)unlinkat(folder, ret_file, 0);
		return r;
	}
	*ret_memory = memory;
	return 0;
}

/* Gives the file its final name. An existing page with our pid is of a dead process: from before a
 * reboot, or of another container. It is evidence, so it keeps its name, and we use the next
 * number. */
static int publish(struct page_writer *writer, const char *temporary)
{
	for (int tries = 0; tries < MOST_TRIES; tries++) {
		snprintf(writer->file, sizeof(writer->file), "%ld-%u" PAGE_SUFFIX, (long)getpid(),
			atomic_fetch_add(&serial, 1));
		if (linkat(writer->folder, temporary, writer->folder, writer->file, 0) == 0)
			return 0;
		if (errno != EEXIST)
			return -errno;
	}
	return -EEXIST;
}

static int create(struct page_writer *writer, const struct page_writer_options *options)
{
	char folder[PAGE_PATH_MAX - sizeof(writer->file)], temporary[64];
	void *memory = NULL;
	struct stat st;
	int fd = find_folder(options->folder, folder, sizeof(folder));
	if (fd < 0)
		return fd;
	writer->folder = fd;
	int r = make_file(fd, temporary, sizeof(temporary), writer->size, &memory);
	if (r < 0)
		return r;
	writer->page = memory;
	fill(writer->page, writer->size, options);
	r = publish(writer, temporary);
	(void)unlinkat(fd, temporary, 0);
	snprintf(writer->path, sizeof(writer->path), "%s/%s", folder, writer->file);
	if (r == 0 && fstatat(fd, writer->file, &st, AT_SYMLINK_NOFOLLOW) == 0)
		writer->inode = st.st_ino;
	return r;
}

static void drop_file(struct page_writer *writer)
{
	if (writer->folder >= 0)
		close(writer->folder);
	writer->folder = -1;
	if (writer->page)
		munmap(writer->page, writer->size);
	writer->page = NULL;
}

int page_writer_new(
	const struct page_writer_options *options, struct page_writer **ret_writer, int *ret_file)
{
	struct page_writer *writer = calloc(1, sizeof(*writer));
	if (!writer)
		return -ENOMEM;
	writer->folder = -1;
	writer->size = sizeof(struct page) + options->slots * sizeof(struct page_slot);
	*ret_file = options->no_file ? 0 : create(writer, options);
	if (*ret_file < 0 || options->no_file) {
		drop_file(writer);
		void *memory = mmap(NULL, writer->size, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (memory == MAP_FAILED) {
			free(writer);
			return -ENOMEM;
		}
		writer->page = memory;
		fill(writer->page, writer->size, options);
	}
	*ret_writer = writer;
	return 0;
}

/* False if the file was removed, also if a process of another container has put its page there. */
static bool has_file(const struct page_writer *writer, struct stat *ret)
{
	return writer->folder >= 0 &&
		fstatat(writer->folder, writer->file, ret, AT_SYMLINK_NOFOLLOW) == 0 &&
		ret->st_ino == writer->inode;
}

void page_writer_keep(const struct page_writer *writer)
{
	struct stat st;
	if (!has_file(writer, &st))
		return;
	time_t age = time(NULL) - st.st_mtime;
	if (age < 0 || age >= KEEP_SECONDS)
		(void)utimensat(writer->folder, writer->file, NULL, AT_SYMLINK_NOFOLLOW);
}

void page_writer_remove(struct page_writer *writer)
{
	struct stat st;
	if (writer->folder < 0)
		return;
	if (has_file(writer, &st))
		(void)unlinkat(writer->folder, writer->file, 0);
	close(writer->folder);
	writer->folder = -1;
}

void page_writer_forget(struct page_writer *writer)
{
	drop_file(writer);
	free(writer);
}

void page_writer_free(struct page_writer *writer)
{
	if (!writer)
		return;
	page_writer_remove(writer);
	drop_file(writer);
	free(writer);
}

const char *page_writer_path(const struct page_writer *writer)
{
	return writer->folder >= 0 ? writer->path : NULL;
}

struct page *page_writer_page(struct page_writer *writer)
{
	return writer->page;
}
