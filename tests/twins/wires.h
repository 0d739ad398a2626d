/* SPDX-License-Identifier: Apache-2.0 */
/* The same connection and the same request, over either wire. */
#ifndef TESTS_TWINS_WIRES_H
#define TESTS_TWINS_WIRES_H

#include "tests/twins/twins.h"
#include "tests/unit/net/support_coap.h"

struct link {
	enum wire wire;
	struct client tls;
	struct coap_client dtls;
};
/* False: no connection. client NULL: without certificate. */
bool link_open(struct link *l, enum wire wire, int port, const struct id *client);
void link_close(struct link *l);
/* What this client calls the binding of this connection (est.md L3, L4), written apart from the
 * server's. */
mst_span link_binding(const struct link *l, struct arena *a);

struct link_ask {
	const char *path; /* of its wire */
	const char *type, *accept; /* media types; NULL: none */
	mst_span body;
};
/* status, wait and body of *v. */
void link_ask(struct link *l, const struct link_ask *q, struct twin_verdict *v);
/* Is another request answered? It is given so long where no answer is a silence. */
bool link_lives(struct link *l, long patience_ms);

#endif
