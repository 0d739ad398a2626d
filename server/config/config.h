/* SPDX-License-Identifier: Apache-2.0 */
/*
 * musterd's configuration file (libconfuse syntax; man page musterd.conf(5)).
 * One file, one section per role; the sections that are there are the roles
 * that are played. Every path is taken relative to the file's own folder.
 * Unknown words, wrong types and impossible values are refused with file and
 * line.
 */
#ifndef SERVER_CONFIG_H
#define SERVER_CONFIG_H

#include "host/arena.h"
#include "host/log.h"

struct config_http { /* zero: the default of net.h */
	long header_bytes, body_bytes, handshake_ms, header_ms, body_ms, idle_ms;
	long connections, per_source;
};

struct config_registrar {
	const char *listen; /* "0.0.0.0:8443" */
	const char *cert; /* PEM: EE with cmcRA, serverAuth, clientAuth, then its chain */
	const char *key; /* TLS key, held by the network process */
	const char *rvr_cert, *rvr_key; /* sign RVRs in the key process; default: cert and key */
	const char *announce; /* DNS-SD instance name; NULL: not announced */
	long masa_timeout_ms, masa_concurrency, retry_after;
	bool status_optional; /* EST-3: enrol without voucher_status; default no */
	long device_rate; /* voucher-requests per device and minute */
	long exchange_days; /* how long requests and vouchers are kept; 0: for ever */
	const char *coaps; /* "[::]:5684"; NULL: HTTPS alone */
	long coaps_sessions, coaps_per_source; /* DTLS sessions at once */
	long coaps_handshake_rate; /* new ones per source and second */
	const char *jpy; /* UDP port for stateless join proxies; NULL: none */
	long jpy_connections, jpy_per_proxy; /* pledges at once */
	long jpy_handshake_rate; /* new sessions per stateless proxy and second */
};

struct config_profile {
	const char *name;
	long days;
	const char *ekus; /* OIDs, clientAuth among them */
	const char *san; /* "none", "serial": policy for the SAN, never the CSR's wish (EST-2) */
	bool rekey; /* R3: a renewal must bring a new key */
};

struct config_ca {
	const char *label; /* "" is the default CA */
	const char *cert, *key;
	const char *old_cert, *old_key; /* the former root, for rollover certificates; or NULL */
	const char *crl_url;
	long crl_hours;
	const char *organization; /* O= in issued subjects; NULL: none */
	const char **manufacturers, **users; /* whom it certifies; "*": all */
	size_t manufacturer_count, user_count; /* 0: all at label "", nobody elsewhere */
	struct config_profile *profiles;
	size_t profile_count;
};

struct config_est {
	bool basic; /* HTTP Basic for clients that are no devices; needs basic_file */
	const char *basic_file; /* lines "user:hash" */
	bool keygen; /* serverkeygen; default no (RFC 7030 6) */
	bool binding_required; /* else verified when carried */
	const char *challenge; /* L9: "binding" or "ignore" */
	const char *csrattrs; /* "template", "old" or "both" */
	bool manual; /* certificates wait for an operator (202) */
	/* CO-2: manufacturers whose devices get the bare certificate over CoAPS, without Accept */
	const char **single_certificate;
	size_t single_count;
	long window_percent; /* R4: re-enrolment before this part of life is refused; 0: never */
};

struct config_product { /* MASA: a product line that differs */
	const char *name;
	bool id_data;
};

struct config_masa {
	const char *listen, *cert, *key;
	const char *url; /* goes into IDevIDs: "masa.example.com" */
	const char *idevid_anchors; /* PEM: the IDevID CAs */
	const char *idevid_cert, *idevid_key; /* NULL: this MASA issues no IDevIDs */
	const char *short_cert, *short_key; /* nonced vouchers */
	const char *long_cert, *long_key; /* nonceless vouchers; NULL: none are issued */
	const char *organization;
	const char *crl; /* CRLs of sites' CAs, PEM */
	const char *public_cas; /* bundle of public CAs never to be pinned */
	bool require_prior;
	long nonceless_days; /* 0: no expiry */
	long request_age; /* seconds that created-on may be off */
	long rate; /* requests per client and minute */
	struct config_product *products;
	size_t product_count;
};

struct config_proxy {
	const char *listen, *registrar, *announce;
	bool discover; /* find the registrar by DNS-SD */
	long max_connections, per_peer, idle_ms;
	const char *udp_listen; /* the join port for CoAPS; NULL: none */
	const char *udp_registrar; /* jpy and coaps URIs; NULL: found */
	long udp_idle_ms, udp_per_pledge, udp_per_interface, udp_key_hours;
	bool udp_any_source; /* pledges with routable addresses, too */
};

struct config_discovery { /* CoAP multicast and GRASP; DNS-SD is announce and discover of the roles
	                   */
	const char **interfaces; /* of pledges and proxies: where this daemon is offered */
	size_t interface_count;
	const char **registrar_interfaces; /* proxy: where registrars are sought; none: on all but
	                                      interfaces */
	size_t registrar_interface_count;
	bool coap, grasp;
	long leisure_ms, answers_per_source, answers_per_second, flood_seconds;
};

#define CONFIG_FILES 64
struct config {
	const char *path, *folder; /* of the file */
	const char *state; /* folder of database and control socket */
	const char *database, *control;
	int log_format, log_level;
	const char *ops; /* metrics and health, loopback only; NULL: none */
	unsigned loops;
	struct config_http http;
	struct config_registrar *registrar;
	struct config_ca *cas;
	size_t ca_count;
	struct config_est *est;
	struct config_masa *masa;
	struct config_proxy *proxy;
	struct config_discovery *discovery;
	/* Every file it names, keys of other kinds left out: for who wants to know whether they are
	 * there. */
	const char *files[CONFIG_FILES];
	size_t file_count;
};

/*
 * MST_E_CONFIG_SYNTAX, _VALUE, _MISSING; config_why() has "file:line: words".
 * All lives in the arena.
 */
MST_MUST_USE mst_err config_load(struct arena *a, const char *path, struct config *out);
/* The same on text, for tests and fuzzing; name stands in for the path. */
MST_MUST_USE mst_err config_parse(
    struct arena *a, const char *name, const char *text, struct config *out);
const char *config_why(void);

#endif
