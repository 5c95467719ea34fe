/* Reads what identifies this machine, and checks whether the process that wrote a page is still
 * alive. */
#include "page/host.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"

/* Returns the length, or −1 with errno set. The text is terminated. */
static ssize_t read_text(const char *proc, const char *path, char *text, size_t size)
{
	char whole[128];
	text[0] = '\0';
	snprintf(whole, sizeof(whole), "%s/%s", proc, path);
	CLEANUP(cleanup_fd) int fd = open(whole, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return -1;
	ssize_t n = read(fd, text, size - 1);
	int error = errno;
	text[n > 0 ? n : 0] = '\0';
	errno = error;
	return n;
}

/* Reads the machine's id: 32 hexadecimal digits. On the first boot of an image the file may contain
 * "uninitialized", or nothing. */
static void read_machine(char machine[static PAGE_MACHINE_MAX])
{
	char text[64];
	(void)read_text("/etc", "machine-id", text, sizeof(text));
	text[strcspn(text, "\n")] = '\0';
	if (strlen(text) == PAGE_MACHINE_MAX &&
		strspn(text, "0123456789abcdef") == PAGE_MACHINE_MAX &&
		strspn(text, "0") < PAGE_MACHINE_MAX)
		memcpy(machine, text, PAGE_MACHINE_MAX);
}

static uint64_t read_namespace(const char *proc, const char *kind)
{
	char path[96];
	struct stat st;
	snprintf(path, sizeof(path), "%s/self/ns/%s", proc, kind);
	return stat(path, &st) == 0 ? st.st_ino : 0;
}

/* True if /proc is of our pid namespace. After unshare --pid without a new /proc, or with the
 * host's /proc in a container, "self" has a pid of another namespace, and NSpid lists one pid for
 * each namespace from that of /proc down to ours. */
static bool is_own_proc(const char *proc)
{
	char path[96], self[24], text[4096], rest;
	long pid;
	snprintf(path, sizeof(path), "%s/self", proc);
	ssize_t n = readlink(path, self, sizeof(self) - 1);
	if (n <= 0)
		return false;
	self[n] = '\0';
	if (strtol(self, NULL, 10) != getpid())
		return false;
	if (read_text(proc, "self/status", text, sizeof(text)) <= 0)
		return false;
	const char *pids = strstr(text, "\nNSpid:");
	return !pids || sscanf(pids, "\nNSpid:%ld%*[ \t]%c", &pid, &rest) < 2 || rest == '\n';
}

void page_host_read(const char *proc, struct page_host *ret)
{
	*ret = (struct page_host){ 0 };
	snprintf(ret->proc, sizeof(ret->proc), "%s", proc);
	(void)read_text(proc, "sys/kernel/random/boot_id", ret->boot_id, sizeof(ret->boot_id));
	ret->boot_id[strcspn(ret->boot_id, "\n")] = '\0';
	if (gethostname(ret->hostname, sizeof(ret->hostname) - 1) < 0)
		ret->hostname[0] = '\0';
	read_machine(ret->machine);
	ret->pid_namespace = read_namespace(ret->proc, "pid");
	ret->time_namespace = read_namespace(ret->proc, "time");
	ret->own_proc = is_own_proc(ret->proc);
}

static bool same_text(const char *own, const char *field, size_t size)
{
	return own[0] && strncmp(own, field, size) == 0;
}

bool page_is_same_boot(const struct page_host *host, const struct page_identity *identity)
{
	return same_text(host->boot_id, identity->boot_id, sizeof(identity->boot_id));
}

/* True if the page is from an earlier boot of this machine: its process has ended then. The host
 * name must match as well as the machine id, because two containers of one image may have the same
 * id; two machines that share the folder may have the same name. */
static bool earlier_boot(const struct page_host *host, const struct page_identity *identity)
{
	return host->boot_id[0] && identity->boot_id[0] && !page_is_same_boot(host, identity) &&
		same_text(host->machine, identity->machine, sizeof(identity->machine)) &&
		same_text(host->hostname, identity->hostname, sizeof(identity->hostname));
}

static bool same_pids(const struct page_host *host, const struct page_identity *identity)
{
	return page_is_same_boot(host, identity) && host->pid_namespace &&
		host->pid_namespace == identity->pid_namespace;
}

/* Fields 3, 20 and 22 of /proc/PID/stat: state, number of threads and start time. The process name
 * before them may contain any character, so fields are counted from the last parenthesis.
 *
 * proc/procfs.c reads the same file for dbtop. libdbpool cannot link it: it ends the program when
 * memory runs out. */
struct stat_fields {
	char state;
	long threads;
	unsigned long long ticks;
};

static bool parse_stat(const char *text, struct stat_fields *ret)
{
	const char *rest = strrchr(text, ')');
	return rest &&
		sscanf(rest + 1,
			" %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %ld "
			"%*d %llu",
			&ret->state, &ret->threads, &ret->ticks) == 3;
}

uint64_t page_start_ticks(const char *proc, const char *process)
{
	char path[64], text[1024];
	struct stat_fields fields;
	snprintf(path, sizeof(path), "%s/stat", process);
	if (read_text(proc, path, text, sizeof(text)) <= 0 || !parse_stat(text, &fields))
		return 0;
	return fields.ticks;
}

/* The main thread may end before the others. Its state is then Z, but the process is alive. */
static bool has_ended(const struct stat_fields *fields)
{
	return (fields->state == 'Z' || fields->state == 'X') && fields->threads <= 1;
}

enum page_owner page_owner(const struct page_host *host, const struct page_identity *identity)
{
	char path[64], text[1024];
	struct stat_fields fields;
	if (earlier_boot(host, identity))
		return PAGE_OWNER_DEAD;
	if (!same_pids(host, identity) || !host->own_proc)
		return PAGE_OWNER_UNKNOWN;
	snprintf(path, sizeof(path), "%d/stat", identity->pid);
	/* with the mount option hidepid, /proc hides living processes */
	if (read_text(host->proc, path, text, sizeof(text)) < 0)
		return kill(identity->pid, 0) < 0 && errno == ESRCH ? PAGE_OWNER_DEAD
								    : PAGE_OWNER_UNKNOWN;
	if (!parse_stat(text, &fields))
		return PAGE_OWNER_UNKNOWN;
	if (has_ended(&fields))
		return PAGE_OWNER_DEAD;
	if (!identity->start_ticks || fields.ticks == identity->start_ticks)
		return PAGE_OWNER_ALIVE;
	/* ticks of different time namespaces cannot be compared */
	return host->time_namespace == identity->time_namespace ? PAGE_OWNER_DEAD
								: PAGE_OWNER_UNKNOWN;
}
