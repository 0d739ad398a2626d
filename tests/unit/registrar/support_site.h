/* SPDX-License-Identifier: Apache-2.0 */
/* A whole registrar on loopback with a MASA that does what a test tells it to. */
#ifndef TESTS_REGISTRAR_SITE_H
#define TESTS_REGISTRAR_SITE_H

#include <pthread.h>
#include <stdatomic.h>

#include "server/registrar/registrar.h"
#include "tests/unit/registrar/support_id.h"

enum masa_mode {
	MASA_GOOD,
	MASA_SLOW, /* good, after three seconds */
	MASA_WRONG_NONCE,
	MASA_WRONG_SERIAL,
	MASA_WRONG_PIN,
	MASA_WRONG_SIGNER,
	MASA_GARBAGE,
	MASA_WRONG_TYPE,
	MASA_EMPTY,
	MASA_TOO_LARGE,
	MASA_400,
	MASA_401,
	MASA_403,
	MASA_404,
	MASA_406,
	MASA_415,
	MASA_500,
	MASA_202,
	MASA_302,
	MASA_HANG, /* never answers */
	MASA_LONE, /* good; the signer's certificate alone goes along */
};
enum audit_mode {
	AUDIT_GOOD,
	AUDIT_FOREIGN,
	AUDIT_EMPTY,
	AUDIT_GARBAGE,
	AUDIT_WRONG_TYPE,
	AUDIT_404,
	AUDIT_LOCATION, /* 201 to a path of its own */
	AUDIT_ELSEWHERE, /* 201 to another host */
};

#define DEVICES 160
struct site {
	struct arena *a;
	char dir[64];
	struct id root, registrar, maker, voucher_ca, voucher, other_voucher_ca, other_voucher,
	    masa;
	struct id stranger_ca, stranger, other_site;
	struct id device[DEVICES]; /* one or two a test, so that tests do not share state */
	int next_device;
	struct keys *keys;
	struct store *store;
	struct net *net;
	struct ca *ca;
	struct ca_loop *loops[2];
	struct trust *trust;
	struct registrar *registrar_role;
	int port, masa_port;
	pthread_t thread;
	atomic_int mode, audit, calls, audit_calls;
	atomic_int bag; /* certificates that came with the last request for an audit log */
	struct manufacturer maker_row;
	const char *accept; /* of every request; NULL: none */
	enum mst_media media; /* of PVRs */
	int log_fd; /* every decision goes there; 0: errors alone, to stderr */
	struct id lab; /* root of the second CA, label "lab", which is there with site_more */
};
extern struct site site;
/* What else a program wants at its site, set before site_start; NULL: nothing. */
struct site_more {
	void (*up)(
	    const struct net_route *routes, size_t count); /* the registrar's; before net_run */
	void (*down)(void); /* the store is closed, net and CA are there */
};
extern const struct site_more *site_more;
void site_start(void);
/* cmocka's setup: state is unused; and the way back. */
int site_in_jws(void **state);
int site_in_cose(void **state);
int site_in_cms(void **state);
void site_stop(void);
/* Daemon down and up again, same database, same ports' roles. */
void site_restart(void);
void site_put_maker(struct manufacturer *m);
/* A route of another MASA, which always answers and counts nothing. */
void site_good_masa(struct net_request *rq, void *arg);
void site_write(store_job job, void *arg);

/* A device nobody has seen, and its serial number. */
const struct id *site_device(const char **serial);
struct device site_row(const char *serial);
/* The newest row of the device's timeline with this step; MST_E_INTERNAL when there is none. */
mst_err site_trail(const char *serial, enum step step);
size_t site_trail_count(const char *serial, enum step step, mst_err e);
size_t site_exchanges(const char *serial, struct exchange *latest);

struct got {
	int status; /* 0: no answer */
	mst_span body;
	char type[96], retry_after[32], connection[32];
};
/* A PVR with a nonce of its own. */
mst_span site_pvr(const struct id *device, const char *serial, const char *nonce);
struct got site_post(const struct id *client, const char *path, const char *type, mst_span body);
/* requestvoucher in site.media. */
struct got site_ask(const struct id *client, mst_span pvr);
/* The status alone; from any thread. */
int site_ask_quietly(const struct id *client, mst_span pvr);
struct got site_status(const struct id *client, const char *what, const char *json);
/* An LDevID as the CA would have issued and recorded it. */
struct id site_ldevid(const char *serial);
/* A certificate becomes one that the CA has issued to the device. */
void site_record(const struct id *id, const char *serial);
void site_sleep_ms(long ms);

#endif
