/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pledge engine under any sequence of events. The input is a list of
 * instructions, one for each step: let the honest event through, or bend it
 * first (another kind, status, time, media or body). The world of the
 * simulator watches what must hold whatever happens.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit/pledge/support_world.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct script {
	const uint8_t *p;
	size_t left;
};

static uint8_t
next(struct script *s)
{
	if (s->left == 0)
		return 0;
	s->left--;
	return *s->p++;
}

static void
bend_kind(struct world *w, uint8_t how)
{
	struct mst_pledge_event was = w->ev;

	w->ev = world_event(w, (enum mst_pledge_event_kind)(how % (MST_EV_STORED + 1)));
	w->ev.status = was.status;
	w->ev.peer = how / 16;
	if (w->ev.kind == MST_EV_CONNECTED)
		w->ev.chain = world_chain(w, w->peer[w->on]);
	if (w->ev.kind == MST_EV_FAILED)
		w->up = false;
}

/* What a network or a hostile peer can do to an event; what flash says is beyond it. */
static void
bend(struct world *w, struct script *s)
{
	static const int statuses[] = { 0, 200, 202, 204, 301, 401, 403, 404, 503, 999 };
	uint8_t op = next(s);

	if (op < 128 || w->ev.kind == MST_EV_STORED || w->ev.kind == MST_EV_FAILED)
		return;
	switch (op % 8) {
	case 0: bend_kind(w, next(s)); return;
	case 1: w->ev.status = statuses[next(s) % (sizeof(statuses) / sizeof(statuses[0]))]; return;
	case 2: w->ev.retry_after = (int8_t)next(s); return;
	case 3: {
		uint8_t which = next(s);

		w->ev.media = (enum mst_media)(which % 4);
		w->ev.form = (enum mst_form)(which / 4 % (MST_FORM_OTHER + 1));
		return;
	}
	case 4:
		w->mono += (int64_t)next(s) * next(s);
		w->ev.mono = w->mono;
		return;
	case 5: /* a body of the script's own */
		w->ev.body.len = next(s);
		if (w->ev.body.len > s->left)
			w->ev.body.len = s->left;
		w->ev.body.ptr = s->p;
		s->p += w->ev.body.len;
		s->left -= w->ev.body.len;
		return;
	case 6:
		if (w->ev.body.ptr == w->body && w->ev.body.len > 0)
			w->body[next(s) % w->ev.body.len] ^= next(s);
		return;
	default: w->clock = (struct mst_clock){ (enum mst_clock_trust)(next(s) % 3), 1795424400 };
	}
}

static void
must(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "breach: %s\n", what);
	abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct world w;
	struct script s = { data, size };
	enum peer_kind peers[3];
	uint8_t shape;

	for (int i = 0; i < 3; i++)
		peers[i] = (enum peer_kind)(next(&s) % PEER_KINDS);
	shape = next(&s);
	world_init(&w, peers, 1 + shape % 3);
	w.constrained = shape / 3 % 3 != 0;
	w.pin_ra = shape / 3 % 3 == 2;
	w.voucher_202 = next(&s) % 3;
	w.enroll_202 = next(&s) % 3;
	world_boot(&w);
	for (int steps = 0; s.left > 0 && !w.done && steps < 3000; steps++) {
		bend(&w, &s);
		if (w.ev.kind == MST_EV_RESPONSE && w.ev.status == 202)
			w.pvr_pending = true;
		world_step(&w);
		must(w.bad == 0, w.bad_why);
		must(w.act.peer < MST_PLEDGE_PEERS_MAX, "peer out of range");
		must(w.act.kind != MST_ACT_SEND || !w.p.provisional ||
		         w.act.resource == MST_RES_REQUESTVOUCHER ||
		         w.act.resource == MST_RES_VOUCHER_STATUS,
		    "EST on a provisional connection");
		must(w.act.kind != MST_ACT_CONNECT ||
		         (w.act.identity == MST_IDENTITY_IDEVID) == !w.flash.enrolled,
		    "wrong identity");
	}
	if (w.flash.enrolled && w.done && s.left > 64) { /* go on as a renewal */
		w.renew_due = true;
		w.new_ca = w.constrained && next(&s) % 2 == 1;
		world_boot(&w);
		for (int steps = 0; s.left > 0 && !w.done && steps < 3000; steps++) {
			bend(&w, &s);
			world_step(&w);
			must(w.bad == 0, w.bad_why);
		}
	}
	return 0;
}
