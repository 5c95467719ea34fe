/* A file that somebody wrote for us, whole. */
#ifndef CONFIG_FILE_H
#define CONFIG_FILE_H

#include <stddef.h>

struct config_error;

/* Never hangs, and reads 1 MiB at most. *ret_text is not terminated, and the caller's to free.
 * Returns 0, or a negative errno with the error filled in: -EINVAL for what is no regular file,
 * -EFBIG for a larger one. */
int file_read(const char *path, char **ret_text, size_t *ret_len, struct config_error *ret_error)
	__attribute__((warn_unused_result));

#endif
