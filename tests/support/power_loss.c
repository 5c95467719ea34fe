#include "power_loss.h"

#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILES_MAX 8

/* A write or truncation since the last sync. */
struct change {
	sqlite3_int64 at;
	int size; /* −1: a truncation */
	char *bytes;
	struct change *next;
};

/* What is on the disk, by path. It outlives the descriptors. */
struct disk_file {
	char path[1024];
	bool exists;
	char *bytes;
	size_t size;
	struct change *changes, **last;
};

/* The standard VFS's file follows it. */
struct open_file {
	sqlite3_file base;
	struct disk_file *disk;
	sqlite3_file *real;
};

static struct {
	pthread_mutex_t mutex;
	sqlite3_vfs vfs, *real;
	struct disk_file files[FILES_MAX];
	int n_files;
	long count, after;
	unsigned seed;
	bool gone;
} disk = { .mutex = PTHREAD_MUTEX_INITIALIZER };

static void resize(struct disk_file *file, size_t size)
{
	if (size > file->size) {
		file->bytes = realloc(file->bytes, size);
		memset(file->bytes + file->size, 0, size - file->size);
	}
	file->size = size;
}

static void apply(struct disk_file *file, const struct change *change)
{
	if (change->size < 0) {
		resize(file, (size_t)change->at);
		return;
	}
	size_t end = (size_t)change->at + (size_t)change->size;
	if (end > file->size)
		resize(file, end);
	memcpy(file->bytes + change->at, change->bytes, (size_t)change->size);
}

/* Applies the changes: all of them, or about a half. */
static void flush(struct disk_file *file, bool all)
{
	while (file->changes) {
		struct change *change = file->changes;
		file->changes = change->next;
		if (all || rand_r(&disk.seed) % 2)
			apply(file, change);
		free(change->bytes);
		free(change);
	}
	file->last = &file->changes;
}

static void note(struct disk_file *file, sqlite3_int64 at, const void *bytes, int size)
{
	struct change *change = calloc(1, sizeof(*change));
	*change = (struct change){ .at = at, .size = size };
	if (size > 0) {
		change->bytes = malloc((size_t)size);
		memcpy(change->bytes, bytes, (size_t)size);
	}
	*file->last = change;
	file->last = &change->next;
}

/* Counts an operation; false when the power goes with it, or is gone. */
static bool has_power(void)
{
	if (!disk.gone && disk.after >= 0 && disk.count >= disk.after)
		disk.gone = true;
	disk.count += !disk.gone;
	return !disk.gone;
}

static struct disk_file *find(const char *path)
{
	for (int i = 0; i < disk.n_files; i++)
		if (strcmp(disk.files[i].path, path) == 0)
			return &disk.files[i];
	if (disk.n_files == FILES_MAX)
		abort();
	struct disk_file *file = &disk.files[disk.n_files++];
	snprintf(file->path, sizeof(file->path), "%s", path);
	file->last = &file->changes;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat status;
	if (fd >= 0 && fstat(fd, &status) == 0) {
		resize(file, (size_t)status.st_size);
		file->exists = read(fd, file->bytes, file->size) == status.st_size;
	}
	if (fd >= 0)
		close(fd);
	return file;
}

/* --- a file's operations --- */

static struct open_file *own(sqlite3_file *file)
{
	return (struct open_file *)(void *)file;
}

#define FORWARD(file, call) own(file)->real->pMethods->call

static int file_close(sqlite3_file *file)
{
	return own(file)->real->pMethods ? FORWARD(file, xClose(own(file)->real)) : SQLITE_OK;
}

static int file_read(sqlite3_file *file, void *bytes, int size, sqlite3_int64 at)
{
	return disk.gone ? SQLITE_IOERR_READ
			 : FORWARD(file, xRead(own(file)->real, bytes, size, at));
}

static int file_write(sqlite3_file *file, const void *bytes, int size, sqlite3_int64 at)
{
	pthread_mutex_lock(&disk.mutex);
	bool good = has_power();
	if (good || disk.count == disk.after)
		note(own(file)->disk, at, bytes, size); /* the last one may be on the disk, too */
	if (!good)
		disk.after = -1;
	pthread_mutex_unlock(&disk.mutex);
	return good ? FORWARD(file, xWrite(own(file)->real, bytes, size, at)) : SQLITE_IOERR_WRITE;
}

static int file_truncate(sqlite3_file *file, sqlite3_int64 size)
{
	pthread_mutex_lock(&disk.mutex);
	bool good = has_power();
	if (good)
		note(own(file)->disk, size, NULL, -1);
	pthread_mutex_unlock(&disk.mutex);
	return good ? FORWARD(file, xTruncate(own(file)->real, size)) : SQLITE_IOERR_TRUNCATE;
}

static int file_sync(sqlite3_file *file, int flags)
{
	(void)flags;
	pthread_mutex_lock(&disk.mutex);
	bool good = has_power();
	if (good) {
		flush(own(file)->disk, true);
		own(file)->disk->exists = true;
	}
	pthread_mutex_unlock(&disk.mutex);
	return good ? SQLITE_OK : SQLITE_IOERR_FSYNC;
}

static int file_size(sqlite3_file *file, sqlite3_int64 *size)
{
	return FORWARD(file, xFileSize(own(file)->real, size));
}

static int file_lock(sqlite3_file *file, int level)
{
	return FORWARD(file, xLock(own(file)->real, level));
}

static int file_unlock(sqlite3_file *file, int level)
{
	return FORWARD(file, xUnlock(own(file)->real, level));
}

static int file_check(sqlite3_file *file, int *ret)
{
	return FORWARD(file, xCheckReservedLock(own(file)->real, ret));
}

static int file_control(sqlite3_file *file, int operation, void *argument)
{
	return FORWARD(file, xFileControl(own(file)->real, operation, argument));
}

static int file_sector(sqlite3_file *file)
{
	return FORWARD(file, xSectorSize(own(file)->real));
}

/* A write is not atomic, and later ones may reach the disk before it. */
static int file_device(sqlite3_file *file)
{
	(void)file;
	return 0;
}

static int shm_map(sqlite3_file *file, int page, int size, int extend, void volatile **ret)
{
	return FORWARD(file, xShmMap(own(file)->real, page, size, extend, ret));
}

static int shm_lock(sqlite3_file *file, int offset, int n, int flags)
{
	return FORWARD(file, xShmLock(own(file)->real, offset, n, flags));
}

static void shm_barrier(sqlite3_file *file)
{
	FORWARD(file, xShmBarrier(own(file)->real));
}

static int shm_unmap(sqlite3_file *file, int delete)
{
	return FORWARD(file, xShmUnmap(own(file)->real, delete));
}

static const sqlite3_io_methods methods = {
	.iVersion = 2,
	.xClose = file_close,
	.xRead = file_read,
	.xWrite = file_write,
	.xTruncate = file_truncate,
	.xSync = file_sync,
	.xFileSize = file_size,
	.xLock = file_lock,
	.xUnlock = file_unlock,
	.xCheckReservedLock = file_check,
	.xFileControl = file_control,
	.xSectorSize = file_sector,
	.xDeviceCharacteristics = file_device,
	.xShmMap = shm_map,
	.xShmLock = shm_lock,
	.xShmBarrier = shm_barrier,
	.xShmUnmap = shm_unmap,
};

/* --- the VFS --- */

static int disk_open(
	sqlite3_vfs *vfs, const char *path, sqlite3_file *file, int flags, int *ret_flags)
{
	(void)vfs;
	struct open_file *opened = own(file);
	opened->base.pMethods = NULL;
	opened->real = (sqlite3_file *)(void *)(opened + 1);
	if (!path || disk.gone)
		return SQLITE_CANTOPEN;
	pthread_mutex_lock(&disk.mutex);
	opened->disk = find(path);
	pthread_mutex_unlock(&disk.mutex);
	int code = disk.real->xOpen(disk.real, path, opened->real, flags, ret_flags);
	if (code == SQLITE_OK)
		opened->base.pMethods = &methods;
	return code;
}

/* A removal is on the disk at once: nothing relies on the contrary. */
static int disk_delete(sqlite3_vfs *vfs, const char *path, int sync)
{
	(void)vfs;
	pthread_mutex_lock(&disk.mutex);
	bool good = has_power();
	if (good) {
		struct disk_file *file = find(path);
		flush(file, true);
		resize(file, 0);
		file->exists = false;
	}
	pthread_mutex_unlock(&disk.mutex);
	return good ? disk.real->xDelete(disk.real, path, sync) : SQLITE_IOERR_DELETE;
}

void power_loss_begin(long after, unsigned seed)
{
	disk.real = sqlite3_vfs_find("unix");
	disk.vfs = *disk.real;
	disk.vfs.zName = "power_loss";
	disk.vfs.szOsFile = (int)sizeof(struct open_file) + disk.real->szOsFile;
	disk.vfs.xOpen = disk_open;
	disk.vfs.xDelete = disk_delete;
	disk.vfs.pNext = NULL;
	disk.count = 0;
	disk.after = after;
	disk.seed = seed;
	disk.gone = false;
	disk.n_files = 0;
	sqlite3_vfs_register(&disk.vfs, 1);
}

bool power_loss_happened(void)
{
	return disk.gone;
}

long power_loss_count(void)
{
	return disk.count;
}

static void restore(struct disk_file *file)
{
	flush(file, false);
	char path[1040];
	snprintf(path, sizeof(path), "%s-shm", file->path);
	unlink(path);
	if (!file->exists) {
		unlink(file->path);
		return;
	}
	int fd = open(file->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, file->bytes, file->size) != (ssize_t)file->size)
		abort();
	close(fd);
}

void power_loss_end(void)
{
	sqlite3_vfs_register(disk.real, 1);
	sqlite3_vfs_unregister(&disk.vfs);
	for (int i = 0; i < disk.n_files; i++) {
		if (disk.gone)
			restore(&disk.files[i]);
		flush(&disk.files[i], false);
		free(disk.files[i].bytes);
	}
	memset(disk.files, 0, sizeof(disk.files));
	disk.n_files = 0;
}
