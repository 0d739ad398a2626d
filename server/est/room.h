/* SPDX-License-Identifier: Apache-2.0 */
/* What EST's files share among themselves. */
#ifndef SERVER_EST_ROOM_H
#define SERVER_EST_ROOM_H

#include "server/est/judge.h"

#define EST_LABELS_MAX 16
#define EST_OPS 6

/* One label as it is served: a route's argument. */
struct est_label {
	struct est *est;
	const char *label;
	const struct est_profile *profile; /* of first certificates: the first of this label */
	mst_span cacerts, cacerts_wrapped; /* bodies: one line; lines of 64 (est.md B4) */
};

struct est_auth;

struct est {
	struct est_config c;
	struct arena *arena;
	struct journal *journal;
	struct est_auth *auth; /* NULL: Basic is off */
	struct est_label labels[EST_LABELS_MAX];
	size_t label_count;
	struct net_route *routes;
	size_t route_count;
};

void est_say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* The profile of that name at this label, for a renewal; the label's first where it is gone. */
const struct est_profile *est_profile_of(const struct est_label *l, const char *profile);
struct ca_loop *est_ca_loop(const struct est *e, const struct net_loop *l);
/* Base64 body with the headers of H5 and H6. */
void est_answer(struct net_request *rq, enum step step, const char *type, mst_span der);

/* --- est_wire.c: what differs between HTTPS and CoAPS --- */
#define EST_TYPE_ENROLLED "application/pkcs7-mime; smime-type=certs-only" /* H6 */
/* The CSR in a body. MST_E_BASE64*. */
MST_MUST_USE mst_err est_csr_der(struct net_request *rq, mst_span *der);
/* An issued certificate, alone or as certs-only; manufacturer: the device's, or NULL. */
void est_answer_issued(const struct est *e, struct net_request *rq, enum step step,
    const char *manufacturer, mst_span cert, mst_span certs_only);
/* COAPS: serverkeygen's answer as multipart-core. On an error nothing was answered. */
MST_MUST_USE mst_err est_answer_key(
    struct net_request *rq, mst_span key, mst_span cert, mst_span certs_only);
/* COAPS: what /crts answers. MST_E_MEDIA_ACCEPT (CO-2). */
MST_MUST_USE mst_err est_crts(
    const struct est_label *l, struct net_request *rq, const char **type, mst_span *body);
/* Over CoAPS nothing is for strangers (D3): MST_E_TLS_*. Over HTTPS MST_OK. */
MST_MUST_USE mst_err est_known_client(const struct est *e, struct net_request *rq);

/* B4: 0 is one line. */
unsigned est_wrap(const struct net_request *rq);
/* The device behind the client; MST_E_NOT_FOUND when there is none. */
MST_MUST_USE mst_err est_device(
    struct db *db, struct arena *a, const struct trust_verdict *client, struct device *out);

/* est_get.c */
void est_on_cacerts(struct net_request *rq, void *arg);
void est_on_csrattrs(struct net_request *rq, void *arg);
void est_on_crl(struct net_request *rq, void *arg);
/* est_enroll.c */
void est_on_enroll(struct net_request *rq, void *arg);
void est_on_reenroll(struct net_request *rq, void *arg);
void est_on_keygen(struct net_request *rq, void *arg);
void est_on_fullcmc(struct net_request *rq, void *arg);

/*
 * est_keygen.c: a new P-256 key. der is PKCS#8 (RFC 5958), wiped when the
 * arena goes; spki lies in the arena.
 */
MST_MUST_USE mst_err est_keygen(struct arena *a, mst_span *pkcs8, mst_span *spki);
/* A buffer that is wiped when the arena goes (G4). */
MST_MUST_USE mst_err est_secret_new(struct arena *a, size_t cap, struct mst_buf *out);
/* The two parts (G2) as one body, wiped with the arena; type gets the Content-Type. */
MST_MUST_USE mst_err est_keygen_body(struct arena *a, mst_span key, mst_span certs_only,
    const char *boundary, mst_span *body, const char **type);
/* --- est_manual.c --- */
enum est_placed { EST_PLACED_NOW, EST_PLACED_BEFORE, EST_PLACED_ISSUED };
/*
 * Inside a store job: the order as a row that waits, where there is none yet.
 * EST_PLACED_ISSUED: it was accepted, and ca_issue hands it out.
 * MST_E_X509_REVOKED: it was rejected. MST_E_CSR_KEY_REUSED, MST_E_CA_*.
 */
MST_MUST_USE mst_err est_manual_place(
    struct est *e, struct db *db, struct arena *a, const struct ca_order *o, enum est_placed *out);

/* --- est_basic.c: HTTP Basic against the file of users --- */
typedef void (*est_auth_done)(void *arg, mst_err e, const struct est_user *user);
MST_MUST_USE mst_err est_auth_new(const char *path, struct est_auth **out);
void est_auth_free(struct est_auth *t);
bool est_auth_knows(const struct est_auth *t, const char *user);
/*
 * done runs on the request's loop, perhaps before this returns. user lives as
 * long as t; NULL unless e is MST_OK. MST_E_HTTP_AUTH, MST_E_QUOTA (this source failed too
 * often), MST_E_HTTP_OVERLOAD.
 */
void est_auth_check(struct est_auth *t, struct net_request *rq, est_auth_done done, void *arg);

#endif
