/* The makers of seeds, one a target: each writes all its seeds into the folder. */
#ifndef TESTS_MAKE_SEEDS_H
#define TESTS_MAKE_SEEDS_H

#include <stddef.h>

void seed_write(const char *folder, const char *name, const void *bytes, size_t size);

void seeds_activity(const char *folder);
void seeds_nat(const char *folder);
void seeds_netlink(const char *folder);
void seeds_page(const char *folder);
void seeds_replay(const char *folder);

#endif
