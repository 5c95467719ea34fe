/* Files to which whole lines are appended, and that several programs may share: the audit log, and
 * dbtop's own log. */
#ifndef BASE_JOURNAL_H
#define BASE_JOURNAL_H

#include <stdbool.h>
#include <stdint.h>

struct journal_options {
	int64_t size_max;  /* the size in bytes at which the file is renamed to PATH.1 */
	bool make_folders; /* create missing folders of the path, with mode 0700 */
	bool strict;       /* only a regular file, not a symbolic link; else any writable file */
};

/* Appends the line and a line break in one write(). The file is opened for each line, so that it
 * can be moved or removed at any time; it is created with mode 0600. If a full disk has cut a line
 * short, the next one still begins on a new line. The program must ignore SIGXFSZ.
 *
 * Root creates, writes and moves a file only in a folder that no other user can write to
 * (base/safe_folder.h). Returns 0, SAFE_FOLDER_FOREIGN, or a negative errno: -ENOTSUP when `strict`
 * is set and the file is not a regular file. */
int journal_append(const char *path, const char *line, const struct journal_options *options)
	__attribute__((warn_unused_result));

/* Opens the file as journal_append() does, for a program that writes to it itself. A file that is
 * too large is renamed first. The caller closes *ret_fd; *ret_size is the file's size. */
int journal_open(const char *path, const struct journal_options *options, int *ret_fd,
	int64_t *ret_size) __attribute__((warn_unused_result));

/* Like strerror(), for the errors of these functions and of base/writer.h. */
const char *journal_strerror(int error);

#endif
