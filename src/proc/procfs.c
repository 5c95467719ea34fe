/* Reads the files of /proc/PID. */
#include "proc/procfs.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/magic.h>
#include <math.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/instant.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/text.h"
#include "model/peers.h"
#include "proc/cgroup.h"
#include "proc/command.h"
#include "proc/read_file.h"
#include "proc/users.h"

/* include/linux/sched.h */
#define PF_EXITING 0x00000004
#define PF_KTHREAD 0x00200000

/* The largest difference between the kernel's btime, in whole seconds, and a more precise reading.
 */
#define BOOT_TOLERANCE (2 * USEC_PER_SEC)

/* The pid namespace of the processes in the tree. */
enum tree {
	TREE_RECORDED, /* no /proc, but a recorded tree of a test */
	TREE_OURS,     /* our pid namespace */
	TREE_FOREIGN,  /* another pid namespace: /proc/self is not this process */
};

struct procfs {
	int root;
	enum tree tree;
	int64_t ticks_per_second;
	int64_t boot_time; /* from /proc/stat; of our own tree the clocks know it */
	struct arena *arena;
	struct users *users;
	struct map *skipped; /* keys mix pid and start time */
	bool skips_all;
	atomic_int reading; /* the pid whose command line is being read */
};

/* The number after a label at the start of a line; −1 if the label is missing. */
static int64_t labelled_number(const char *text, const char *label)
{
	size_t length = strlen(label);
	for (const char *line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, label, length) == 0)
			return strtoll(line + length, NULL, 10);
	}
	return -1;
}

static int64_t read_boot_time(int root)
{
	/* the line comes after one line for each processor and one for all interrupts: it may be
	 * far down */
	enum { SIZE = 256 * 1024 };
	CLEANUP(cleanup_free) char *text = mem_alloc(SIZE);
	if (read_file(root, "stat", text, SIZE) < 0)
		return INSTANT_UNKNOWN;
	int64_t seconds = labelled_number(text, "btime ");
	return seconds > 0 && seconds <= UINT32_MAX ? seconds * USEC_PER_SEC : INSTANT_UNKNOWN;
}

/* The pid if the name is a number; 0 for any other name. */
static int32_t parse_pid(const char *name)
{
	char *end;
	if (name[0] < '1' || name[0] > '9')
		return 0;
	long pid = strtol(name, &end, 10);
	return *end == '\0' && pid <= INT32_MAX ? (int32_t)pid : 0;
}

static enum tree read_tree(int root)
{
	char self[16];
	struct statfs fs;
	if (fstatfs(root, &fs) < 0 || fs.f_type != PROC_SUPER_MAGIC)
		return TREE_RECORDED;
	ssize_t length = readlinkat(root, "self", self, sizeof(self) - 1);
	self[length > 0 ? length : 0] = '\0';
	return parse_pid(self) == getpid() ? TREE_OURS : TREE_FOREIGN;
}

bool procfs_is_foreign(int root)
{
	return read_tree(root) == TREE_FOREIGN;
}

/* A process that is missing in the tree has ended only if the kernel confirms it: hidepid hides
 * processes from us, and a tree of another pid namespace has other pids. */
static bool is_gone(const struct procfs *procfs, int32_t pid)
{
	switch (procfs->tree) {
	case TREE_RECORDED: return true;
	case TREE_OURS: return kill(pid, 0) < 0 && errno == ESRCH;
	default: return false;
	}
}

/* Changes -ESRCH to -EACCES unless it is certain that the process has ended. */
static int check_gone(const struct procfs *procfs, int32_t pid, int error)
{
	return error == -ESRCH && !is_gone(procfs, pid) ? -EACCES : error;
}

struct procfs *procfs_new(const char *root)
{
	struct procfs *procfs = mem_alloc(sizeof(*procfs));
	procfs->root = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	procfs->tree = read_tree(procfs->root);
	procfs->ticks_per_second = sysconf(_SC_CLK_TCK);
	if (procfs->tree != TREE_OURS)
		procfs->boot_time = read_boot_time(procfs->root);
	procfs->arena = arena_new();
	procfs->users = users_new();
	procfs->skipped = map_new(procfs->arena, 0);
	return procfs;
}

void procfs_free(struct procfs *procfs)
{
	if (!procfs)
		return;
	if (procfs->root >= 0)
		close(procfs->root);
	arena_free(procfs->arena);
	users_free(procfs->users);
	free(procfs);
}

int32_t procfs_reads(const struct procfs *procfs)
{
	return atomic_load(&procfs->reading);
}

void procfs_skip(struct procfs *procfs, int32_t pid, uint64_t start_ticks)
{
	map_set(procfs->skipped, map_mix((uint64_t)pid, start_ticks), 1);
}

void procfs_skip_all(struct procfs *procfs)
{
	procfs->skips_all = true;
}

int procfs_root(const struct procfs *procfs)
{
	return procfs->root;
}

DIR *procfs_open_folder(int parent, const char *path)
{
	int fd = openat(parent, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return NULL;
	DIR *folder = fdopendir(fd);
	if (!folder)
		close(fd);
	return folder;
}

int32_t procfs_next_pid(DIR *root)
{
	for (const struct dirent *entry; (entry = readdir(root));) {
		int32_t pid = parse_pid(entry->d_name);
		if (pid)
			return pid;
	}
	return 0;
}

uint32_t procfs_next_socket(DIR *descriptors)
{
	static const char prefix[] = "socket:[";
	for (const struct dirent *entry; (entry = readdir(descriptors));) {
		char link[64];
		if (entry->d_name[0] == '.')
			continue;
		ssize_t length =
			readlinkat(dirfd(descriptors), entry->d_name, link, sizeof(link) - 1);
		link[length > 0 ? length : 0] = '\0';
		if (strncmp(link, prefix, sizeof(prefix) - 1) != 0)
			continue;
		unsigned long long inode = strtoull(link + sizeof(prefix) - 1, NULL, 10);
		if (inode && inode <= UINT32_MAX)
			return (uint32_t)inode;
	}
	return 0;
}

const char *procfs_executable(int folder, const char *path, struct arena *arena)
{
	char target[PATH_MAX];
	ssize_t length = readlinkat(folder, path, target, sizeof(target));
	return length > 0 ? text_clean(arena, target, (size_t)length, TEXT_LINE) : NULL;
}

int64_t procfs_ticks_per_second(const struct procfs *procfs)
{
	return procfs->ticks_per_second;
}

bool procfs_exists(const struct procfs *procfs, int32_t pid)
{
	char path[16];
	snprintf(path, sizeof(path), "%" PRId32, pid);
	return faccessat(procfs->root, path, F_OK, 0) == 0 || !is_gone(procfs, pid);
}

/* −1 for an impossible number of pages. */
static int64_t pages_to_bytes(unsigned long long pages)
{
	unsigned long long size = (unsigned long long)sysconf(_SC_PAGESIZE);
	return pages <= INT64_MAX / size ? (int64_t)(pages * size) : -1;
}

/* Fields are numbered as in proc(5): the first after the name is 3, the state. False if the text
 * ends before the start time. */
static bool read_fields(const char *text, struct procfs_stat *stat)
{
	enum { PARENT = 4, FLAGS = 9, UTIME = 14, STIME = 15, START = 22, RSS = 24 };
	for (int field = PARENT; field <= RSS; field++) {
		char *end;
		unsigned long long value = strtoull(text, &end, 10);
		switch (field) {
		case PARENT: stat->parent = (int32_t)value; break;
		case FLAGS:
			stat->kernel_thread = (value & PF_KTHREAD) != 0;
			stat->exiting = (value & PF_EXITING) != 0;
			break;
		case UTIME:
		case STIME: stat->cpu_ticks += value; break;
		case START: stat->start_ticks = value; break;
		case RSS: stat->rss_bytes = pages_to_bytes(value); break;
		default: break;
		}
		if (end == text)
			return field > START;
		text = end;
	}
	return true;
}

int procfs_stat_at(int folder, const char *path, struct procfs_stat *ret)
{
	char text[1024];
	ssize_t length = read_file(folder, path, text, sizeof(text));
	if (length < 0)
		return (int)length;
	/* the name may contain anything, also ") S 1 (": it ends at the last bracket */
	const char *open = strchr(text, '('), *close = strrchr(text, ')');
	if (!open || !close || close < open || close[1] != ' ' || !close[2])
		return -EBADMSG;
	struct procfs_stat stat = { .state = close[2] };
	snprintf(stat.comm, sizeof(stat.comm), "%.*s", (int)(close - open - 1), open + 1);
	if (!read_fields(close + 3, &stat))
		return -EBADMSG;
	*ret = stat;
	return 0;
}

int procfs_stat(const struct procfs *procfs, int32_t pid, struct procfs_stat *ret)
{
	char path[32];
	snprintf(path, sizeof(path), "%" PRId32 "/stat", pid);
	return check_gone(procfs, pid, procfs_stat_at(procfs->root, path, ret));
}

/* The mask after a label at the start of a line; 0 if the label is missing. */
static uint64_t labelled_mask(const char *text, const char *label)
{
	const char *line = strstr(text, label);
	return line ? strtoull(line + strlen(label), NULL, 16) : 0;
}

int procfs_signals(const struct procfs *procfs, int32_t pid, struct procfs_signals *ret)
{
	char path[32], text[4096];
	snprintf(path, sizeof(path), "%" PRId32 "/status", pid);
	ssize_t length = read_file(procfs->root, path, text, sizeof(text));
	if (length < 0)
		return check_gone(procfs, pid, (int)length);
	*ret = (struct procfs_signals){
		/* the signals of the main thread and of the whole process */
		.pending = labelled_mask(text, "\nSigPnd:\t") | labelled_mask(text, "\nShdPnd:\t"),
		.blocked = labelled_mask(text, "\nSigBlk:\t"),
		.ignored = labelled_mask(text, "\nSigIgn:\t"),
		.caught = labelled_mask(text, "\nSigCgt:\t"),
	};
	return 0;
}

bool procfs_has_ended(const struct procfs_stat *stat)
{
	return stat->state == 'Z' || stat->state == 'X' || stat->state == 'x';
}

static int64_t clock_usec(clockid_t clock)
{
	struct timespec now = { 0 };
	clock_gettime(clock, &now);
	return now.tv_sec * USEC_PER_SEC + now.tv_nsec / 1000;
}

/* btime has only whole seconds. If the tree is this machine's, which may show only in its btime,
 * the clocks are more precise. Setting the wall clock changes btime, so it is read again then. */
static int64_t boot_time(const struct procfs *procfs)
{
	int64_t precise = instant_now() - clock_usec(CLOCK_BOOTTIME);
	int64_t known = procfs->boot_time;
	if (procfs->tree == TREE_OURS)
		return precise;
	if (llabs(precise - known) >= BOOT_TOLERANCE)
		known = read_boot_time(procfs->root);
	if (known == INSTANT_UNKNOWN)
		return procfs->boot_time;
	return llabs(precise - known) < BOOT_TOLERANCE ? precise : known;
}

int64_t procfs_started_at(const struct procfs *procfs, uint64_t start_ticks)
{
	uint64_t seconds = start_ticks / (uint64_t)procfs->ticks_per_second;
	uint64_t rest = start_ticks % (uint64_t)procfs->ticks_per_second;
	if (procfs->boot_time == INSTANT_UNKNOWN || seconds > INT32_MAX)
		return INSTANT_UNKNOWN;
	return boot_time(procfs) + (int64_t)seconds * USEC_PER_SEC +
		(int64_t)rest * USEC_PER_SEC / procfs->ticks_per_second;
}

/* The line lists the pid in each namespace, from that of the tree to the process's own. */
static int32_t inner_pid(const char *status)
{
	const char *line = strstr(status, "\nNSpid:");
	if (!line)
		return 0;
	size_t length = strcspn(line + 1, "\n");
	const char *last = memrchr(line + 1, '\t', length);
	return last ? (int32_t)strtol(last + 1, NULL, 10) : 0;
}

/* The effective user. The owner of the folder may be different: it is root for a process that has
 * changed its user. */
static void describe_user(struct procfs *procfs, int folder, struct arena *arena, struct process *p)
{
	char text[4096];
	uint32_t ignored, effective;
	p->uid = UINT32_MAX;
	if (read_file(folder, "status", text, sizeof(text)) < 0)
		return;
	p->inner_pid = inner_pid(text);
	const char *line = strstr(text, "\nUid:");
	if (!line || sscanf(line + 5, "%" SCNu32 "%" SCNu32, &ignored, &effective) != 2)
		return;
	p->uid = effective;
	p->user = arena_strdup(arena, users_name(procfs->users, effective));
}

static void describe_cgroup(int folder, struct arena *arena, struct process *p)
{
	char text[8192];
	if (read_file(folder, "cgroup", text, sizeof(text)) < 0)
		return;
	struct cgroup cgroup = cgroup_parse(arena, text);
	p->unit = cgroup.unit;
	p->unit_is_users = cgroup.unit_is_users;
	p->container = cgroup.container;
	p->container_id = cgroup.container_id;
}

static bool skips(const struct procfs *procfs, int32_t pid, uint64_t start_ticks)
{
	return procfs->skips_all ||
		map_get(procfs->skipped, map_mix((uint64_t)pid, start_ticks)) != MAP_NONE;
}

/* The names of the kernel's functions. */
#define WAIT_CHANNEL_BYTES "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_."

static void read_wait_channel(int folder, const char *path, char ret[static PROCESS_WAIT_MAX])
{
	char text[PROCESS_WAIT_MAX];
	ssize_t length = read_file(folder, path, text, sizeof(text));
	bool known = length > 0 && strspn(text, WAIT_CHANNEL_BYTES) == (size_t)length;
	/* "0" stands for none */
	snprintf(ret, PROCESS_WAIT_MAX, "%s", known && strcmp(text, "0") != 0 ? text : "");
}

void procfs_wait_channel(
	const struct procfs *procfs, int32_t pid, char ret[static PROCESS_WAIT_MAX])
{
	char path[32];
	snprintf(path, sizeof(path), "%" PRId32 "/wchan", pid);
	read_wait_channel(procfs->root, path, ret);
}

/* All files are opened through one folder: when the process exits, they cannot be read any more,
 * even if the pid is used again. */
int procfs_describe(struct procfs *procfs, struct arena *arena, int32_t pid, struct process *ret,
	struct procfs_stat *ret_stat)
{
	char path[16];
	struct procfs_stat stat;
	snprintf(path, sizeof(path), "%" PRId32, pid);
	CLEANUP(cleanup_fd)
	int folder = openat(procfs->root, path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (folder < 0)
		return check_gone(procfs, pid, errno == ENOENT ? -ESRCH : -errno);
	int error = procfs_stat_at(folder, "stat", &stat);
	if (error < 0)
		return check_gone(procfs, pid, error);
	struct process process = {
		.pid = pid,
		.start_ticks = stat.start_ticks,
		.parent = stat.parent,
		.started_at = procfs_started_at(procfs, stat.start_ticks),
		.ended_at = procfs_has_ended(&stat) ? instant_now() : INSTANT_UNKNOWN,
		.cpu_percent = NAN,
		.rss_bytes = stat.rss_bytes,
		.state = stat.state,
	};
	read_wait_channel(folder, "wchan", process.wait_channel);
	if (skips(procfs, pid, stat.start_ticks)) {
		process.name = text_clean(arena, stat.comm, strlen(stat.comm), TEXT_LINE);
		process.program = program_kind(process.name);
	} else {
		atomic_store(&procfs->reading, pid);
		command_describe(folder, arena, stat.comm, &process);
		atomic_store(&procfs->reading, 0);
	}
	describe_user(procfs, folder, arena, &process);
	describe_cgroup(folder, arena, &process);
	process.pid_namespace = procfs_namespace(folder, "ns/pid");
	process.network_namespace = procfs_namespace(folder, "ns/net");
	process.mount_namespace = procfs_namespace(folder, "ns/mnt");
	*ret = process;
	*ret_stat = stat;
	return 0;
}

uint64_t procfs_namespace(int folder, const char *path)
{
	char text[64];
	ssize_t length = readlinkat(folder, path, text, sizeof(text) - 1);
	text[length > 0 ? length : 0] = '\0';
	const char *number = strchr(text, '[');
	return number ? strtoull(number + 1, NULL, 10) : 0;
}

/* Each namespace has its own files, with their own inodes, in /proc/PID/net. Unlike
 * /proc/PID/ns/net, every user may stat() them. */
bool procfs_shares_network(const struct procfs *procfs, int32_t pid)
{
	char path[32];
	struct stat own, other;
	snprintf(path, sizeof(path), "%" PRId32 "/net/tcp", pid);
	return fstatat(procfs->root, "self/net/tcp", &own, 0) == 0 &&
		fstatat(procfs->root, path, &other, 0) == 0 && own.st_ino == other.st_ino &&
		own.st_dev == other.st_dev;
}
