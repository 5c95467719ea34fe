/* The network namespaces of this machine's processes. */
#ifndef PROC_NAMESPACES_H
#define PROC_NAMESPACES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct procfs;

/* A network namespace. */
struct namespaces_network {
	uint64_t id;    /* its inode; 0: it cannot be read */
	int32_t pid;    /* of the process in it with the lowest pid */
	uint64_t files; /* the inode of its /proc/PID/net/tcp, which everybody may see; it differs
			   between the namespaces that exist at one time; 0: not known */
};

struct namespaces {
	/* by rising id, our own among them: those that cannot be read come first, each as often as
	 * there are processes in them */
	struct namespaces_network *networks;
	size_t count;
};

/* Lists the network namespaces in which the tree's processes live: one system call for each
 * process. Returns 0 or, if the root cannot be read, a negative errno. */
int namespaces_list(const struct procfs *procfs, struct arena *arena, struct namespaces *ret)
	__attribute__((warn_unused_result));

#endif
