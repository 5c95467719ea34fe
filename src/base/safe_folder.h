/* Folders in which root may create, write or remove files. */
#ifndef BASE_SAFE_FOLDER_H
#define BASE_SAFE_FOLDER_H

#include <stdbool.h>

/* What is returned for a folder that another user can write to: no call of the kernel fails so. */
#define SAFE_FOLDER_FOREIGN (-1000)

enum safe_folder_flags {
	SAFE_FOLDER_MAKE = 1,   /* missing folders are made, for us alone */
	SAFE_FOLDER_SHARED = 2, /* /tmp is fine: each user has files of their own in it */
};

/* Opens the folder for openat(), renameat() and unlinkat(). For root it is opened component by
 * component, and each must belong to root and be writable by root alone, or have the sticky bit
 * (the last one only with SAFE_FOLDER_SHARED). Otherwise another user could put a link in the place
 * of a file or of a folder, and root would write where that user cannot. For other users any folder
 * will do.
 *
 * Returns 0, SAFE_FOLDER_FOREIGN, or a negative errno. The caller closes *ret_fd. */
int safe_folder_open(const char *path, int flags, int *ret_fd) __attribute__((warn_unused_result));

/* The same for the folder in which the file at this path is. *ret_name points into path. */
int safe_folder_of(const char *path, int flags, int *ret_fd, const char **ret_name)
	__attribute__((warn_unused_result));

/* Opens a file for writing that was named by the user, an existing one emptied. For root:
 *  - In another user's folder this is done with that user's rights alone, and no link is followed.
 *  - In a folder like /tmp an existing file must be root's, and have no other name.
 *  - In a folder of root's that others can write to without the sticky bit it is refused.
 * Returns a descriptor, SAFE_FOLDER_FOREIGN, or a negative errno. */
int safe_folder_create(const char *path) __attribute__((warn_unused_result));

#endif
