/* Reads a whole file that a user wrote. */
#ifndef CONFIG_FILE_H
#define CONFIG_FILE_H

#include <stddef.h>

struct config_error;

/* Never blocks, and reads 1 MiB at most. *ret_text is not terminated; the caller frees it. Returns
 * 0, or a negative errno with the error filled in: -EINVAL if it is not a regular file, -EFBIG if
 * it is larger. */
int file_read(const char *path, char **ret_text, size_t *ret_len, struct config_error *ret_error)
	__attribute__((warn_unused_result));

#endif
