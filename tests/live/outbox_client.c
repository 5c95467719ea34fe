/* outbox_client CONNINFO FILE ROLE [NUMBER [MS]]: a process with an outbox. Its exit status is 0,
 * or 99 when a check failed; stderr then says which.
 *
 *   write FIRST   writes numbers from FIRST on, and prints each that is acknowledged
 *   drain         sends what is there, and prints how much is left
 *   power AFTER   as write, on a disk whose power goes after so many operations
 *   full          fills a small disk, then goes on when there is room again
 *   shutdown N [MS]  writes N numbers and shuts the pool down, which sends for MS at most; prints
 *                 how many are left
 */
#include <errno.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "dboutbox.h"
#include "dbpool.h"
#include "power_loss.h"

#define CHECK(condition)                                                                           \
	((condition) ? (void)0                                                                     \
		     : (fprintf(stderr, "%s:%d: not so: %s (%s; %s)\n", __FILE__, __LINE__,        \
				#condition, dboutbox_error(), dbpool_error()),                     \
			       fflush(NULL), _exit(99)))

static struct dboutbox *open_outbox(const char *path, int flush_ms)
{
	const struct dboutbox_config config = { .size = sizeof(config),
		.path = path,
		.pool = dbpool_default(),
		.batch = 20,
		.flush_ms = flush_ms };
	return dboutbox_open(&config, NULL);
}

static int write_number(struct dboutbox *outbox, long number)
{
	char text[24];
	snprintf(text, sizeof(text), "%ld", number);
	const char *const params[] = { text };
	const struct dboutbox_statement statement = {
		.sql = "INSERT INTO sent (number) VALUES ($1)", .n_params = 1, .params = params
	};
	return dboutbox_write(outbox, &statement);
}

/* In one system call, so that it is out when the process is killed. */
static void acknowledge(long number)
{
	char line[24];
	int length = snprintf(line, sizeof(line), "%ld\n", number);
	CHECK(write(STDOUT_FILENO, line, (size_t)length) == length);
}

static void keep_writing(const char *path, long number)
{
	struct dboutbox *outbox = open_outbox(path, 0);
	CHECK(outbox);
	for (;; number++) {
		CHECK(write_number(outbox, number) == DBOUTBOX_OK);
		acknowledge(number);
		usleep(500);
	}
}

static void drain(const char *path)
{
	struct dboutbox *outbox = open_outbox(path, 0);
	CHECK(outbox);
	int left = dboutbox_flush(outbox, 60000);
	struct dboutbox_stats stats;
	dboutbox_stats(outbox, &stats, sizeof(stats));
	printf("%d %s %s\n", left, dboutbox_state_name(stats.state), stats.last_error);
	dboutbox_close(outbox);
}

static void lose_power(const char *path, long after)
{
	power_loss_begin(after, (unsigned)after);
	struct dboutbox *outbox = open_outbox(path, 0);
	for (long number = after * 1000; outbox && !power_loss_happened(); number++)
		if (write_number(outbox, number) == DBOUTBOX_OK)
			acknowledge(number);
	if (outbox)
		dboutbox_close(outbox);
	power_loss_end();
}

static void write_text(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");
	CHECK(file && fputs(text, file) >= 0 && fclose(file) == 0);
}

/* Lets an ordinary user mount, with the same user and group as before. The kernel gives such a
 * namespace to no process with threads. */
static void enter_user_namespace(void)
{
	char user[64], group[64];
	snprintf(user, sizeof(user), "%u %u 1", geteuid(), geteuid());
	snprintf(group, sizeof(group), "%u %u 1", getegid(), getegid());
	CHECK(unshare(CLONE_NEWUSER) == 0);
	write_text("/proc/self/setgroups", "deny");
	write_text("/proc/self/uid_map", user);
	write_text("/proc/self/gid_map", group);
}

/* A tmpfs of 2 MiB, in a mount namespace of our own. */
static void mount_small_disk(const char *folder)
{
	if (geteuid() != 0)
		enter_user_namespace();
	CHECK(unshare(CLONE_NEWNS) == 0);
	CHECK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
	CHECK(mount("none", folder, "tmpfs", 0, "size=2m,mode=700") == 0);
}

static void fill_disk(const char *folder)
{
	char path[1024], ballast[1024];
	snprintf(path, sizeof(path), "%s/outbox", folder);
	snprintf(ballast, sizeof(ballast), "%s/ballast", folder);
	FILE *file = fopen(ballast, "w");
	CHECK(file);
	for (int i = 0; i < 512; i++)
		CHECK(fprintf(file, "%1024d", i) == 1024);
	CHECK(fclose(file) == 0);
	const struct dboutbox_config config = { .size = sizeof(config), .path = path };
	struct dboutbox *outbox = dboutbox_open(&config, NULL);
	CHECK(outbox);
	long n = 0;
	int r;
	while ((r = write_number(outbox, n)) == DBOUTBOX_OK)
		n++;
	CHECK(r == DBOUTBOX_NO_SPACE && n > 100);
	CHECK(write_number(outbox, n) == DBOUTBOX_NO_SPACE);
	struct dboutbox_stats stats;
	dboutbox_stats(outbox, &stats, sizeof(stats));
	CHECK(stats.pending == n);
	CHECK(unlink(ballast) == 0);
	CHECK(write_number(outbox, n) == DBOUTBOX_OK);
	dboutbox_close(outbox);
	/* opened again, with a pool, all of it is sent */
	outbox = open_outbox(path, 0);
	CHECK(outbox);
	CHECK(dboutbox_flush(outbox, 60000) == 0);
	dboutbox_close(outbox);
	printf("%ld\n", n + 1);
}

static void shut_down(const char *path, long n, int flush_ms)
{
	struct dboutbox *outbox = open_outbox(path, flush_ms);
	CHECK(outbox);
	for (long i = 0; i < n; i++)
		CHECK(write_number(outbox, i) == DBOUTBOX_OK);
	(void)dbpool_shutdown(NULL);
	struct dboutbox_stats stats;
	dboutbox_stats(outbox, &stats, sizeof(stats));
	printf("%lld\n", (long long)stats.pending);
	dboutbox_close(outbox);
}

int main(int argc, char **argv)
{
	CHECK(argc >= 4);
	const char *path = argv[2], *role = argv[3];
	long number = argc > 4 ? atol(argv[4]) : 0;
	int flush_ms = argc > 5 ? atoi(argv[5]) : 0;
	const struct dbpool_config config = { .size = sizeof(config),
		.conninfo = argv[1],
		.name = "outbox",
		.lazy = 1,
		.min = DBPOOL_OFF,
		/* a busy machine takes its time to open a connection */
		.connect_timeout_ms = 20000,
		.shutdown_ms = flush_ms ? 2 * flush_ms : 0 };
	if (strcmp(role, "full") == 0)
		mount_small_disk(path);
	CHECK(dbpool_start(&config) == DBPOOL_OK);
	if (strcmp(role, "write") == 0)
		keep_writing(path, number);
	else if (strcmp(role, "drain") == 0)
		drain(path);
	else if (strcmp(role, "power") == 0)
		lose_power(path, number);
	else if (strcmp(role, "full") == 0)
		fill_disk(path);
	else if (strcmp(role, "shutdown") == 0)
		shut_down(path, number, flush_ms);
	else
		CHECK(!"a role");
	return 0;
}
