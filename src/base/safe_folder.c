/* Resolves the path, then opens it component by component. libdbpool uses this file, so it
 * allocates no memory. */
#include "base/safe_folder.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"

#define OPEN_FLAGS (O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

/* True if `owner` or we own the folder and others cannot write to it; with may_be_shared, also if
 * it has the sticky bit. `owner` is the owner of "/": inside a user namespace the machine's root,
 * who owns "/", has another number. */
static bool is_safe(int fd, uid_t owner, bool may_be_shared)
{
	struct stat st;
	if (fstat(fd, &st) != 0 || (st.st_uid != owner && st.st_uid != geteuid()))
		return false;
	return !(st.st_mode & 022) || (may_be_shared && (st.st_mode & S_ISVTX));
}

static int open_component(int folder, const char *name, int flags)
{
	int fd = openat(folder, name, OPEN_FLAGS);
	if (fd < 0 && errno == ENOENT && (flags & SAFE_FOLDER_MAKE)) {
		if (mkdirat(folder, name, 0700) != 0 && errno != EEXIST)
			return -errno;
		fd = openat(folder, name, OPEN_FLAGS);
	}
	return fd < 0 ? -errno : fd;
}

/* Resolves the symbolic links of a path. The part of it that does not exist stays unchanged. */
static int resolve(const char *path, int flags, char real[static PATH_MAX])
{
	char existing[PATH_MAX];
	const char *rest = path + strlen(path);
	if ((size_t)snprintf(existing, sizeof(existing), "%s", path) >= sizeof(existing))
		return -ENAMETOOLONG;
	while (!realpath(*existing ? existing : ".", real)) {
		const char *slash = strrchr(existing, '/');
		if (errno != ENOENT || !(flags & SAFE_FOLDER_MAKE) || !*existing)
			return -errno;
		size_t length = slash ? (size_t)(slash - existing) : 0;
		rest = path + length + (slash ? 1 : 0);
		/* "/name": the root stays */
		existing[slash == existing ? 1 : length] = '\0';
	}
	size_t length = strlen(real);
	bool fits =
		(size_t)snprintf(real + length, PATH_MAX - length, "/%s", rest) < PATH_MAX - length;
	return fits ? 0 : -ENAMETOOLONG;
}

static int walk(char *real, int flags, int *ret_fd)
{
	struct stat root;
	bool checked = geteuid() == 0;
	CLEANUP(cleanup_fd) int fd = open("/", OPEN_FLAGS);
	if (fd < 0 || fstat(fd, &root) != 0)
		return -errno;
	bool last_shared = flags & SAFE_FOLDER_SHARED;
	for (char *rest = real, *name; (name = strsep(&rest, "/"));) {
		if (!*name)
			continue;
		/* Nothing is created below a folder that others can write to. */
		if (checked && !is_safe(fd, root.st_uid, true))
			return SAFE_FOLDER_FOREIGN;
		int next = open_component(fd, name, flags);
		if (next < 0)
			return next;
		close(fd);
		fd = next;
	}
	if (checked && !is_safe(fd, root.st_uid, last_shared))
		return SAFE_FOLDER_FOREIGN;
	*ret_fd = fd;
	fd = -1;
	return 0;
}

int safe_folder_open(const char *path, int flags, int *ret_fd)
{
	char real[PATH_MAX];
	int r = resolve(path, flags, real);
	return r < 0 ? r : walk(real, flags, ret_fd);
}

int safe_folder_of(const char *path, int flags, int *ret_fd, const char **ret_name)
{
	char folder[PATH_MAX];
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	/* "/name": the root stays */
	int length = slash == path ? 1 : slash ? (int)(slash - path) : 0;
	if (!*name)
		return -EISDIR;
	if (snprintf(folder, sizeof(folder), "%.*s", length, path) >= (int)sizeof(folder))
		return -ENAMETOOLONG;
	int r = safe_folder_open(folder, flags, ret_fd);
	if (r == 0)
		*ret_name = name;
	return r;
}

/* Creates a file with the rights of the folder's owner. setfsuid() changes the rights of the
 * calling thread only. The folder is open already, so it cannot be replaced. */
static int create_as_owner(int folder, const struct stat *owner, const char *name, int flags)
{
	setfsgid(owner->st_gid);
	setfsuid(owner->st_uid);
	int fd = openat(folder, name, flags, 0666);
	int r = fd < 0 ? -errno : fd;
	setfsuid(geteuid());
	setfsgid(getegid());
	return r;
}

/* Opens the folder of this path, regardless of its owner. */
static int open_any_folder(const char *path, struct stat *ret_stat)
{
	char folder[PATH_MAX];
	const char *slash = strrchr(path, '/');
	int length = slash == path ? 1 : slash ? (int)(slash - path) : 0;
	if (snprintf(folder, sizeof(folder), "%.*s", length, path) >= (int)sizeof(folder))
		return -ENAMETOOLONG;
	CLEANUP(cleanup_fd) int fd = open(length ? folder : ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, ret_stat) != 0)
		return -errno;
	int opened = fd;
	fd = -1;
	return opened;
}

/* Creates a file in a folder like /tmp, or opens an existing one of ours that has no other name.
 * Truncates the file only after that check. */
static int create_in_shared(int folder, const char *name)
{
	int flags = O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY;
	struct stat st;
	CLEANUP(cleanup_fd) int fd = openat(folder, name, flags, 0666);
	if (fd < 0 || fstat(fd, &st) != 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_uid != geteuid() || st.st_nlink != 1)
		return SAFE_FOLDER_FOREIGN;
	if (ftruncate(fd, 0) != 0)
		return -errno;
	int ours = fd;
	fd = -1;
	return ours;
}

int safe_folder_create(const char *path)
{
	int flags = O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY;
	const char *name;
	struct stat st;
	CLEANUP(cleanup_fd) int folder = -1;
	int r = geteuid() == 0 ? safe_folder_of(path, 0, &folder, &name) : 0;
	if (r == 0) {
		/* Follows links: a link of root's may lead to a terminal. */
		int fd = open(path, flags, 0666);
		return fd < 0 ? -errno : fd;
	}
	if (r != SAFE_FOLDER_FOREIGN)
		return r;
	r = safe_folder_of(path, SAFE_FOLDER_SHARED, &folder, &name);
	if (r == 0)
		return create_in_shared(folder, name);
	if (r != SAFE_FOLDER_FOREIGN)
		return r;
	folder = open_any_folder(path, &st);
	if (folder < 0)
		return folder;
	const char *slash = strrchr(path, '/');
	name = slash ? slash + 1 : path;
	return st.st_uid == geteuid() ? SAFE_FOLDER_FOREIGN
				      : create_as_owner(folder, &st, name, flags | O_NOFOLLOW);
}
