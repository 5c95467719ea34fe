/* Which key does what on which page. */
#ifndef DASHBOARD_KEYMAP_H
#define DASHBOARD_KEYMAP_H

#include <stddef.h>

#include "view/ui.h"

struct dashboard;
struct key_event;

/* The key bar's and the help's table, made from the same rows. */
const struct key_help *keymap_help(size_t *ret_count);

/* Does what the key means on the page on top, or the click where it was; nothing when it means
 * nothing there. */
void keymap_press(struct dashboard *dashboard, const struct key_event *event);

#endif
