/* Reads a whole file that a user wrote. */
#ifndef CONFIG_FILE_H
#define CONFIG_FILE_H

#include <stdbool.h>
#include <stddef.h>

struct config_error;

/* Whose file it was that was read. */
struct file_trust {
	bool is_ours;     /* its owner is our effective user, or root */
	bool is_writable; /* others than its owner may write to it */
};

/* Never blocks, and reads 1 MiB at most. *ret_text is not terminated; the caller frees it. Returns
 * 0, or a negative errno with the error filled in: -EINVAL if it is not a regular file, -EFBIG if
 * it is larger. */
int file_read(const char *path, char **ret_text, size_t *ret_len, struct file_trust *ret_trust,
	struct config_error *ret_error) __attribute__((warn_unused_result));

#endif
