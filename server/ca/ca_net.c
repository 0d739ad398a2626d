/* SPDX-License-Identifier: Apache-2.0 */
/* A net_loop as host of a ca_loop. */
#include "server/ca/ca.h"
#include "server/net/net.h"

static void
post(void *post_arg, void (*fn)(void *), void *fn_arg)
{
	net_post(post_arg, fn, fn_arg);
}

static void *
after(void *post_arg, long ms, void (*fn)(void *), void *fn_arg)
{
	return net_after(post_arg, ms, fn, fn_arg);
}

static void
cancel(void *handle)
{
	net_cancel(handle);
}

mst_err
ca_loop_new_net(struct ca *ca, struct net_loop *l, struct ca_loop **out)
{
	struct ca_host host = { .base = net_loop_base(l),
		.post = post,
		.post_arg = l,
		.after = after,
		.cancel = cancel };

	return ca_loop_new(ca, &host, out);
}
