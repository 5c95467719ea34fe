/* The names of users, each looked up once. */
#ifndef PROC_USERS_H
#define PROC_USERS_H

#include <stdint.h>

struct users;

struct users *users_new(void) __attribute__((returns_nonnull));

/* NULL is allowed. */
void users_free(struct users *users);

/* The user's name, clean; the number if there is no such user. Valid until users_free(). May block
 * in the system's user database. */
const char *users_name(struct users *users, uint32_t uid) __attribute__((returns_nonnull));

#endif
