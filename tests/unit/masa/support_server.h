/* SPDX-License-Identifier: Apache-2.0 */
/* A whole MASA on loopback: key process, database, TLS listener, and a client for it. */
#ifndef TESTS_MASA_SERVER_H
#define TESTS_MASA_SERVER_H

#include "server/masa/masa.h"
#include "server/store/store_device.h"
#include "tests/unit/masa/support_world.h"

struct server {
	struct arena *a;
	char dir[64];
	struct id voucher_ca, short_id, long_id, tls;
	struct keys *keys;
	struct store *store;
	struct net *net;
	struct masa *masa, *strict,
	    *slow; /* strict: two requests a minute; slow: one wrong password */
	int port, strict_port, slow_port;
	pthread_t thread;
};
extern struct server server;
void server_start(void);
void server_stop(void);

struct ask {
	const char *path; /* NULL: requestvoucher */
	const char *type, *accept;
	mst_span body;
	const struct id *client; /* TLS client certificate */
	const char *user_password;
	int port; /* 0: the ordinary one */
	const char *method;
};
struct got {
	int status;
	mst_span body;
	char type[128], retry_after[32], authenticate[128];
};
struct got ask(struct arena *a, const struct ask *q);
/* The world's request to the server, with its media and accept. */
struct got ask_world(struct world *w, const struct ask *more);

/* Customers and state of device 0 become those of the world; ids of customers are put right in w.
 */
void server_be(struct world *w);
/* Entries of the device in the log. */
size_t server_log(const char *serial, struct arena *a, struct masa_entry **entries);
size_t server_log_count(const char *serial);
void server_write(store_job job, void *arg);
/* Every row of the trail, what is still on its way included. */
size_t server_trail(struct arena *a, struct trail **rows);

#endif
