/* Cleanup attributes: a local variable is freed or closed when its scope ends. */
#ifndef BASE_CLEANUP_H
#define BASE_CLEANUP_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* CLEANUP(cleanup_fd) int fd = open(…); */
#define CLEANUP(function) __attribute__((cleanup(function)))

static inline void cleanup_free(void *p)
{
	free(*(void **)p);
}

/* Closes unless negative. */
static inline void cleanup_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline void cleanup_file(FILE **file)
{
	if (*file)
		fclose(*file);
}

static inline void cleanup_dir(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

#endif
