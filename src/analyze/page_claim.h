/* Decides whether a stats page's claim on a session is credible. Pure.
 *
 * Anyone may have written the file of a page: it claims which session is its slot's, which process
 * that is, and whether it lives. The kernel is the evidence:
 *
 *  - It confirms the page if the page's process itself holds the client end; also if a forwarder is
 *    in between (the local proxy, or something that translates addresses on the way to the server)
 *    and the page's process holds a connection to that.
 *  - It contradicts the page if another living process holds the client end.
 *  - Otherwise it shows nothing. Then the session's application_name must end with /PID/SLOT: the
 *    client of the session sets it, and the writer of a page cannot.
 *
 * A page belongs to the owner of its file, so its process must be of that user. */
#ifndef ANALYZE_PAGE_CLAIM_H
#define ANALYZE_PAGE_CLAIM_H

#include "model/assessment.h"

enum page_claim {
	PAGE_CLAIM_IGNORED,      /* neither confirmed nor contradicted: not used */
	PAGE_CLAIM_CONTRADICTED, /* *ret_evidence says what contradicts it */
	PAGE_CLAIM_PROTECTS, /* it may prevent that the session is presumed leaked; *ret_evidence is
				set if it is contradicted as well */
	PAGE_CLAIM_BELIEVED,
};

struct page_claims;

/* In the assessment's arena. Call it after join_clients(),
 * join_bouncers() and join_proxy_mark(). */
struct page_claims *page_claims_new(const struct assessment *assessment)
	__attribute__((returns_nonnull));

/* The slot has this connection's backend by pid and start. *ret_declared is set if the page's
 * process is dead and the kernel shows nothing about the client end: then only the page shows that
 * it is gone. */
enum page_claim page_claim_judge(const struct page_claims *claims,
	const struct connection *connection, const struct pool_page *page,
	const struct pool_slot *slot, bool *ret_declared, const char **ret_evidence);

/* Whether the page's process holds the client end, as the kernel shows it, or the session's
 * application_name names the slot. */
bool page_claim_is_agreed(const struct page_claims *claims, const struct connection *connection,
	const struct pool_page *page, const struct pool_slot *slot);

#endif
