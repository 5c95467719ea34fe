/* What a stats page's claim on a session is worth. Pure.
 *
 * A page is a file that anybody may have written: which session is its slot's, whose process it is,
 * and whether that lives. The kernel is the evidence:
 *
 *  - It bears the page out when the page's process holds the client's end itself. Also when a
 *    forwarder is in between (the local proxy, or whatever changes addresses on the way to the
 *    server) and the page's process holds a connection to that.
 *  - It contradicts the page when another living process holds the client's end.
 *  - Else it is silent. Then the session's own word is needed: its application_name must end with
 *    /PID/SLOT, which the client of the session sets and the writer of a page cannot.
 *
 * A page belongs to the owner of its file, so its process must be one of that user's. */
#ifndef ANALYZE_PAGE_CLAIM_H
#define ANALYZE_PAGE_CLAIM_H

#include "model/assessment.h"

enum page_claim {
	PAGE_CLAIM_IGNORED,      /* neither borne out nor worth a word */
	PAGE_CLAIM_CONTRADICTED, /* *ret_evidence says by what */
	PAGE_CLAIM_PROTECTS,     /* it may keep the session from being presumed leaked; with
				  *ret_evidence when it is contradicted as well */
	PAGE_CLAIM_BELIEVED,
};

struct page_claims;

/* In the assessment's arena. After join_clients(), join_bouncers() and join_proxy_mark(). */
struct page_claims *page_claims_new(const struct assessment *assessment)
	__attribute__((returns_nonnull));

/* The slot names this connection's backend by pid and start. *ret_declared is set when the page's
 * process is dead and the kernel is silent on the client's end: then the page alone says that it is
 * gone. */
enum page_claim page_claim_judge(const struct page_claims *claims,
	const struct connection *connection, const struct pool_page *page,
	const struct pool_slot *slot, bool *ret_declared, const char **ret_evidence);

#endif
