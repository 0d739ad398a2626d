/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A datagram at the CoAP discovery port: the first byte says how it came in.
 * Multicast never gets an error; whatever is answered is CoAP that we read.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "host/discovery/disco_coap.h"
#include "muster/linkformat.h"

#define MUST(condition) ((condition) ? (void)0 : abort())

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
answer_holds(const struct mst_buf *out, const struct disco_message *asked)
{
	static struct disco_message m;
	struct mst_link_reader r;
	struct mst_link l;

	MUST(disco_message_read(mst_buf_span(out), &m) == MST_OK);
	MUST(m.type == MST_COAP_RST ||
	     (m.token_len == asked->token_len && memcmp(m.token, asked->token, m.token_len) == 0));
	mst_link_init(&r, mst_span_of(m.payload, m.payload_len));
	while (mst_link_next(&r, &l))
		;
	MUST(mst_link_end(&r) == MST_OK);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct disco_message m;
	static uint8_t room[DISCO_DATAGRAM];
	struct in6_addr link_local = { .s6_addr = { 0xfe, 0x80, [15] = 1 } };
	struct in6_addr global = { .s6_addr = { 0x20, 1, [15] = 1 } };
	struct disco_offer offers[] = { { DISCO_PROXY_COAPS, true, { { { 0 } } }, 8485 },
		{ DISCO_REGISTRAR_COAPS, true, { { { 0 } } }, 5684 },
		{ DISCO_REGISTRAR_JPY, true, { { { 0 } } }, 7634 } };
	struct mst_buf out = MST_BUF(room);
	struct disco_scene s = { .offers = offers };
	enum disco_verdict v;

	if (size == 0)
		return 0;
	s.multicast = (data[0] & 1) != 0;
	s.link_local = (data[0] & 2) != 0;
	s.own_link_local = (data[0] & 4) != 0 ? &link_local : NULL;
	s.own_global = (data[0] & 8) != 0 ? &global : NULL;
	s.offer_count = (data[0] >> 4) % 4;
	v = disco_judge(&s, mst_span_of(data + 1, size - 1), 7, &m, &out);
	if (v == DISCO_REFUSE || v == DISCO_RESET)
		MUST(!s.multicast);
	if (v == DISCO_ANSWER || v == DISCO_REFUSE || v == DISCO_RESET)
		answer_holds(&out, &m);
	return 0;
}
