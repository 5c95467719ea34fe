/* Reads /proc/PID/exe, its listening sockets, its ancestors, and the application's name it was
 * started with. A name in a command line tells what a program was told, never what it is. */
#include "proc/inspect.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/map.h"
#include "base/text.h"
#include "model/emergency.h"
#include "proc/procfs.h"

#define MOST_ANCESTORS   64
#define ENVIRONMENT_MOST ((size_t)128 * 1024)

/* net/unix: the flag of a socket that listens; net/tcp: the state. */
#define SO_ACCEPTCON 0x10000
#define TCP_LISTEN   0x0A

struct inspect {
	const struct inspect_request *request;
	struct procfs *procfs;
	int root;
	struct arena *arena;
	struct map *listening; /* inodes */
	int32_t ancestors[MOST_ANCESTORS];
	size_t n_ancestors;
	struct stat program; /* our own; st_ino 0 when it is not known */
	char comm[PROCFS_COMM_MAX];
};

static FILE *open_file(int root, const char *path)
{
	int fd = openat(root, path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	FILE *file = fd < 0 ? NULL : fdopen(fd, "r");
	if (fd >= 0 && !file)
		close(fd);
	return file;
}

static bool is_wanted_port(const struct inspect_request *request, unsigned port)
{
	for (size_t i = 0; i < request->n_ports; i++)
		if (request->ports[i] == port)
			return true;
	return false;
}

/* "  0: 0100007F:1538 00000000:0000 0A 00000000:00000000 00:00000000 00000000  105  0 21001 …" */
static void list_tcp(struct inspect *inspect, const char *path)
{
	char line[512];
	unsigned port, state;
	unsigned long inode;
	CLEANUP(cleanup_file) FILE *file = open_file(inspect->root, path);
	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "%*d: %*[0-9A-Fa-f]:%x %*s %x %*s %*s %*s %*d %*d %lu", &port,
			    &state, &inode) == 3 &&
			state == TCP_LISTEN && is_wanted_port(inspect->request, port))
			map_set(inspect->listening, inode, 1);
}

/* "0000000000000000: 00000002 00000000 00010000 0001 01 21002 /run/postgresql/.s.PGSQL.5432" */
static void list_unix(struct inspect *inspect)
{
	char line[512];
	unsigned flags;
	unsigned long inode;
	CLEANUP(cleanup_file) FILE *file = open_file(inspect->root, "net/unix");
	while (file && fgets(line, sizeof(line), file))
		if (strstr(line, "/.s.PGSQL.") &&
			sscanf(line, "%*[0-9A-Fa-f]: %*x %*x %x %*x %*x %lu", &flags, &inode) ==
				2 &&
			(flags & SO_ACCEPTCON))
			map_set(inspect->listening, inode, 1);
}

static void list_ancestors(struct inspect *inspect)
{
	struct procfs_stat stat;
	int32_t pid = inspect->request->self;
	while (pid > 0 && inspect->n_ancestors < MOST_ANCESTORS &&
		procfs_stat(inspect->procfs, pid, &stat) == 0) {
		if (pid == inspect->request->self)
			memcpy(inspect->comm, stat.comm, sizeof(inspect->comm));
		inspect->ancestors[inspect->n_ancestors++] = pid;
		pid = stat.parent;
	}
}

static bool is_ancestor(const struct inspect *inspect, int32_t pid)
{
	for (size_t i = 0; i < inspect->n_ancestors; i++)
		if (inspect->ancestors[i] == pid)
			return true;
	return false;
}

/* Another dbtop; the demo's application, which is the same program, goes by other names. */
static bool is_dbtop(const struct inspect *inspect, int folder, const struct procfs_stat *stat)
{
	struct stat program;
	return inspect->program.st_ino && fstatat(folder, "exe", &program, 0) == 0 &&
		program.st_ino == inspect->program.st_ino &&
		program.st_dev == inspect->program.st_dev && strcmp(stat->comm, inspect->comm) == 0;
}

/* The file's name, also when it was replaced since: "/usr/sbin/pgbouncer (deleted)". */
static const char *executable(const struct inspect *inspect, int folder)
{
	static const char deleted[] = " (deleted)";
	char path[4096];
	ssize_t length = readlinkat(folder, "exe", path, sizeof(path) - 1);
	if (length <= 0)
		return NULL;
	path[length] = '\0';
	size_t suffix = sizeof(deleted) - 1;
	if ((size_t)length > suffix && strcmp(path + length - suffix, deleted) == 0)
		path[(size_t)length - suffix] = '\0';
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	return text_clean(inspect->arena, name, strlen(name), TEXT_LINE);
}

static bool serves(const struct inspect *inspect, int folder)
{
	CLEANUP(cleanup_dir) DIR *descriptors = procfs_open_folder(folder, "fd");
	char link[64];
	unsigned long inode;
	for (struct dirent *entry; descriptors && (entry = readdir(descriptors));) {
		ssize_t length =
			readlinkat(dirfd(descriptors), entry->d_name, link, sizeof(link) - 1);
		link[length < 0 ? 0 : length] = '\0';
		if (sscanf(link, "socket:[%lu]", &inode) == 1 &&
			map_get(inspect->listening, inode) != MAP_NONE)
			return true;
	}
	return false;
}

/* What stands behind the label in one of the file's strings, each ended by a zero byte; `whole`:
 * the string begins with the label and its rest is the value. */
static const char *find_value(
	const struct inspect *inspect, int folder, const char *path, const char *label, bool whole)
{
	CLEANUP(cleanup_free) char *text = malloc(ENVIRONMENT_MOST);
	CLEANUP(cleanup_file) FILE *file = open_file(folder, path);
	size_t size = text && file ? fread(text, 1, ENVIRONMENT_MOST - 1, file) : 0;
	if (!size)
		return NULL;
	text[size] = '\0';
	for (const char *at = text; at < text + size; at += strlen(at) + 1) {
		const char *found = whole ? (strncmp(at, label, strlen(label)) == 0 ? at : NULL)
					  : strstr(at, label);
		if (!found)
			continue;
		found += strlen(label);
		found += !whole && *found == '\'';
		size_t length = whole ? strlen(found) : strcspn(found, " &'\"");
		return length ? text_clean(inspect->arena, found, length, TEXT_LINE) : NULL;
	}
	return NULL;
}

static const char *told_application(const struct inspect *inspect, int folder)
{
	const char *name = find_value(inspect, folder, "cmdline", "application_name=", false);
	return name ? name : find_value(inspect, folder, "environ", "PGAPPNAME=", true);
}

static const char *name_parent(const struct inspect *inspect, int32_t parent)
{
	struct procfs_stat stat;
	return parent > 0 && procfs_stat(inspect->procfs, parent, &stat) == 0
		? text_clean(inspect->arena, stat.comm, strlen(stat.comm), TEXT_LINE)
		: NULL;
}

static bool inspect_one(
	struct inspect *inspect, const struct inspect_who *who, struct process_facts *ret)
{
	char path[16];
	struct procfs_stat stat;
	snprintf(path, sizeof(path), "%" PRId32, who->pid);
	/* all is read through one folder, which stays this process's */
	CLEANUP(cleanup_fd)
	int folder = openat(inspect->root, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (folder < 0 || procfs_stat_at(folder, "stat", &stat) < 0 ||
		stat.start_ticks != who->start_ticks)
		return false;
	*ret = (struct process_facts){
		.pid = who->pid,
		.start_ticks = who->start_ticks,
		.executable = executable(inspect, folder),
		.application = told_application(inspect, folder),
		.ours = is_ancestor(inspect, who->pid) || is_dbtop(inspect, folder, &stat),
		.serves = serves(inspect, folder),
		.parent = stat.parent,
		.parent_name = name_parent(inspect, stat.parent),
	};
	return true;
}

size_t inspect_processes(const struct inspect_request *request, struct arena *arena,
	struct process_facts **ret_facts)
{
	struct procfs *procfs = procfs_new(request->proc_root);
	struct inspect inspect = {
		.request = request,
		.procfs = procfs,
		.root = procfs_root(procfs),
		.arena = arena,
		.listening = map_new(arena, 16),
	};
	char path[32];
	snprintf(path, sizeof(path), "%" PRId32 "/exe", request->self);
	if (fstatat(inspect.root, path, &inspect.program, 0) != 0)
		inspect.program.st_ino = 0;
	list_ancestors(&inspect);
	list_tcp(&inspect, "net/tcp");
	list_tcp(&inspect, "net/tcp6");
	list_unix(&inspect);
	struct process_facts *facts = arena_array(arena, request->n_who, sizeof(*facts));
	size_t count = 0;
	for (size_t i = 0; i < request->n_who; i++)
		count += inspect_one(&inspect, &request->who[i], &facts[count]);
	procfs_free(procfs);
	*ret_facts = facts;
	return count;
}
