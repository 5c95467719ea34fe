/* The password that a server asks for, typed into the screen. */
#ifndef DASHBOARD_PASSWORD_H
#define DASHBOARD_PASSWORD_H

#include <stdbool.h>
#include <stddef.h>

struct dashboard;
struct key_event;

#define PASSWORD_MAX 1024 /* bytes; what is typed beyond is not taken */

struct password {
	char text[PASSWORD_MAX]; /* wiped as soon as it was given away */
	size_t length;
	bool declined; /* Esc: not asked for again until W */
};

/* Opens the page when the server waits for a password, unless it was declined. */
void password_ask(struct dashboard *dashboard);

/* The page's own keys; false for those that are everybody's. */
bool password_press(struct dashboard *dashboard, const struct key_event *event);

#endif
