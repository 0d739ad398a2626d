/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CoRE link-format (RFC 6690) without allocation: what a join proxy and a
 * registrar answer to /.well-known/core. The reader holds to the grammar of
 * RFC 6690 2, with what requirements DI-6 asks for: attributes nobody knows
 * are passed over, a number may be bare or quoted, an attribute's value may be
 * empty ("var="), there may be several links. Whitespace stands only within
 * quotes. "rt", "if", "sz" (RFC 6690 3) and "brski-jp" twice in one link are
 * refused: two readers would disagree. UTF-8 is not looked at (RFC 6690 2).
 * Spans handed out point into the input. The one error is MST_E_LINKFORMAT.
 */
#ifndef MUSTER_LINKFORMAT_H
#define MUSTER_LINKFORMAT_H

#include "muster/span.h"

/*
 * Codepoints. draft-ietf-anima-constrained-join-proxy-20 8.1, 8.2 and
 * draft-ietf-anima-constrained-voucher-31 16.1, both seen 2026-11-23.
 */
#define MST_LINK_JP "brski-jp" /* join-port; was rt=brski.jp up to -19 */
#define MST_LINK_RT_REGISTRAR "brski" /* coaps://: stateful */
#define MST_LINK_RT_JPY "brski.rjp" /* jpy://: stateless */
#define MST_LINK_COAPS_PORT 5684 /* RFC 7252 12.7: what coaps:// without a port means */
#define MST_LINK_CF 40 /* RFC 7252 12.3: application/link-format */

struct mst_link_reader {
	mst_span in;
	size_t at;
	mst_err err;
	bool more; /* a comma was read */
};

struct mst_link {
	mst_span target; /* between < and > */
	mst_span params; /* ";rt=..." up to the next link; well-formed */
};

struct mst_link_value {
	mst_span raw; /* without the quotes, escapes still in it; empty where none is given */
	bool quoted;
};

void mst_link_init(struct mst_link_reader *r, mst_span in);
/* The next link; false at the end and at an error, which mst_link_end() tells apart. */
bool mst_link_next(struct mst_link_reader *r, struct mst_link *out);
MST_MUST_USE mst_err mst_link_end(const struct mst_link_reader *r);

/* The first attribute of that name (names: letter case counts). */
bool mst_link_attr(const struct mst_link *l, mst_span name, struct mst_link_value *out);
/* The value, escapes undone, is text, byte by byte. */
bool mst_link_value_is(const struct mst_link_value *v, mst_span text);
/* "8485" or "\"8485\"": 1 to 65535, digits alone. MST_E_NOT_FOUND without the attribute. */
MST_MUST_USE mst_err mst_link_port(const struct mst_link *l, mst_span name, uint16_t *port);
/*
 * RFC 6690 4.1: "rt=brski", "brski-jp=*", "href=/b*", with percent-encoding
 * already undone as CoAP's Uri-Query has it (RFC 7252 6.4). Of rt, if and rel
 * each word counts. An empty query matches all; one without "=" matches none.
 */
bool mst_link_matches(const struct mst_link *l, mst_span query);

/*
 * "coaps://[2001:db8::1]:5684/b", "jpy://[2001:db8::1]:7634": where a
 * registrar is. Only IP literals: nobody asks DNS because of a datagram.
 * MST_E_LINKFORMAT for userinfo, a name, a zone, a port that is none.
 */
struct mst_link_place {
	mst_span scheme;
	mst_span address; /* "2001:db8::1" or "192.0.2.1": its characters are checked, no more */
	bool v6;
	uint16_t port; /* 0: not given */
	mst_span path; /* "" or "/..." */
};
MST_MUST_USE mst_err mst_link_place(mst_span uri, struct mst_link_place *out);

/*
 * The writer latches. Targets and names must be well-formed, which is checked
 * (MST_E_LINKFORMAT); MST_E_SPACE leaves in out what came before.
 */
struct mst_link_writer {
	struct mst_buf *out;
	mst_err err;
	bool any;
};
void mst_link_put_init(struct mst_link_writer *w, struct mst_buf *out);
void mst_link_put(struct mst_link_writer *w, mst_span target); /* begins a link */
/* Bare where ptoken allows that, else quoted; control characters are refused. */
void mst_link_put_attr(struct mst_link_writer *w, mst_span name, mst_span value);
void mst_link_put_number(struct mst_link_writer *w, mst_span name, uint32_t value);
void mst_link_put_copy(struct mst_link_writer *w, const struct mst_link *l);
MST_MUST_USE mst_err mst_link_put_end(const struct mst_link_writer *w);

#endif
