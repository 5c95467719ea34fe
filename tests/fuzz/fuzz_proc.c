/* proc: command lines, control groups and whole processes, as any process may make them, or a tree
 * of another machine hold them. The first byte chooses the reader. A process is the files stat,
 * status, cgroup and cmdline of it and the tree's own stat, with the byte 0xff between two. */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "fuzz.h"
#include "model/peers.h"
#include "proc/cgroup.h"
#include "proc/cmdline.h"
#include "proc/procfs.h"

static void check_clean(const char *text)
{
	for (; text && *text; text++)
		MUST((unsigned char)*text >= 0x20 && *text != 0x7f);
}

static bool read_cgroup(struct arena *arena, const char *bytes, size_t size)
{
	const char *text = arena_strndup(arena, bytes, size);
	struct cgroup cgroup = cgroup_parse(arena, text);
	check_clean(cgroup.unit);
	check_clean(cgroup.container);
	MUST(!cgroup.container || *cgroup.container);
	MUST(!cgroup.container_id ||
		(strlen(cgroup.container_id) == 64 && strlen(cgroup.container) == 12 &&
			strncmp(cgroup.container_id, cgroup.container, 12) == 0));
	return cgroup.unit || cgroup.container;
}

static bool read_cmdline(struct arena *arena, const char *bytes, size_t size)
{
	const char *text = cmdline_format(arena, bytes, size);
	check_clean(text);
	check_clean(cmdline_script(arena, bytes, size, "python3"));
	check_clean(cmdline_script(arena, bytes, size, "sh"));
	return text && *text;
}

static char tree_path[] = "/tmp/fuzz-proc-XXXXXX";
static const char *const tree_files[] = { "7/stat", "7/status", "7/cgroup", "7/cmdline", "stat" };
#define TREE_FILES (sizeof(tree_files) / sizeof(tree_files[0]))

static void remove_tree(void)
{
	CLEANUP(cleanup_fd) int tree = open(tree_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (size_t i = 0; i < TREE_FILES; i++)
		(void)unlinkat(tree, tree_files[i], 0);
	(void)unlinkat(tree, "7", AT_REMOVEDIR);
	(void)rmdir(tree_path);
}

/* Returns the folder. */
static int make_tree(void)
{
	MUST(mkdtemp(tree_path));
	int tree = open(tree_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	MUST(tree >= 0 && mkdirat(tree, "7", 0700) == 0);
	(void)atexit(remove_tree);
	return tree;
}

static void write_file(int tree, const char *path, const char *bytes, size_t size)
{
	CLEANUP(cleanup_fd)
	int file = openat(tree, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	MUST(file >= 0 && write(file, bytes, size) == (ssize_t)size);
}

static void write_tree(int tree, const char *bytes, size_t size)
{
	for (size_t i = 0; i < TREE_FILES; i++) {
		const char *end = size ? memchr(bytes, 0xff, size) : NULL;
		size_t length = end ? (size_t)(end - bytes) : size;
		write_file(tree, tree_files[i], bytes, length);
		bytes += length + !!end;
		size -= length + !!end;
	}
}

static bool read_process(struct arena *arena, const char *bytes, size_t size)
{
	static int tree = -1;
	struct process process = { 0 };
	struct procfs_stat stat = { 0 };
	struct procfs_signals signals;
	if (tree < 0)
		tree = make_tree();
	write_tree(tree, bytes, size);
	struct procfs *procfs = procfs_new(tree_path);
	int r = procfs_describe(procfs, arena, 7, &process, &stat);
	MUST(procfs_signals(procfs, 7, &signals) == 0);
	procfs_free(procfs);
	MUST(r <= 0);
	if (r < 0)
		return false;
	check_clean(process.name);
	check_clean(process.command);
	check_clean(process.unit);
	check_clean(process.container);
	check_clean(process.user);
	MUST(strlen(stat.comm) < sizeof(stat.comm) && process.rss_bytes >= -1);
	return true;
}

bool fuzz_one(const uint8_t *data, size_t size)
{
	if (!size)
		return false;
	const char *bytes = (const char *)data + 1;
	struct arena *arena = arena_new();
	bool accepted = false;
	switch (data[0] % 3) {
	case 0: accepted = read_cmdline(arena, bytes, size - 1); break;
	case 1: accepted = read_cgroup(arena, bytes, size - 1); break;
	default: accepted = read_process(arena, bytes, size - 1); break;
	}
	arena_free(arena);
	return accepted;
}
