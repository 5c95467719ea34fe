/* Reads of a process: /proc/PID/exe, its sockets, its ancestors, the script that it runs, and the
 * application name it was started with. The name in a command line is only what the program was
 * given; it does not prove what the program is. */
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
#include "base/mem.h"
#include "base/text.h"
#include "model/emergency.h"
#include "model/programs.h"
#include "proc/cmdline.h"
#include "proc/procfs.h"

#define MOST_ANCESTORS   64
#define ENVIRONMENT_MOST ((size_t)128 * 1024)

/* In net/unix: the flag of a listening socket. In net/tcp: the state. */
#define SO_ACCEPTCON 0x10000
#define TCP_LISTEN   0x0A

struct inspect {
	const struct inspect_request *request;
	struct procfs *procfs;
	int root;
	struct arena *arena;
	struct map *listening;        /* inodes */
	struct map *server_ancestors; /* pids */
	struct map *server_users;     /* uids */
	int32_t ancestors[MOST_ANCESTORS];
	size_t n_ancestors;
	struct stat program; /* dbtop's own file; st_ino 0 if unknown */
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

/* A line is, for example, "  0: 0100007F:1538 00000000:0000 0A 00000000:00000000 00:00000000
 * 00000000  105  0 21001 …" */
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

/* True for another dbtop. The demo's application is the same program, but its processes have other
 * names. */
static bool is_dbtop(const struct inspect *inspect, int folder, const struct procfs_stat *stat)
{
	struct stat program;
	return inspect->program.st_ino && fstatat(folder, "exe", &program, 0) == 0 &&
		program.st_ino == inspect->program.st_ino &&
		program.st_dev == inspect->program.st_dev && strcmp(stat->comm, inspect->comm) == 0;
}

/* Opens the process's folder. All files are read through it: it belongs to this process only.
 * Negative if the process has ended. */
static int open_process(
	const struct inspect *inspect, const struct inspect_who *who, struct procfs_stat *ret)
{
	char path[16];
	snprintf(path, sizeof(path), "%" PRId32, who->pid);
	int folder = openat(inspect->root, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (folder >= 0 &&
		(procfs_stat_at(folder, "stat", ret) < 0 || ret->start_ticks != who->start_ticks)) {
		close(folder);
		return -1;
	}
	return folder;
}

/* The process whose facts are read from now on; 0: none. */
static void begin_step(const struct inspect *inspect, int32_t pid)
{
	struct inspect_progress *progress = inspect->request->progress;
	if (!progress)
		return;
	atomic_store(&progress->pid, pid);
	atomic_fetch_add(&progress->steps, 1);
}

/* The name of the file, also if the file was replaced since: "/usr/sbin/pgbouncer (deleted)". */
static const char *executable(const struct inspect *inspect, const char *path)
{
	if (!path)
		return NULL;
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	size_t length = strlen(name), suffix = strlen(PROCFS_DELETED);
	if (length > suffix && strcmp(name + length - suffix, PROCFS_DELETED) == 0)
		length -= suffix;
	return arena_strndup(inspect->arena, name, length);
}

/* Returns the inodes of a process's sockets; the caller frees them. */
static uint32_t *list_sockets(int folder, size_t *ret_count)
{
	CLEANUP(cleanup_dir) DIR *descriptors = procfs_open_folder(folder, "fd");
	uint32_t *inodes = NULL, inode;
	size_t count = 0, room = 0;
	while (descriptors && (inode = procfs_next_socket(descriptors))) {
		inodes = mem_grow(inodes, count, &room, sizeof(*inodes));
		inodes[count++] = inode;
	}
	*ret_count = count;
	return inodes;
}

static bool serves(const struct inspect *inspect, const uint32_t *inodes, size_t n_inodes)
{
	for (size_t i = 0; i < n_inodes; i++)
		if (map_get(inspect->listening, inodes[i]) != MAP_NONE)
			return true;
	return false;
}

static bool forwards(const struct inspect *inspect, const uint32_t *inodes, size_t n_inodes)
{
	const struct inspect_request *request = inspect->request;
	return request->forwards && request->forwards(request->data, inodes, n_inodes);
}

static const char *script(const struct inspect *inspect, int folder, const char *executable)
{
	char bytes[CMDLINE_MAX];
	CLEANUP(cleanup_file) FILE *file = executable ? open_file(folder, "cmdline") : NULL;
	size_t size = file ? fread(bytes, 1, sizeof(bytes), file) : 0;
	return cmdline_script(inspect->arena, bytes, size, executable);
}

/* Lists the processes that the server was started from, as far as we can see them. In a container
 * this includes its first process: all others end with it. */
static void list_server_ancestors(struct inspect *inspect, int32_t pid)
{
	struct procfs_stat stat;
	while (pid > 0 && map_get(inspect->server_ancestors, (uint64_t)pid) == MAP_NONE) {
		map_set(inspect->server_ancestors, (uint64_t)pid, 1);
		if (procfs_stat(inspect->procfs, pid, &stat) < 0)
			return;
		pid = stat.parent;
	}
}

/* A forwarder may hold the server's ends, too: only a process that runs PostgreSQL's program makes
 * its user one of the server's users. This is read of processes that hang, too: it does not wait
 * for them, and without it what PostgreSQL was started from would not be recognized. */
static void list_server(struct inspect *inspect, const struct inspect_who *server)
{
	struct procfs_stat stat;
	CLEANUP(cleanup_fd) int folder = open_process(inspect, server, &stat);
	if (folder < 0)
		return;
	list_server_ancestors(inspect, stat.parent);
	if (map_get(inspect->server_users, server->uid) == MAP_NONE &&
		program_kind(executable(inspect,
			procfs_executable(folder, "exe", inspect->arena))) == PROGRAM_POSTGRESQL)
		map_set(inspect->server_users, server->uid, 1);
}

static void list_servers(struct inspect *inspect)
{
	const struct inspect_request *request = inspect->request;
	for (size_t i = 0; i < request->n_servers; i++) {
		list_server(inspect, &request->servers[i]);
		begin_step(inspect, 0);
	}
}

/* Finds the value after the label in one of the file's strings, each ended by a zero byte. `whole`:
 * the string begins with the label, and the rest of the string is the value. */
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

static const char *find_application(const struct inspect *inspect, int folder)
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

static bool read_process(
	struct inspect *inspect, const struct inspect_who *who, struct process_facts *ret)
{
	struct procfs_stat stat;
	begin_step(inspect, who->pid);
	CLEANUP(cleanup_fd) int folder = open_process(inspect, who, &stat);
	if (folder < 0)
		return false;
	size_t n_inodes;
	CLEANUP(cleanup_free) uint32_t *inodes = list_sockets(folder, &n_inodes);
	ret->path = procfs_executable(folder, "exe", inspect->arena);
	const char *program = executable(inspect, ret->path);
	ret->executable = program;
	ret->script = script(inspect, folder, program);
	ret->application = find_application(inspect, folder);
	ret->ours |= is_dbtop(inspect, folder, &stat);
	ret->serves = serves(inspect, inodes, n_inodes);
	ret->parent = stat.parent;
	ret->parent_name = name_parent(inspect, stat.parent);
	/* this reads sockets, not the process */
	begin_step(inspect, 0);
	ret->forwards = forwards(inspect, inodes, n_inodes);
	return true;
}

static bool inspect_one(
	struct inspect *inspect, const struct inspect_who *who, struct process_facts *ret)
{
	*ret = (struct process_facts){
		.pid = who->pid,
		.start_ticks = who->start_ticks,
		.hangs = who->hangs,
		.ours = is_ancestor(inspect, who->pid),
		.starts_server = map_get(inspect->server_ancestors, (uint64_t)who->pid) != MAP_NONE,
		.servers_user = map_get(inspect->server_users, who->uid) != MAP_NONE,
	};
	return who->hangs || read_process(inspect, who, ret);
}

static bool is_stopped(const struct inspect_request *request)
{
	return request->progress && atomic_load(&request->progress->stop);
}

static size_t inspect_all(struct inspect *inspect, struct process_facts *facts)
{
	const struct inspect_request *request = inspect->request;
	size_t count = 0;
	for (size_t i = 0; i < request->n_who && !is_stopped(request); i++) {
		count += inspect_one(inspect, &request->who[i], &facts[count]);
		if (request->progress)
			atomic_store(&request->progress->n_facts, count);
	}
	begin_step(inspect, 0);
	return count;
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
		.server_ancestors = map_new(arena, 16),
		.server_users = map_new(arena, 0),
	};
	char path[32];
	snprintf(path, sizeof(path), "%" PRId32 "/exe", request->self);
	if (fstatat(inspect.root, path, &inspect.program, 0) != 0)
		inspect.program.st_ino = 0;
	list_ancestors(&inspect);
	list_servers(&inspect);
	list_tcp(&inspect, "net/tcp");
	list_tcp(&inspect, "net/tcp6");
	list_unix(&inspect);
	*ret_facts = arena_array(arena, request->n_who, sizeof(**ret_facts));
	size_t count = inspect_all(&inspect, *ret_facts);
	procfs_free(procfs);
	return count;
}
