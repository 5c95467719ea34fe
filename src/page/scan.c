/* Finds stats pages; has the names of the phases. */
#include "page/reader.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <inttypes.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"

static bool is_page(const char *file)
{
	size_t length = strlen(file), suffix = strlen(PAGE_SUFFIX);
	return file[0] != '.' && length > suffix &&
		strcmp(file + length - suffix, PAGE_SUFFIX) == 0;
}

static int check_folder(int fd)
{
	struct stat st;
	if (fstat(fd, &st) < 0)
		return -errno;
	bool allowed = st.st_uid == geteuid() || geteuid() == 0;
	return allowed && !(st.st_mode & 022) ? 0 : -EPERM;
}

/* Takes the descriptor. */
static int read_folder(int fd, DIR **ret_dir)
{
	int r = check_folder(fd);
	DIR *dir = r < 0 ? NULL : fdopendir(fd);
	if (!dir) {
		r = r < 0 ? r : -errno;
		close(fd);
		return r;
	}
	*ret_dir = dir;
	return 0;
}

static int open_folder(const char *folder, DIR **ret_dir)
{
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == ELOOP || errno == ENOTDIR ? -EPERM : -errno;
	return read_folder(fd, ret_dir);
}

/* The most file names, pages or not, that are read in one folder. */
#define MOST_NAMES 20000

/* Returns the next page's name, or NULL. */
static const char *next_page(DIR *dir, size_t *names)
{
	for (struct dirent *entry; *names < MOST_NAMES && (entry = readdir(dir)); ++*names)
		if (is_page(entry->d_name))
			return entry->d_name;
	return NULL;
}

int page_open_folder_in(int root, const char *path)
{
	struct open_how how = {
		.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};
	long fd = syscall(SYS_openat2, root, path, &how, sizeof(how));
	return fd < 0 ? -errno : (int)fd;
}

int page_open_folder(const char *path)
{
	int32_t pid;
	int length = 0;
	char start[32];
	if (sscanf(path, "/proc/%" SCNd32 "/root/%n", &pid, &length) < 1 || !length) {
		int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		return fd < 0 ? -errno : fd;
	}
	snprintf(start, sizeof(start), "/proc/%" PRId32 "/root", pid);
	CLEANUP(cleanup_fd) int root = open(start, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return root < 0 ? -errno : page_open_folder_in(root, path + length);
}

static void scan_names(DIR *dir, const char *folder, size_t most, const struct page_host *host,
	struct page_copy *buffer, page_found_fn *found, void *data)
{
	size_t names = 0;
	for (const char *name; most > 0 && (name = next_page(dir, &names)); names++, most--) {
		char path[PAGE_PATH_MAX];
		if ((size_t)snprintf(path, sizeof(path), "%s/%s", folder, name) >= sizeof(path))
			continue;
		int status = page_read(dirfd(dir), name, host, buffer);
		bool whole = status == PAGE_OK || status == PAGE_DEAD_OWNER;
		/* the page was removed between readdir() and open(): its pool has ended normally */
		if (status != -ENOENT)
			found(data, path, status, whole ? buffer : NULL);
	}
}

static int scan(const char *folder, size_t most, const struct page_host *host,
	struct page_copy *buffer, page_found_fn *found, void *data)
{
	CLEANUP(cleanup_dir) DIR *dir = NULL;
	int r = open_folder(folder, &dir);
	if (r == 0)
		scan_names(dir, folder, most, host, buffer, found, data);
	return r;
}

int page_scan(const char *folder, const struct page_host *host, struct page_copy *buffer,
	page_found_fn *found, void *data)
{
	return scan(folder, MOST_NAMES, host, buffer, found, data);
}

int page_scan_open(int fd, uid_t owner, const char *folder, size_t most,
	const struct page_host *host, struct page_copy *buffer, page_found_fn *found, void *data,
	bool *ret_more)
{
	struct stat st;
	size_t count = 0, names = 0;
	CLEANUP(cleanup_dir) DIR *dir = NULL;
	int r = fstat(fd, &st) < 0 ? -errno : st.st_uid == owner ? 0 : -EPERM;
	if (r < 0) {
		close(fd);
		return r;
	}
	r = read_folder(fd, &dir);
	if (r < 0)
		return r;
	for (; count <= most && next_page(dir, &names); names++)
		count++;
	rewinddir(dir);
	scan_names(dir, folder, most, host, buffer, found, data);
	*ret_more = count > most;
	return 0;
}

struct share {
	size_t pages; /* pages in the folder */
	size_t limit; /* how many of them are read */
};

static int count_pages(const char *folder, size_t *ret_count)
{
	CLEANUP(cleanup_dir) DIR *dir = NULL;
	int r = open_folder(folder, &dir);
	if (r < 0)
		return r;
	for (size_t names = 0; next_page(dir, &names); names++)
		++*ret_count;
	return 0;
}

/* Divides `most` among the folders, one page at a time to each folder that has more, so that a full
 * folder takes nothing from a folder that needs less than its share. Returns the number of pages
 * that are left out. */
static size_t divide(struct share *shares, size_t n, size_t most)
{
	size_t left_out = 0;
	for (bool given = true; given && most > 0;) {
		given = false;
		for (size_t i = 0; i < n && most > 0; i++) {
			if (shares[i].limit == shares[i].pages)
				continue;
			shares[i].limit++;
			most--;
			given = true;
		}
	}
	for (size_t i = 0; i < n; i++)
		left_out += shares[i].pages - shares[i].limit;
	return left_out;
}

int page_scan_folders(char *const *folders, size_t n, size_t most, const struct page_host *host,
	struct page_copy *buffer, page_found_fn *found, void *data, size_t *ret_left_out)
{
	CLEANUP(cleanup_free) struct share *shares = calloc(n + 1, sizeof(*shares));
	int r = 0;
	if (!shares)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		int error = count_pages(folders[i], &shares[i].pages);
		r = r < 0 ? r : error;
	}
	*ret_left_out = divide(shares, n, most);
	for (size_t i = 0; i < n; i++)
		if (shares[i].limit)
			(void)scan(folders[i], shares[i].limit, host, buffer, found, data);
	return r;
}

/* For root, whose pattern matches every user's folder: true only for the folder that libdbpool
 * would use for its owner, so that each user has only one. */
static bool is_owners(const char *folder)
{
	struct stat st;
	unsigned uid;
	char rest;
	if (lstat(folder, &st) < 0)
		return false;
	bool usual = sscanf(folder, "/run/user/%u/dbpoo%c", &uid, &rest) == 2 ||
		sscanf(folder, "/tmp/dbpool-%u%c", &uid, &rest) == 1;
	return usual && st.st_uid == uid;
}

/* Finds $XDG_RUNTIME_DIR/dbpool; false if it is among the usual folders. */
static bool find_runtime(unsigned uid, char ret_folder[static PAGE_PATH_MAX])
{
	const char *runtime = getenv("XDG_RUNTIME_DIR");
	unsigned user;
	char rest;
	if (!runtime || *runtime != '/')
		return false;
	snprintf(ret_folder, PAGE_PATH_MAX, "%s/dbpool", runtime);
	return sscanf(ret_folder, "/run/user/%u/dbpoo%c", &user, &rest) != 2 ||
		(uid && user != uid);
}

size_t page_count_others(void)
{
	glob_t matches = { 0 };
	size_t count = 0;
	(void)glob("/tmp/dbpool-*", 0, NULL, &matches);
	(void)glob("/run/user/*/dbpool", GLOB_APPEND, NULL, &matches);
	for (size_t i = 0; i < matches.gl_pathc && geteuid() != 0; i++) {
		struct stat st;
		count += is_owners(matches.gl_pathv[i]) && lstat(matches.gl_pathv[i], &st) == 0 &&
			st.st_uid != geteuid();
	}
	globfree(&matches);
	return count;
}

int page_scan_all(const struct page_host *host, size_t most, struct page_copy *buffer,
	page_found_fn *found, void *data, size_t *ret_left_out)
{
	char usual[64], temporary[64], own[PAGE_PATH_MAX];
	unsigned uid = (unsigned)geteuid();
	glob_t matches = { 0 };
	size_t n = 0;
	snprintf(usual, sizeof(usual), uid ? "/run/user/%u/dbpool" : "/run/user/*/dbpool", uid);
	snprintf(temporary, sizeof(temporary), uid ? "/tmp/dbpool-%u" : "/tmp/dbpool-*", uid);
	(void)glob(usual, 0, NULL, &matches);
	(void)glob(temporary, GLOB_APPEND, NULL, &matches);
	CLEANUP(cleanup_free) char **folders = calloc(matches.gl_pathc + 1, sizeof(*folders));
	for (size_t i = 0; folders && i < matches.gl_pathc; i++)
		if (is_owners(matches.gl_pathv[i]))
			folders[n++] = matches.gl_pathv[i];
	if (folders && find_runtime(uid, own))
		folders[n++] = own;
	/* folders that are missing or not safe are skipped */
	int r = folders
		? page_scan_folders(folders, n, most, host, buffer, found, data, ret_left_out)
		: -ENOMEM;
	globfree(&matches);
	return r == -ENOMEM ? r : 0;
}

/* True if file and folder are ours. Root removes nothing in another user's folder, because that
 * user could put another file in its place. */
static bool is_ours(int folder, const char *file)
{
	struct stat outer, st;
	return fstat(folder, &outer) == 0 && outer.st_uid == geteuid() &&
		fstatat(folder, file, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_uid == geteuid();
}

/* A name is reused only by a process of the same pid, and only after the file was removed. So no
 * living process can put its page in this place between the check and the removal. */
int page_clear(const char *path, const struct page_host *host, int32_t pid, uint64_t start_ticks,
	struct page_copy *buffer)
{
	char folder[PAGE_PATH_MAX];
	CLEANUP(cleanup_dir) DIR *dir = NULL;
	const char *slash = strrchr(path, '/');
	if (!slash || !is_page(slash + 1) || (size_t)(slash - path) >= sizeof(folder))
		return -EINVAL;
	memcpy(folder, path, (size_t)(slash - path));
	folder[slash - path] = '\0';
	int r = open_folder(folder, &dir);
	if (r < 0)
		return r;
	int status = page_read(dirfd(dir), slash + 1, host, buffer);
	if (status < 0)
		return status;
	if (!is_ours(dirfd(dir), slash + 1))
		return -EPERM;
	if (status != PAGE_DEAD_OWNER || buffer->pid != pid || buffer->start_ticks != start_ticks)
		return -ESTALE;
	return unlinkat(dirfd(dir), slash + 1, 0) < 0 ? -errno : 0;
}

const char *page_phase_name(enum page_phase phase)
{
	static const char *const names[PAGE_PHASES] = {
		[PAGE_STARTING] = "starting",
		[PAGE_RUNNING] = "running",
		[PAGE_STOPPING] = "stopping",
		[PAGE_FLUSHING] = "flushing",
		[PAGE_DRAINING] = "draining",
		[PAGE_CANCELLING] = "cancelling",
		[PAGE_CLOSING] = "closing",
		[PAGE_DONE] = "done",
	};
	return phase > 0 && phase < PAGE_PHASES ? names[phase] : "unknown";
}

int64_t page_percentile(const uint64_t buckets[static PAGE_BUCKETS], double share)
{
	double total = 0, sum = 0;
	for (int i = 0; i < PAGE_BUCKETS; i++)
		total += (double)buckets[i];
	if (total <= 0)
		return -1;
	for (int i = 0; i < PAGE_BUCKETS; i++) {
		sum += (double)buckets[i];
		if (sum >= total * share)
			return INT64_C(1) << i;
	}
	return INT64_C(1) << (PAGE_BUCKETS - 1);
}
