/* The password that a server asks for, typed on the screen. */
#ifndef DASHBOARD_PASSWORD_H
#define DASHBOARD_PASSWORD_H

#include <stdbool.h>
#include <stddef.h>

struct dashboard;
struct key_event;

#define PASSWORD_MAX 1024 /* bytes; further input is ignored */

struct password {
	char text[PASSWORD_MAX]; /* wiped as soon as it was passed on */
	size_t length;
	bool declined; /* Esc: not asked again until W */
};

/* Opens the screen if the server waits for a password, unless the user declined. */
void password_ask(struct dashboard *dashboard);

/* The screen's own keys; returns false for keys that work everywhere. */
bool password_press(struct dashboard *dashboard, const struct key_event *event);

#endif
