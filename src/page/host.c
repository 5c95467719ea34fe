/* Who reads a page, and whether the process that wrote it is still there. */
#include "page/reader.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"

/* Returns the length, or −1 with errno set; the text is terminated. */
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

void page_host_read(const char *proc, struct page_host *ret)
{
	struct stat st;
	char path[80];
	*ret = (struct page_host){ 0 };
	snprintf(ret->proc, sizeof(ret->proc), "%s", proc);
	(void)read_text(proc, "sys/kernel/random/boot_id", ret->boot_id, sizeof(ret->boot_id));
	ret->boot_id[strcspn(ret->boot_id, "\n")] = '\0';
	if (gethostname(ret->hostname, sizeof(ret->hostname) - 1) < 0)
		ret->hostname[0] = '\0';
	snprintf(path, sizeof(path), "%s/self/ns/pid", ret->proc);
	if (stat(path, &st) == 0)
		ret->pid_namespace = st.st_ino;
}

static bool same_text(const char *own, const char *field, size_t size)
{
	return own[0] && strncmp(own, field, size) == 0;
}

static bool same_boot(const struct page_host *host, const struct page_identity *identity)
{
	return same_text(host->boot_id, identity->boot_id, sizeof(identity->boot_id));
}

/* An earlier boot of this very host: whatever ran then does not run now. */
static bool earlier_boot(const struct page_host *host, const struct page_identity *identity)
{
	return host->boot_id[0] && identity->boot_id[0] && !same_boot(host, identity) &&
		same_text(host->hostname, identity->hostname, sizeof(identity->hostname));
}

static bool same_pids(const struct page_host *host, const struct page_identity *identity)
{
	return same_boot(host, identity) && host->pid_namespace &&
		host->pid_namespace == identity->pid_namespace;
}

bool page_owner_is_visible(const struct page_host *host, const struct page_identity *identity)
{
	return earlier_boot(host, identity) || same_pids(host, identity);
}

/* State and start time: fields 3 and 22 of /proc/PID/stat; the name before them may hold anything,
 * so they are counted from the last parenthesis. */
static bool parse_stat(const char *text, char *ret_state, unsigned long long *ret_ticks)
{
	const char *rest = strrchr(text, ')');
	return rest &&
		sscanf(rest + 1,
			" %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d "
			"%*d %llu",
			ret_state, ret_ticks) == 2;
}

uint64_t page_start_ticks(const char *proc, const char *process)
{
	char path[64], text[1024], state;
	unsigned long long ticks;
	snprintf(path, sizeof(path), "%s/stat", process);
	if (read_text(proc, path, text, sizeof(text)) <= 0 || !parse_stat(text, &state, &ticks))
		return 0;
	return ticks;
}

bool page_owner_is_dead(const struct page_host *host, const struct page_identity *identity)
{
	char path[64], text[1024], state;
	unsigned long long ticks;
	if (earlier_boot(host, identity))
		return true;
	if (!same_pids(host, identity))
		return false;
	snprintf(path, sizeof(path), "%d/stat", identity->pid);
	if (read_text(host->proc, path, text, sizeof(text)) < 0)
		return errno == ENOENT || errno == ESRCH;
	if (!parse_stat(text, &state, &ticks))
		return false;
	if (state == 'Z' || state == 'X')
		return true;
	return identity->start_ticks && ticks != identity->start_ticks;
}
