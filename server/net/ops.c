/* SPDX-License-Identifier: Apache-2.0 */
/* What operators and their tools ask a daemon, on a loopback listener of its own. */
#include <stdlib.h>

#include "host/metrics.h"
#include "server/net/net_internal.h"

#define TEXT "text/plain; charset=utf-8"
#define METRICS_TYPE "text/plain; version=0.0.4; charset=utf-8"

static void
answer_metrics(struct net_request *rq, void *arg)
{
	const struct net_ops *o = arg;
	size_t need, n, cap;
	char *text;

	if (o->refresh != NULL)
		o->refresh(o->arg);
	need = metrics_text(NULL, 0);
	/* Series may be born between the two calls; ask once more then. */
	for (int i = 0; i < 3; i++) {
		cap = need + 4096;
		/* The whole text can be more than an arena may hold. */
		if ((text = malloc(cap)) == NULL ||
		    (text = arena_own(rq->arena, text, free)) == NULL)
			break;
		n = metrics_text(text, cap);
		if (n <= cap) {
			net_reply(rq, 200, METRICS_TYPE, mst_span_of(text, n), NULL, 0);
			return;
		}
		need = n;
	}
	net_refuse(rq, STEP_HTTP, MST_E_NOMEM, "the metrics do not fit");
}

static void
answer_alive(struct net_request *rq, void *arg)
{
	(void)arg;
	net_reply(rq, 200, TEXT, MST_LIT("alive\n"), NULL, 0);
}

/* 503 with the reason in words: for the balancer the number, for the person the words. */
static void
answer_ready(struct net_request *rq, void *arg)
{
	const struct net_ops *o = arg;
	char words[256] = "ready";
	bool ready = o->ready == NULL || o->ready(o->arg, words, sizeof words);
	const char *text = arena_printf(rq->arena, "%s\n", words);
	const struct net_header wait = { "Retry-After", "5" };

	net_reply(rq, ready ? 200 : 503, TEXT, mst_span_str(text), &wait, ready ? 0 : 1);
}

void
net_ops_routes(struct net_ops *ops, struct net_route routes[NET_OPS_ROUTES])
{
	const unsigned get = 1U << NET_GET;

	routes[0] = (struct net_route){ "/metrics", get, answer_metrics, ops };
	routes[1] = (struct net_route){ "/healthz", get, answer_alive, ops };
	routes[2] = (struct net_route){ "/readyz", get, answer_ready, ops };
}
