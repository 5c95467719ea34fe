/* Folders in which root may create, write or remove files. */
#ifndef BASE_SAFE_FOLDER_H
#define BASE_SAFE_FOLDER_H

#include <stdbool.h>

/* Returned for a folder that another user can write to. No system call fails with this number. */
#define SAFE_FOLDER_FOREIGN (-1000)

enum safe_folder_flags {
	SAFE_FOLDER_MAKE = 1,   /* create missing folders, with mode 0700 */
	SAFE_FOLDER_SHARED = 2, /* accept folders like /tmp, in which each user has own files */
};

/* Opens the folder for openat(), renameat() and unlinkat(). For root it is opened component by
 * component. Each component must belong to root and be writable by root alone, or have the sticky
 * bit (the last one only with SAFE_FOLDER_SHARED). Otherwise another user could replace a file or a
 * folder by a link, and root would write where that user cannot. For other users any folder is
 * accepted.
 *
 * Returns 0, SAFE_FOLDER_FOREIGN, or a negative errno. The caller closes *ret_fd. */
int safe_folder_open(const char *path, int flags, int *ret_fd) __attribute__((warn_unused_result));

/* The same for the folder that contains the file at this path. *ret_name points into path. */
int safe_folder_of(const char *path, int flags, int *ret_fd, const char **ret_name)
	__attribute__((warn_unused_result));

/* Opens a file that the user named for writing; empties an existing one. For root:
 * - In another user's folder, only that user's rights are used, and no link is followed.
 * - In a folder like /tmp, an existing file must belong to root and have no other name.
 * - In a folder of root's that others can write to, and that has no sticky bit, it is refused.
 *
 * Returns a descriptor, SAFE_FOLDER_FOREIGN, or a negative errno. */
int safe_folder_create(const char *path) __attribute__((warn_unused_result));

#endif
