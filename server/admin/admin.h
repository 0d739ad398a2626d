/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an operator may do, by verbs over the control channel (host/control.h
 * has the lines' form). One thread per connection, a few at most; everything
 * goes through the store's writer and the key process like any other request.
 */
#ifndef SERVER_ADMIN_H
#define SERVER_ADMIN_H

#include "server/ca/ca.h"
#include "server/net/net.h"
#include "server/store/store_device.h"
#include "server/store/store_masa.h"

struct admin_config {
	struct store *store;
	struct keys *keys;
	struct net *net;
	struct ca *ca; /* NULL: no CA here */
	struct ca_loop *ca_loop; /* of loop 0; NULL likewise */
	const char *roles; /* "registrar masa", for status */
	const char *idevid_slot; /* NULL: issues no IDevIDs */
	const char *masa_url, *organization;
	void (*reload)(void *arg); /* customers or manufacturers changed; or NULL */
	void *reload_arg;
	mst_err (*password_hash)(struct arena *a, mst_span password, const char **out);
};

struct admin;
MST_MUST_USE mst_err admin_new(const struct admin_config *c, struct admin **out);
/* Ends its threads. */
void admin_free(struct admin *a);
/* Listen on a UNIX socket (0600; callers must be root or the daemon's own user). MST_E_IO. */
MST_MUST_USE mst_err admin_listen(struct admin *a, const char *path);
/*
 * Carry a channel to the daemon that listens on path, until either side ends.
 * MST_E_NOT_FOUND: nobody listens there.
 */
MST_MUST_USE mst_err admin_relay(const char *path, int in, int out);
/* Serve one channel until its input ends: musterd --admin. */
void admin_serve(struct admin *a, int in, int out);

#endif
