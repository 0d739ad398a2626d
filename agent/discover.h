/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Registrars and proxies on this link by DNS-SD (RFC 8995 appendix B.2, DI-2).
 * Hints from anybody: whom to trust is the voucher's word alone.
 */
#ifndef AGENT_DISCOVER_H
#define AGENT_DISCOVER_H

#include "muster/span.h"

struct discovery;

enum discover_what { DISCOVER_FOUND, DISCOVER_GONE };
struct discovered {
	enum discover_what what;
	char base[128]; /* "https://address:port" */
};

/* wake: an eventfd that is written when something is waiting. MST_E_IO, MST_E_NOMEM. */
MST_MUST_USE mst_err discover_open(int wake, struct discovery **out);
void discover_close(struct discovery *d); /* NULL allowed */
/* The next event; false when there is none. */
bool discover_next(struct discovery *d, struct discovered *out);
const char *discover_why(void);

#endif
