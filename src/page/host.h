/* Says whether the process that wrote a stats page is alive. */
#ifndef PAGE_HOST_H
#define PAGE_HOST_H

#include <stdbool.h>
#include <stdint.h>

#include "page/layout.h"

/* The reading machine and process: they decide which processes can be seen to be alive or dead. */
struct page_host {
	char boot_id[PAGE_BOOT_MAX];
	char hostname[PAGE_HOST_MAX];
	char machine[PAGE_MACHINE_MAX]; /* as in the page */
	uint64_t pid_namespace;         /* 0 unknown */
	uint64_t time_namespace;        /* 0 unknown, or the kernel has none */
	bool own_proc;                  /* /proc is of our pid namespace */
	char proc[64];                  /* the path of /proc */
};

/* Describes this machine, from /proc at `proc` ("/proc"). What cannot be read stays empty, and then
 * no owner is proven dead. */
void page_host_read(const char *proc, struct page_host *ret);

enum page_owner {
	PAGE_OWNER_UNKNOWN, /* not visible from here, or hidden */
	PAGE_OWNER_ALIVE,
	PAGE_OWNER_DEAD, /* certain: the process does not exist, its pid was reused, or the same
			    host has been rebooted */
};

/* Returns whether the process that wrote the page is alive. */
enum page_owner page_owner(const struct page_host *host, const struct page_identity *identity);

/* Whether the page was written on this machine since it was booted. */
bool page_is_same_boot(const struct page_host *host, const struct page_identity *identity);

/* When a process started, in ticks after boot. `process` is a pid or "self". 0 when it cannot be
 * read. */
uint64_t page_start_ticks(const char *proc, const char *process);

#endif
