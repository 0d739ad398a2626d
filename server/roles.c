/* SPDX-License-Identifier: Apache-2.0 */
#include "host/password.h"
#include "server/roles.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/clock.h"
#include "host/dnssd/dnssd.h"
#include "host/file.h"
#include "host/key.h"
#include "host/metrics.h"
#include "server/admin/admin.h"
#include "server/ca/ca.h"
#include "server/discovery.h"
#include "server/est/est.h"
#include "server/keys/keys.h"
#include "server/masa/masa.h"
#include "server/net/jpy.h"
#include "server/net/net.h"
#include "server/proxy/proxy.h"
#include "server/proxy/udp.h"
#include "server/registrar/registrar.h"
#include "server/store/store.h"
#include "server/trust/trust.h"

#define SLOTS_MAX 32
#define LOOPS_MAX 64
#define PEM_BYTES (1 << 20)
#define BACKLOG_MAX 100000 /* jobs; beyond, /readyz says no */

struct tls_identity {
	X509 *cert;
	EVP_PKEY *key;
	STACK_OF(X509) *list,
	    *chain; /* list owns the certificates; chain are those behind the first */
};

struct roles {
	const struct config *c;
	enum roles_mode mode;
	struct arena *a;
	struct keys *keys;
	struct store *store;
	struct net *net;
	struct ca *ca;
	struct ca_loop *ca_loops[LOOPS_MAX];
	struct trust *trust;
	struct registrar *registrar;
	struct jpy *jpy;
	struct est *est;
	struct masa *masa;
	struct proxy *proxy;
	struct proxy_udp *proxy_udp;
	struct admin *admin;
	struct dnssd *announcer; /* of the registrar */
	struct discovery *discovery; /* NULL: nothing of it is configured */
	struct tls_identity registrar_tls, masa_tls;
	struct keys_slot slots[SLOTS_MAX];
	size_t slot_count;
	struct ca_config cas[SLOTS_MAX];
	struct net_ops ops;
	struct net_route ops_routes[NET_OPS_ROUTES];
};

static mst_err
failed(mst_err e, const char *what, const char *why)
{
	const struct mst_err_info *i = mst_err_info(e);

	log_line(LOG_ERROR_, "%s %s: %s: %s", i->code, what, i->sentence, why != NULL ? why : "");
	return e;
}

/* --- keys --- */

static void
add_slot(
    struct roles *r, const char *name, enum keys_purpose purpose, const char *uri, const char *cert)
{
	if (uri != NULL && r->slot_count < SLOTS_MAX)
		r->slots[r->slot_count++] = (struct keys_slot){
			.name = name, .purpose = purpose, .key_uri = uri, .cert_path = cert
		};
}

static mst_err
describe_cas(struct roles *r)
{
	const struct config *c = r->c;

	/* each takes two slots with its former root; four are for RVR, IDevID and vouchers */
	if (c->ca_count > (SLOTS_MAX - 4) / 2)
		return failed(MST_E_CONFIG_VALUE, "ca", "too many CAs");
	for (size_t i = 0; i < c->ca_count; i++) {
		const struct config_ca *in = &c->cas[i];
		struct ca_config *out = &r->cas[i];
		struct ca_profile *profiles =
		    arena_alloc(r->a, in->profile_count * sizeof *profiles);

		out->label = in->label;
		out->slot = arena_printf(r->a, "ca/%s", in->label);
		if (in->old_key != NULL)
			out->old_slot = arena_printf(r->a, "old-ca/%s", in->label);
		if (profiles == NULL || out->slot == NULL)
			return MST_E_NOMEM;
		for (size_t p = 0; p < in->profile_count; p++)
			profiles[p] = (struct ca_profile){ .name = in->profiles[p].name,
				.seconds = (int64_t)in->profiles[p].days * 86400,
				.ekus = in->profiles[p].ekus,
				.san =
				    strcmp(in->profiles[p].san, "serial") == 0 ? CA_SAN_DNS : 0 };
		out->crl_url = in->crl_url;
		out->crl_seconds = (int64_t)in->crl_hours * 3600;
		out->profiles = profiles;
		out->profile_count = in->profile_count;
		add_slot(r, out->slot, KEYS_CA, in->key, in->cert);
		add_slot(r, out->old_slot, KEYS_CA, in->old_key, in->old_cert);
	}
	return MST_OK;
}

static mst_err
start_keys(struct roles *r)
{
	const struct config_masa *m = r->c->masa;
	struct keys_profile *profiles;
	size_t count;
	mst_err e = describe_cas(r);

	if (e != MST_OK)
		return e;
	if (r->c->registrar != NULL)
		add_slot(r, "rvr", KEYS_RVR, r->c->registrar->rvr_key, r->c->registrar->rvr_cert);
	if (m != NULL) {
		add_slot(r, "idevid", KEYS_IDEVID_CA, m->idevid_key, m->idevid_cert);
		add_slot(r, "short", KEYS_VOUCHER_SHORT, m->short_key, m->short_cert);
		add_slot(r, "long", KEYS_VOUCHER_LONG, m->long_key, m->long_cert);
	}
	if (r->slot_count == 0)
		return MST_OK; /* a proxy signs nothing */
	e = ca_keys_profiles(r->a, r->cas, r->c->ca_count, &profiles, &count);
	if (e != MST_OK)
		return failed(e, "ca", ca_why());
	e = keys_start(r->slots, r->slot_count, profiles, count, &r->keys);
	return e == MST_OK ? e : failed(e, "key process", keys_why());
}

/* --- what the roles stand on --- */

static mst_err
load_tls(struct roles *r, const char *cert, const char *key, struct tls_identity *out)
{
	mst_span pem;
	mst_err e;

	if ((e = file_read(r->a, cert, PEM_BYTES, &pem)) != MST_OK)
		return failed(e, cert, file_why());
	if ((e = cert_list(pem, &out->list)) != MST_OK)
		return failed(e, cert, "no certificate in it");
	out->cert = sk_X509_value(out->list, 0);
	if ((out->chain = sk_X509_new_null()) == NULL)
		return MST_E_NOMEM;
	for (int i = 1; i < sk_X509_num(out->list); i++)
		if (sk_X509_push(out->chain, sk_X509_value(out->list, i)) == 0)
			return MST_E_NOMEM;
	if ((e = key_open(key, &out->key)) != MST_OK)
		return failed(e, key, key_why());
	if ((e = key_matches(out->key, out->cert)) != MST_OK)
		return failed(e, key, cert);
	return MST_OK;
}

static void
free_tls(struct tls_identity *t)
{
	EVP_PKEY_free(t->key);
	sk_X509_free(t->chain);
	sk_X509_pop_free(t->list, X509_free);
}

static mst_err
start_base(struct roles *r)
{
	mst_err e;

	if ((e = file_make_dir(r->c->state, 0700)) != MST_OK)
		return failed(e, r->c->state, file_why());
	if ((e = store_open(r->c->database, &r->store)) != MST_OK)
		return failed(e, r->c->database, store_why());
	if ((e = net_new(r->mode == ROLES_ADMIN ? 1 : r->c->loops, &r->net)) != MST_OK)
		return failed(e, "network", net_why());
	if (r->c->ca_count == 0)
		return MST_OK;
	if ((e = ca_new(r->store, r->keys, r->cas, r->c->ca_count, &r->ca)) != MST_OK)
		return failed(e, "ca", ca_why());
	for (unsigned i = 0; i < net_loops(r->net); i++)
		if ((e = ca_loop_new_net(r->ca, net_loop_at(r->net, i), &r->ca_loops[i])) != MST_OK)
			return failed(e, "ca", "a loop of it cannot be made");
	ca_crl_start(r->ca_loops[0]);
	return MST_OK;
}

/* --- roles --- */

static struct net_limits
limits(const struct config_http *h)
{
	return (struct net_limits){ .header_bytes = h->header_bytes,
		.body_bytes = h->body_bytes,
		.handshake_ms = h->handshake_ms,
		.header_ms = h->header_ms,
		.body_ms = h->body_ms,
		.idle_ms = h->idle_ms,
		.connections = h->connections,
		.per_source = h->per_source };
}

static mst_err
listen_on(struct roles *r, const char *name, const char *address, const struct tls_identity *tls,
    const struct net_route *routes, size_t count, int *port)
{
	struct net_listen l = { .name = name,
		.address = address,
		.cert = tls->cert,
		.key = tls->key,
		.chain = tls->chain,
		.ask_client_cert = true,
		.routes = routes,
		.route_count = count,
		.limits = limits(&r->c->http) };
	mst_err e = net_listen(r->net, &l, port);

	if (e != MST_OK)
		return failed(e, address, net_why());
	log_line(LOG_INFO_, "%s listens on %s (port %d)", name, address, *port);
	return MST_OK;
}

static mst_err
open_est(struct roles *r)
{
	static const struct config_est defaults = { .challenge = "binding", .csrattrs = "both" };
	const struct config_est *e = r->c->est != NULL ? r->c->est : &defaults;
	struct est_profile *profiles;
	size_t n = 0, at = 0;
	mst_err err;

	for (size_t i = 0; i < r->c->ca_count; i++)
		n += r->c->cas[i].profile_count;
	if ((profiles = arena_alloc(r->a, n * sizeof *profiles)) == NULL)
		return MST_E_NOMEM;
	for (size_t i = 0; i < r->c->ca_count; i++)
		for (size_t p = 0; p < r->c->cas[i].profile_count; p++)
			profiles[at++] = (struct est_profile){ .label = r->c->cas[i].label,
				.profile = r->c->cas[i].profiles[p].name,
				.manufacturers = { r->c->cas[i].manufacturers,
				    r->c->cas[i].manufacturer_count },
				.users = { r->c->cas[i].users, r->c->cas[i].user_count },
				.organization = r->c->cas[i].organization,
				.san = strcmp(r->c->cas[i].profiles[p].san, "serial") == 0
				           ? EST_SAN_SERIAL
				           : EST_SAN_NONE,
				.rekey = r->c->cas[i].profiles[p].rekey };
	struct est_config c = { .store = r->store,
		.trust = r->trust,
		.ca = r->ca,
		.loops = r->ca_loops,
		.net = r->net,
		.profiles = profiles,
		.profile_count = n,
		.basic_file = e->basic ? e->basic_file : NULL,
		.single_certificate = e->single_certificate,
		.single_count = e->single_count,
		.keygen = e->keygen,
		.binding_required = e->binding_required,
		.challenge = strcmp(e->challenge, "ignore") == 0 ? EST_CHALLENGE_IGNORE
		                                                 : EST_CHALLENGE_BINDING,
		.csrattrs = strcmp(e->csrattrs, "template") == 0 ? EST_CSRATTRS_TEMPLATE
		            : strcmp(e->csrattrs, "old") == 0    ? EST_CSRATTRS_OLD
		                                                 : EST_CSRATTRS_BOTH,
		.manual = e->manual,
		.status_optional = r->c->registrar->status_optional,
		.window_percent = e->window_percent,
		.retry_after = r->c->registrar->retry_after };
	err = est_open(&c, &r->est);
	return err == MST_OK ? err : failed(err, "est", est_why());
}

static mst_err
open_registrar(struct roles *r)
{
	const struct config_registrar *g = r->c->registrar;
	struct registrar_config c = { .store = r->store,
		.keys = r->keys,
		.ca = r->ca,
		.loops = r->ca_loops,
		.net = r->net,
		.rvr_slot = "rvr",
		.masa_timeout_ms = g->masa_timeout_ms,
		.masa_concurrency = (unsigned)g->masa_concurrency,
		.retry_after = g->retry_after,
		.exchange_days = g->exchange_days,
		.device_rate = g->device_rate };
	mst_err e = load_tls(r, g->cert, g->key, &r->registrar_tls);

	if (e != MST_OK)
		return e;
	if (!cert_has_eku(r->registrar_tls.cert, CERT_OID_CMC_RA)) /* ID-6 */
		return failed(MST_E_VOUCHER_NOT_RA, g->cert, "no pledge would trust it");
	if ((e = trust_new(r->store, ca_anchors(r->ca, NULL), &r->trust)) != MST_OK)
		return failed(e, "trust", NULL);
	c.trust = r->trust;
	c.tls_cert = r->registrar_tls.cert;
	c.tls_key = r->registrar_tls.key;
	c.tls_chain = r->registrar_tls.chain;
	if ((e = registrar_new(&c, &r->registrar)) != MST_OK)
		return failed(e, "registrar", NULL);
	return open_est(r);
}

static mst_err
offer(struct roles *r, enum disco_what what, const char *listen, int port)
{
	mst_err e =
	    r->discovery == NULL ? MST_OK : discovery_offer(r->discovery, what, listen, port);

	return e == MST_OK ? e : failed(e, "discovery", discovery_why());
}

/* Who is behind a loopback socket of the JPY port, which is opened after the CoAPS listener. */
static bool
behind_proxy(void *arg, const struct sockaddr_in6 *from, struct datagram_path *real)
{
	const struct roles *r = arg;

	return r->jpy != NULL && jpy_peer(r->jpy, from, real);
}

/* A device of a manufacturer that is trusted, or one of ours; who else connects gets little. */
static bool
knows_peer(void *arg, struct net_peer *peer)
{
	const struct roles *r = arg;
	const struct trust_verdict *v = trust_judge_peer(r->trust, peer);

	return v->class == TRUST_IDEVID || v->class == TRUST_LDEVID;
}

static mst_err
listen_jpy(struct roles *r, int coaps_port)
{
	const struct config_registrar *g = r->c->registrar;
	struct jpy_config c = {
		.listen = g->jpy, .connections = g->jpy_connections, .per_proxy = g->jpy_per_proxy
	};
	int port;
	mst_err e = datagram_address(g->coaps, DATAGRAM_NAMES, &c.listener);

	if (e != MST_OK)
		return failed(e, g->coaps, "no address");
	c.listener.sin6_port = htons((uint16_t)coaps_port);
	if ((e = jpy_open(&c, r->net, &r->jpy, &port)) != MST_OK)
		return failed(e, g->jpy, net_why());
	log_line(LOG_INFO_, "registrar listens for join proxies on %s (UDP port %d)", g->jpy, port);
	return offer(r, DISCO_REGISTRAR_JPY, g->jpy, port);
}

static mst_err
listen_coaps(struct roles *r, const struct net_route *routes, size_t count)
{
	const struct config_registrar *g = r->c->registrar;
	struct net_coaps c = { .name = "registrar",
		.address = g->coaps,
		.cert = r->registrar_tls.cert,
		.key = r->registrar_tls.key,
		.chain = r->registrar_tls.chain,
		.routes = routes,
		.route_count = count,
		.limits = { .sessions = g->coaps_sessions,
		    .per_source = g->coaps_per_source,
		    .handshake_rate = g->coaps_handshake_rate,
		    .proxied_rate = g->jpy_handshake_rate },
		.hide = r->c->est != NULL && r->c->est->keygen ? NULL : "skg skc",
		.alias = behind_proxy,
		.alias_arg = r,
		.knows = knows_peer,
		.knows_arg = r };
	int port;
	mst_err e = net_listen_coaps(r->net, &c, &port);

	if (e != MST_OK)
		return failed(e, g->coaps, net_why());
	log_line(LOG_INFO_, "registrar listens for CoAPS on %s (UDP port %d)", g->coaps, port);
	if ((e = offer(r, DISCO_REGISTRAR_COAPS, g->coaps, port)) != MST_OK || g->jpy == NULL)
		return e;
	return listen_jpy(r, port);
}

static mst_err
listen_registrar(struct roles *r)
{
	size_t n, m;
	const struct net_route *a = registrar_routes(r->registrar, &n);
	const struct net_route *b = est_routes(r->est, &m);
	struct net_route *all = arena_alloc(r->a, (n + m) * sizeof *all);
	int port;
	mst_err e;

	if (all == NULL)
		return MST_E_NOMEM;
	memcpy(all, a, n * sizeof *all);
	memcpy(all + n, b, m * sizeof *all);
	registrar_sweep_start(r->registrar);
	e = listen_on(
	    r, "registrar", r->c->registrar->listen, &r->registrar_tls, all, n + m, &port);
	if (e == MST_OK)
		e = offer(r, DISCO_REGISTRAR_TLS, r->c->registrar->listen, port);
	if (e == MST_OK && r->c->registrar->coaps != NULL)
		e = listen_coaps(r, all, n + m);
	if (e != MST_OK || r->c->registrar->announce == NULL)
		return e;
	if ((e = dnssd_open(&r->announcer)) == MST_OK)
		e = dnssd_publish(r->announcer, r->c->registrar->announce, DNSSD_REGISTRAR,
		    r->c->registrar->listen, (uint16_t)port, NULL);
	return e == MST_OK ? e : failed(e, "DNS-SD", dnssd_why());
}

static mst_err
read_optional(struct roles *r, const char *path, mst_span *out)
{
	mst_err e = path == NULL ? MST_OK : file_read(r->a, path, PEM_BYTES, out);

	return e == MST_OK ? e : failed(e, path, file_why());
}

static mst_err
open_masa(struct roles *r)
{
	const struct config_masa *m = r->c->masa;
	const char **products = arena_alloc(r->a, (m->product_count + 1) * sizeof *products);
	struct masa_config c = { .prior =
		                     m->require_prior ? MASA_PRIOR_REQUIRED : MASA_PRIOR_OPTIONAL,
		.slot_short = "short",
		.slot_long = m->long_key != NULL ? "long" : NULL,
		.nonceless_seconds = (int64_t)m->nonceless_days * 86400,
		.rvr_max_age_seconds = m->request_age,
		.public_cas = m->public_cas,
		.source_per_minute = m->rate };
	mst_err e;

	if (products == NULL)
		return MST_E_NOMEM;
	for (size_t i = 0; i < m->product_count; i++)
		if (m->products[i].id_data)
			products[c.id_data_count++] = m->products[i].name;
	c.id_data_products = products;
	if ((e = read_optional(r, m->idevid_anchors, &c.idevid_anchors_pem)) != MST_OK ||
	    (e = read_optional(r, m->crl, &c.crl_pem)) != MST_OK ||
	    (e = load_tls(r, m->cert, m->key, &r->masa_tls)) != MST_OK)
		return e;
	e = masa_open(&c, r->net, r->store, r->keys, &r->masa);
	return e == MST_OK ? e : failed(e, "masa", masa_why());
}

static mst_err
open_roles(struct roles *r)
{
	mst_err e = MST_OK;

	if (r->c->registrar != NULL)
		e = open_registrar(r);
	if (e == MST_OK && r->c->masa != NULL)
		e = open_masa(r);
	return e;
}

static mst_err
listen_proxy_udp(struct roles *r)
{
	const struct config_proxy *p = r->c->proxy;
	struct proxy_udp_config c = { .listen = p->udp_listen,
		.registrars = p->udp_registrar,
		.idle_ms = p->udp_idle_ms,
		.per_pledge = p->udp_per_pledge,
		.per_interface = p->udp_per_interface,
		.key_ms = p->udp_key_hours * 3600000,
		.sources = p->udp_any_source ? PROXY_UDP_ANY : PROXY_UDP_ON_LINK };
	mst_err e = proxy_udp_open(&c, r->net, &r->proxy_udp);

	if (e != MST_OK)
		return failed(e, p->udp_listen, proxy_udp_why());
	if (r->discovery != NULL && (e = discovery_proxy_udp(r->discovery, r->proxy_udp)) != MST_OK)
		return failed(e, "discovery", discovery_why());
	return MST_OK;
}

static mst_err
listen_proxy_tcp(struct roles *r)
{
	const struct config_proxy *p = r->c->proxy;
	struct proxy_config c = { .listen = p->listen,
		.registrar = p->registrar,
		.announce = p->announce,
		.discover = p->discover,
		.max_connections = p->max_connections,
		.per_peer = p->per_peer,
		.idle_ms = p->idle_ms };
	int port;
	mst_err e = proxy_open(&c, r->net, &r->proxy, &port);

	if (e != MST_OK)
		return failed(e, p->listen, proxy_why());
	log_line(LOG_INFO_, "proxy listens on %s (port %d)", p->listen, port);
	if (r->discovery != NULL &&
	    (e = discovery_proxy_tcp(r->discovery, r->proxy, port)) != MST_OK)
		return failed(e, "discovery", discovery_why());
	return MST_OK;
}

static mst_err
listen_proxy(struct roles *r)
{
	const struct config_proxy *p = r->c->proxy;
	mst_err e = MST_OK;

	if (p->registrar != NULL || p->discover)
		e = listen_proxy_tcp(r);
	if (e == MST_OK && p->udp_listen != NULL)
		e = listen_proxy_udp(r);
	return e;
}

static bool
ready(void *arg, char *words, size_t cap)
{
	struct roles *r = arg;
	size_t backlog = store_backlog(r->store);

	if (backlog > BACKLOG_MAX) {
		snprintf(words, cap, "the database is behind by %zu jobs", backlog);
		return false;
	}
	return true;
}

/* Gauges are looked at when somebody asks. */
static void
refresh(void *arg)
{
	struct roles *r = arg;
	struct db *db = store_reader(r->store);
	long pages = 0, resident = 0;
	FILE *f = fopen("/proc/self/statm", "r");

	if (f != NULL && fscanf(f, "%ld %ld", &pages, &resident) == 2)
		metric_set("muster_resident_memory_bytes", NULL,
		    (double)resident * (double)sysconf(_SC_PAGESIZE));
	if (f != NULL)
		fclose(f);
	metric_set("muster_store_queue_length", NULL, (double)store_backlog(r->store));
	for (int s = 0; r->registrar != NULL && s < DEVICE_STATE_COUNT; s++) {
		char label[48];
		int64_t n;

		snprintf(
		    label, sizeof label, "state=\"%s\"", device_state_word((enum device_state)s));
		if (device_count(db, (enum device_state)s, &n) == MST_OK)
			metric_set("muster_devices", label, (double)n);
	}
	for (size_t i = 0; i < r->c->ca_count; i++) {
		struct arena *a = arena_new(0);
		struct crl_row crl;
		char label[96];

		snprintf(label, sizeof label, "ca=\"%.64s\"", r->c->cas[i].label);
		if (a != NULL && crl_latest(db, a, r->c->cas[i].label, &crl) == MST_OK)
			metric_set("muster_crl_expiry_seconds", label, (double)crl.next_update);
		arena_free(a);
	}
}

static mst_err
listen_ops(struct roles *r)
{
	struct net_listen l = { .name = "ops",
		.address = r->c->ops,
		.routes = r->ops_routes,
		.route_count = NET_OPS_ROUTES };
	int port;
	mst_err e;

	r->ops = (struct net_ops){ .ready = ready, .refresh = refresh, .arg = r };
	metric_set("muster_build_info", "version=\"" MUSTER_VERSION "\"", 1);
	metric_set("muster_start_time_seconds", NULL, (double)clock_wall());
	net_ops_routes(&r->ops, r->ops_routes);
	if ((e = net_listen(r->net, &l, &port)) != MST_OK)
		return failed(e, r->c->ops, net_why());
	log_line(LOG_INFO_, "metrics and health on %s (port %d)", r->c->ops, port);
	return MST_OK;
}

/* Join ports are announced by DNS-SD without a section discovery, too. */
static mst_err
open_discovery(struct roles *r)
{
	const struct config_proxy *p = r->c->proxy;
	mst_err e;

	if (r->c->discovery == NULL && (p == NULL || p->udp_listen == NULL || p->announce == NULL))
		return MST_OK;
	e = discovery_open(r->c, r->net, &r->discovery);
	return e == MST_OK ? e : failed(e, "discovery", discovery_why());
}

static mst_err
listen_all(struct roles *r)
{
	mst_err e = open_discovery(r);
	int port;

	if (e == MST_OK && r->c->registrar != NULL)
		e = listen_registrar(r);
	if (e == MST_OK && r->c->masa != NULL) {
		size_t n;
		const struct net_route *routes = masa_routes(r->masa, &n);

		e = listen_on(r, "masa", r->c->masa->listen, &r->masa_tls, routes, n, &port);
	}
	if (e == MST_OK && r->c->proxy != NULL)
		e = listen_proxy(r);
	if (e == MST_OK && r->c->ops != NULL)
		e = listen_ops(r);
	if (e == MST_OK && (e = admin_listen(r->admin, r->c->control)) != MST_OK)
		e = failed(e, r->c->control, "the control socket cannot be made");
	return e;
}

static void
reload(void *arg)
{
	struct roles *r = arg;

	if (r->masa != NULL)
		masa_reload(r->masa);
}

static mst_err
open_admin(struct roles *r)
{
	bool registrar = r->c->registrar != NULL, masa = r->c->masa != NULL,
	     proxy = r->c->proxy != NULL;
	struct admin_config c = { .store = r->store,
		.keys = r->keys,
		.net = r->net,
		.ca = r->ca,
		.ca_loop = r->ca_loops[0],
		.roles = arena_printf(r->a, "%s%s%s%s%s", registrar ? "registrar" : "",
		    registrar && (masa || proxy) ? " " : "", masa ? "masa" : "",
		    masa && proxy ? " " : "", proxy ? "proxy" : ""),
		.idevid_slot =
		    r->c->masa != NULL && r->c->masa->idevid_key != NULL ? "idevid" : NULL,
		.masa_url = r->c->masa != NULL ? r->c->masa->url : NULL,
		.organization = r->c->masa != NULL ? r->c->masa->organization : NULL,
		.reload = reload,
		.reload_arg = r,
		.password_hash = password_hash };
	mst_err e = admin_new(&c, &r->admin);

	return e == MST_OK ? e : failed(e, "admin", NULL);
}

mst_err
roles_start(const struct config *c, enum roles_mode mode, struct roles **out)
{
	struct roles *r = calloc(1, sizeof *r);
	mst_err e = MST_E_NOMEM;

	if (r == NULL)
		return e;
	r->c = c;
	r->mode = mode;
	if (clock_now().trust != MST_CLOCK_TRUSTED) { /* CLK-2 */
		e = failed(MST_E_CLOCK, "clock", NULL);
		goto out;
	}
	if ((r->a = arena_new(0)) == NULL || (e = start_keys(r)) != MST_OK ||
	    (e = start_base(r)) != MST_OK || (e = open_roles(r)) != MST_OK ||
	    (e = open_admin(r)) != MST_OK)
		goto out;
	if (mode == ROLES_SERVE)
		e = listen_all(r);
out:
	if (e != MST_OK) {
		roles_free(r);
		return e;
	}
	*out = r;
	return MST_OK;
}

static void *
run_net(void *arg)
{
	struct roles *r = arg;

	if (net_run(r->net) != MST_OK)
		log_line(LOG_ERROR_, "the network loop ended: %s", net_why());
	return NULL;
}

mst_err
roles_run(struct roles *r)
{
	pthread_t thread;

	if (r->mode == ROLES_SERVE)
		return net_run(r->net);
	if (pthread_create(&thread, NULL, run_net, r) != 0)
		return MST_E_NOMEM;
	admin_serve(r->admin, STDIN_FILENO, STDOUT_FILENO);
	net_stop(r->net);
	pthread_join(thread, NULL);
	return MST_OK;
}

void
roles_stop(struct roles *r)
{
	net_stop(r->net);
}

int
roles_key_pid(const struct roles *r)
{
	return r->keys != NULL ? keys_pid(r->keys) : 0;
}

void
roles_free(struct roles *r)
{
	if (r == NULL)
		return;
	dnssd_close(r->announcer);
	discovery_close(r->discovery); /* its threads call the proxies */
	/*
	 * The loops have ended. First whoever has threads of his own; then, with
	 * the store still open, what ends the calls to the key process and the
	 * CA's orders: their callbacks may still write and answer.
	 */
	admin_free(r->admin);
	proxy_close(r->proxy);
	proxy_udp_close(r->proxy_udp);
	jpy_close(r->jpy);
	for (unsigned i = 0; i < LOOPS_MAX; i++)
		if (r->ca_loops[i] != NULL)
			ca_loop_free(r->ca_loops[i]);
	/* Their password threads post to loops, so they end before the loops are freed. */
	est_close(r->est);
	masa_close(r->masa);
	registrar_stop(r->registrar);
	/* The writer's callbacks name loops: it runs dry while they still exist. */
	store_close(r->store);
	/* Ends the calls to MASAs, whose callbacks the registrar ignores by now. */
	net_free(r->net);
	registrar_free(r->registrar);
	trust_free(r->trust);
	ca_free(r->ca);
	if (r->keys != NULL)
		keys_stop(r->keys);
	free_tls(&r->registrar_tls);
	free_tls(&r->masa_tls);
	arena_free(r->a);
	free(r);
}
