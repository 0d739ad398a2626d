/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an update is fetched from: HTTPS by ranges (RFC 9110 14) or CoAPS by
 * blocks (RFC 7959), a part at a time, to be taken up again wherever it broke
 * off. The device shows its LDevID; the server must chain to the anchors and
 * bear the name in the URI (RFC 9525). What arrives is believed because the
 * manifest has its digest, never because of where it came from.
 */
#ifndef AGENT_UPDATE_FETCH_H
#define AGENT_UPDATE_FETCH_H

#include "agent/coaps.h"
#include "host/cert.h"
#include "host/http.h"

#define UPDATE_PART (128 * 1024) /* bytes of one request over HTTPS */

/* Who asks, and whom it believes to be the server. Borrowed while a source is open. */
struct update_client {
	const struct anchors *anchors;
	X509 *cert;
	EVP_PKEY *key;
	const STACK_OF(X509) *chain; /* behind cert; NULL for none */
	struct mst_clock clock; /* for certificates over CoAPS */
	unsigned coap_block, coap_fragment; /* as in struct coaps_options */
	unsigned attempts; /* for each part before it is given up; 0: 3 */
	unsigned pause_ms; /* before the second attempt, doubled for the next; 0: 1000 */
};

struct update_source;

/*
 * Nothing is sent before the first read. base: the manifest's own URI, for
 * relative references (sheet suit.md 19); NULL: none. *offset is where to
 * begin, and may be lowered. MST_E_URL, MST_E_UPDATE_SCHEME, MST_E_NOMEM.
 */
MST_MUST_USE mst_err update_source_open(const struct update_client *who, const char *base,
    mst_span uri, uint64_t *offset, struct update_source **out);

/*
 * Append what comes next, as far as there is room; nothing more at the end.
 * MST_E_SUIT_INTERRUPTED: the server is away, and going on later is possible.
 * For good: MST_E_UPDATE_SERVER, _STATUS, _CHANGED, _RANGES,
 * MST_E_HTTP_MALFORMED. update_fetch_why() has words.
 */
MST_MUST_USE mst_err update_source_read(struct update_source *s, struct mst_buf *block);

void update_source_close(struct update_source *s); /* NULL allowed */
const char *update_fetch_why(void);

#endif
