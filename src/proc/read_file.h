/* Reads a small file of /proc. */
#ifndef PROC_READ_FILE_H
#define PROC_READ_FILE_H

#include <stddef.h>
#include <sys/types.h>

/* Reads at most size − 1 bytes and adds a zero byte. `path` is relative to the folder. Returns
 * their number, -ESRCH if there is no such file, or a negative errno. */
ssize_t read_file(int folder, const char *path, char *bytes, size_t size);

#endif
