/* Keeps pools that crash again and again from filling the folder with their pages. */
#ifndef DBPAGE_PRUNE_H
#define DBPAGE_PRUNE_H

/* Removes the oldest page of a dead process with this name if there are 64 such pages or more. A
 * failure is no error. folder: as for page_writer_new(). */
void prune(const char *folder, const char *name);

#endif
