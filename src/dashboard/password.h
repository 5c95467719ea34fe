/* The password that a server asks for, typed on the screen. */
#ifndef DASHBOARD_PASSWORD_H
#define DASHBOARD_PASSWORD_H

struct password;

/* Never returns NULL. */
struct password *password_new(void);
/* Wipes it. NULL is allowed. */
void password_free(struct password *password);

#endif
