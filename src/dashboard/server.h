/* The dashboard of one server of the run: opened when a person asks for it, and kept. */
#ifndef DASHBOARD_SERVER_H
#define DASHBOARD_SERVER_H

#include <stddef.h>

struct dashboard;
struct display;

/* Opens it; its actions are carried out over this server's session alone. Never NULL. */
struct dashboard *server_open(struct display *display, size_t server);

/* The overview's dashboard: it has a screen, and no server. Never NULL. */
struct dashboard *server_open_overview(struct display *display);

/* The server has a new assessment. */
void server_assessed(struct dashboard *dashboard);

/* Prints the results of actions that are interrupted by quitting; the terminal must have been
 * restored. Frees it; NULL is allowed. */
void server_close(struct dashboard *dashboard);

#endif
