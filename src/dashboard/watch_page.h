/* w, --watch: the shutdown watch on the screen. */
#ifndef DASHBOARD_WATCH_PAGE_H
#define DASHBOARD_WATCH_PAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dashboard;
struct plan_session;
struct watch_page;

/* Never NULL. The dashboard has its target, and outlives it. */
struct watch_page *watch_page_new(struct dashboard *dashboard);

/* NULL is allowed here and below. The handles close in the loop's next turns. */
void watch_page_free(struct watch_page *page);

/* Arms the watch on this process, in the place of the one before, and opens its page. Returns 0 or
 * -ESRCH. */
int watch_page_arm(struct watch_page *page, int32_t pid);

/* The process that is watched; 0 for none. */
int32_t watch_page_pid(const struct watch_page *page);

/* It waits for an end, or watches one. */
bool watch_page_is_busy(const struct watch_page *page);

/* The target has a new assessment. */
void watch_page_assessed(struct watch_page *page);

/* The sessions that the application left; the caller frees them. */
struct plan_session *watch_page_left(const struct watch_page *page, size_t *ret_count);

#endif
