/* Writes the seeds of a target with the code that writes what it reads, or with the kernel's and
 * libpq's own structures: a seed of an older layout cannot stay behind.
 * Usage: make_seeds TARGET FOLDER */
#include "make_seeds.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "fuzz.h"

void seed_write(const char *folder, const char *name, const void *bytes, size_t size)
{
	CLEANUP(cleanup_free) char *path = mem_printf("%s/%s", folder, name);
	/* made anew, so that the folder is as new as its files */
	(void)unlink(path);
	CLEANUP(cleanup_file) FILE *file = fopen(path, "wbe");
	MUST(file && fwrite(bytes, 1, size, file) == size && fflush(file) == 0);
}

static const struct {
	const char *target;
	void (*make)(const char *folder);
} makers[] = {
	{ "activity", seeds_activity },
	{ "nat", seeds_nat },
	{ "netlink", seeds_netlink },
	{ "page", seeds_page },
	{ "replay", seeds_replay },
};

int main(int argc, char **argv)
{
	for (size_t i = 0; argc == 3 && i < sizeof(makers) / sizeof(makers[0]); i++) {
		if (strcmp(makers[i].target, argv[1]) != 0)
			continue;
		(void)mkdir(argv[2], 0777);
		makers[i].make(argv[2]);
		return 0;
	}
	fprintf(stderr, "usage: %s TARGET FOLDER\n", argv[0]);
	return 1;
}
