/* P: start and restart of the local proxy, planned, confirmed, carried out. */
#ifndef DASHBOARD_PROXY_PAGE_H
#define DASHBOARD_PROXY_PAGE_H

#include <stdbool.h>

#include "model/launch.h"

struct dashboard;
struct proxy_page;

/* Never NULL. The dashboard has its target and its audit log, and outlives it. */
struct proxy_page *proxy_page_new(struct dashboard *dashboard);

/* Whether there would be a plan; false for NULL. */
bool proxy_page_can(const struct proxy_page *page, enum launch_kind kind);

/* Opens the plan's page; or says on the proxy's page why there is none. */
void proxy_page_plan(struct proxy_page *page, enum launch_kind kind);

/* Carries out what the plan's page shows. */
void proxy_page_confirm(struct proxy_page *page);

/* What came of a launch that is left in the midst: on the terminal, in the log and in the audit
 * log. */
void proxy_page_report_interrupted(struct proxy_page *page);

/* What was started lives on. The handles close in the loop's next turns; NULL is allowed. */
void proxy_page_free(struct proxy_page *page);

#endif
