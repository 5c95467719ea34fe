/* w, --watch: the shutdown watch on the screen. */
#ifndef DASHBOARD_WATCH_PAGE_H
#define DASHBOARD_WATCH_PAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dashboard;
struct plan_session;
struct watch_page;

/* Never returns NULL. The dashboard must have its target, and outlive the result. */
struct watch_page *watch_page_new(struct dashboard *dashboard);

/* NULL is allowed here and below. The handles close in the loop's next iterations. */
void watch_page_free(struct watch_page *page);

/* Arms the watch for this process, replaces an earlier watch, and opens the screen. Returns 0 or
 * -ESRCH. */
int watch_page_arm(struct watch_page *page, int32_t pid);

/* The pid that is watched; 0 for none. */
int32_t watch_page_pid(const struct watch_page *page);

/* Whether the watch is armed or follows a shutdown. */
bool watch_page_is_busy(const struct watch_page *page);

/* Called when the target has a new assessment. */
void watch_page_assessed(struct watch_page *page);

/* The sessions that the application left; the caller frees them. */
struct plan_session *watch_page_left(const struct watch_page *page, size_t *ret_count);

#endif
