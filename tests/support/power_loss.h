/* A disk that loses power: an SQLite VFS over the standard one. What was synced stays; of what was
 * written since, each write may or may not have reached the disk. */
#ifndef POWER_LOSS_H
#define POWER_LOSS_H

#include <stdbool.h>

/* Registers it as the default VFS: power goes after this many writes, truncations and syncs; −1:
 * never. `seed` decides which unsynced writes are lost. Files that were there before are as on the
 * disk. */
void power_loss_begin(long after, unsigned seed);

/* Whether the power is gone: all that is done with the files fails since then. */
bool power_loss_happened(void);

/* How many writes, truncations and syncs there were. */
long power_loss_count(void);

/* Writes to the files what would be on the disk now. No file may be open any more. The standard VFS
 * is the default again. */
void power_loss_end(void);

#endif
