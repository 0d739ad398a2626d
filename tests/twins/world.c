/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "host/file.h"
#include "muster/base64.h"
#include "server/est/est.h"
#include "server/masa/masa.h"
#include "tests/twins/wires.h"

#define ORGANIZATION "Acme"
#define UNSTRUCTURED_ADDRESS "1.2.840.113549.1.9.8"
#define CBOR_GOOD "\xa2\x67version\x01\x66status\xf5" /* {"version": 1, "status": true} */

static struct {
	struct est *est[OPTIONS];
	int https[OPTIONS], coaps[OPTIONS];
	/* the real MASA */
	char dir[64];
	struct arena *a;
	struct id signer_ca, signer;
	struct keys *keys;
	struct store *store;
	struct masa *masa;
	int masa_port, liar_port;
	int64_t other_customer;
	bool bent; /* the manufacturer's entry */
	int number; /* of the next device */
} world;

/* --- up and down --- */

static const char *const nobody[] = { "another maker" }, *const makers[] = { "maker" };
static struct est_profile profiles[OPTIONS][2];

static void
est_up(enum twin_option o)
{
	struct est_config c = { .store = site.store,
		.trust = site.trust,
		.ca = site.ca,
		.loops = site.loops,
		.net = site.net,
		.profiles = profiles[o],
		.profile_count = 2,
		.challenge = o == CHALLENGE_IGNORED ? EST_CHALLENGE_IGNORE : EST_CHALLENGE_BINDING,
		.csrattrs = EST_CSRATTRS_BOTH,
		.keygen = true,
		.binding_required = o == BINDING_REQUIRED,
		.manual = o == MANUAL,
		.status_optional = o == STATUS_OPTIONAL,
		.window_percent = o == WINDOW ? 1 : 0,
		.retry_after = 7 };

	for (size_t i = 0; i < 2; i++)
		profiles[o][i] = (struct est_profile){ .label = i == 0 ? "" : "lab",
			.profile = "device",
			.organization = ORGANIZATION,
			.rekey = o == REKEY,
			.san = o == WITH_SAN ? EST_SAN_SERIAL : EST_SAN_NONE };
	if (o == OTHER_MAKERS) {
		profiles[o][0].manufacturers = (struct est_names){ nobody, 1 };
		profiles[o][1].manufacturers = (struct est_names){ makers, 1 };
	}
	if (est_open(&c, &world.est[o]) != MST_OK)
		fail_msg("est: %s", est_why());
}

/* As server/roles.c: the same routes behind both. */
static void
listen_both(enum twin_option o, const struct net_route *registrar, size_t n)
{
	size_t m;
	const struct net_route *est = est_routes(world.est[o], &m);
	struct net_route *all = calloc(n + m, sizeof *all);
	struct net_listen l = { .name = "registrar",
		.address = "127.0.0.1:0",
		.cert = site.registrar.cert,
		.key = site.registrar.key,
		.ask_client_cert = true,
		.routes = all,
		.route_count = n + m };
	struct net_coaps c = { .name = "registrar",
		.address = "127.0.0.1:0",
		.cert = site.registrar.cert,
		.key = site.registrar.key,
		.routes = all,
		.route_count = n + m,
		.limits = { .handshake_rate = 100000, .handshake_burst = 100000 } };

	assert_non_null(all);
	memcpy(all, registrar, n * sizeof *all);
	memcpy(all + n, est, m * sizeof *all);
	if (net_listen(site.net, &l, &world.https[o]) != MST_OK ||
	    net_listen_coaps(site.net, &c, &world.coaps[o]) != MST_OK)
		fail_msg("listen: %s", net_why());
	free(all);
}

static mst_err
add_customer(struct db *db, void *arg)
{
	struct masa_customer *c = arg;

	return masa_customer_put(db, c);
}

static void
masa_up(void)
{
	struct masa_config c = { .idevid_anchors_pem = pem_of(world.a, &site.maker.cert, 1) };
	struct masa_customer other = { .name = "other",
		.anchors_pem = pem_of(world.a, &site.other_site.cert, 1) };
	struct net_listen l = { .name = "masa",
		.address = "127.0.0.1:0",
		.cert = site.masa.cert,
		.key = site.masa.key,
		.ask_client_cert = true };
	X509 *cas[] = { site.voucher_ca.cert, world.signer_ca.cert };

	if (store_open(arena_printf(world.a, "%s/db", world.dir), &world.store) != MST_OK)
		fail_msg("store: %s", store_why());
	assert_int_equal(store_write_wait(world.store, add_customer, &other), MST_OK);
	world.other_customer = other.id;
	if (masa_open(&c, site.net, world.store, world.keys, &world.masa) != MST_OK)
		fail_msg("masa: %s", masa_why());
	l.routes = masa_routes(world.masa, &l.route_count);
	if (net_listen(site.net, &l, &world.masa_port) != MST_OK)
		fail_msg("listen: %s", net_why());
	world.liar_port = site.masa_port;
	site.maker_row.voucher_anchors_pem = pem_of(world.a, cas, 2);
}

static void
up(const struct net_route *routes, size_t count)
{
	for (int o = 0; o < OPTIONS; o++) {
		est_up((enum twin_option)o);
		listen_both((enum twin_option)o, routes, count);
	}
	masa_up();
}

static void
down(void)
{
	for (int o = 0; o < OPTIONS; o++)
		est_close(world.est[o]);
	masa_close(world.masa);
	store_close(world.store);
}

static const struct site_more more = { up, down };

/* Before there is a thread. */
static void
start_keys(void)
{
	struct keys_slot slots[2];
	static const char *const names[] = { "short", "long" };
	X509 *chain[2];

	world.signer_ca = ID(.kind = ID_CA, .cn = "vouchers of the real one");
	world.signer = ID(.kind = ID_DEVICE, .cn = "signer", .issuer = &world.signer_ca);
	chain[0] = world.signer.cert;
	chain[1] = world.signer_ca.cert;
	for (size_t i = 0; i < 2; i++) {
		const char *key = arena_printf(world.a, "%s/%s.key", world.dir, names[i]);
		const char *cert = arena_printf(world.a, "%s/%s.pem", world.dir, names[i]);

		assert_int_equal(
		    file_write_new(key, pem_of_key(world.a, world.signer.key), 0600), MST_OK);
		assert_int_equal(file_write_new(cert, pem_of(world.a, chain, 2), 0600), MST_OK);
		slots[i] = (struct keys_slot){ .name = names[i],
			.purpose = i == 0 ? KEYS_VOUCHER_SHORT : KEYS_VOUCHER_LONG,
			.key_uri = key,
			.cert_path = cert };
	}
	if (keys_start(slots, 2, NULL, 0, &world.keys) != MST_OK)
		fail_msg("keys: %s", keys_why());
}

void
twins_start(void)
{
	world.a = arena_new(0);
	strcpy(world.dir, "/tmp/muster-twins-XXXXXX");
	assert_non_null(mkdtemp(world.dir));
	start_keys();
	signal(SIGPIPE, SIG_IGN);
	site_more = &more;
	site.media = MST_MEDIA_COSE_CBOR;
	site.log_fd = memfd_create("log", MFD_CLOEXEC);
	assert_true(site.log_fd > 0);
	site_start();
}

void
twins_stop(void)
{
	DIR *d = opendir(world.dir);
	struct dirent *f;

	site_stop();
	keys_stop(world.keys);
	id_free(&world.signer_ca);
	id_free(&world.signer);
	while (d != NULL && (f = readdir(d)) != NULL)
		(void)unlink(arena_printf(world.a, "%s/%s", world.dir, f->d_name));
	closedir(d);
	(void)rmdir(world.dir);
	close(site.log_fd);
	arena_free(world.a);
}

int
twins_port(enum wire wire, enum twin_option option)
{
	return wire == ON_COAPS ? world.coaps[option] : world.https[option];
}

/* --- for those who bend --- */

static mst_err
put_maker(struct db *db, void *arg)
{
	return manufacturer_put(db, arg);
}

void
twin_maker(const struct manufacturer *m)
{
	struct manufacturer copy = *m;

	world.bent = true;
	site_write(put_maker, &copy);
}

struct masa_device
twin_masa_device(struct twin *t)
{
	return (struct masa_device){ .serial = mst_span_str(t->serial),
		.idevid_issuer = MST_NONE,
		.idevid_cert = der_of(t->a, t->device.cert),
		.spki_sha256 = a_spki_sha256(t->a, t->device.key),
		.product = "sensor",
		.state = MASA_MADE,
		.made_at = time(NULL) };
}

static mst_err
add_device(struct db *db, void *arg)
{
	return masa_device_add(db, arg);
}

void
twin_real_masa(struct twin *t, const struct masa_device *d)
{
	struct masa_device copy;

	if (d != NULL) {
		copy = *d;
		if (copy.idevid_issuer.ptr == NULL)
			assert_int_equal(
			    cert_idevid_issuer(t->a, t->device.cert, &copy.idevid_issuer), MST_OK);
		assert_int_equal(store_write_wait(world.store, add_device, &copy), MST_OK);
	}
	world.bent = true;
	site.masa_port = world.masa_port;
	site_put_maker(&site.maker_row);
}

int64_t
twin_other_customer(void)
{
	return world.other_customer;
}

struct device
twin_row(const struct twin *t)
{
	return site_row(t->serial);
}

static mst_err
save_device(struct db *db, void *arg)
{
	return device_save(db, arg);
}

void
twin_save(const struct device *d)
{
	struct device copy = *d;

	site_write(save_device, &copy);
}

static mst_err
take_back(struct db *db, void *arg)
{
	const ASN1_INTEGER *n = X509_get0_serialNumber(arg);

	return cert_revoke(db, mst_span_of(ASN1_STRING_get0_data(n), (size_t)ASN1_STRING_length(n)),
	    1, time(NULL));
}

void
twin_revoke(X509 *cert)
{
	site_write(take_back, cert);
}

/* --- what is asked --- */

static const struct {
	const char *https, *coaps, *type;
} paths[] = {
	[OP_PVR] = { "/.well-known/brski/requestvoucher", "/b/rv", "application/voucher+cose" },
	[OP_STATUS] = { "/.well-known/brski/voucher_status", "/b/vs", "application/cbor" },
	[OP_ENROLLSTATUS] = { "/.well-known/brski/enrollstatus", "/b/es", "application/cbor" },
	[OP_ENROLL] = { "simpleenroll", "sen", "application/pkcs10" },
	[OP_REENROLL] = { "simplereenroll", "sren", "application/pkcs10" },
	[OP_KEYGEN] = { "serverkeygen", "skg", "application/pkcs10" },
};

static const char *
path_of(const struct twin *t)
{
	const char *slash = t->label[0] != '\0' ? "/" : "";

	if (t->path != NULL)
		return t->path;
	if (t->op < OP_ENROLL)
		return t->wire == ON_COAPS ? paths[t->op].coaps : paths[t->op].https;
	return t->wire == ON_COAPS
	           ? arena_printf(t->a, "/e%s%s/%s", slash, t->label, paths[t->op].coaps)
	           : arena_printf(
	                 t->a, "/.well-known/est%s%s/%s", slash, t->label, paths[t->op].https);
}

static char *
base64_of(struct arena *a, mst_span bytes)
{
	struct mst_buf b = arena_buf(a, MST_BASE64_LEN(bytes.len) + 1);

	assert_int_equal(mst_base64_encode(bytes, &b), MST_OK);
	return arena_str(a, mst_buf_span(&b));
}

static void
say_binding(struct twin *t, const struct link *l)
{
	mst_span b = link_binding(l, t->a);
	char *text;

	if (t->binding == BINDING_CUT)
		b.len--;
	else if (t->binding == BINDING_HALF)
		b.len /= 2;
	text = base64_of(t->a, b);
	switch (t->binding) {
	case NO_BINDING:
	case BINDING:
	case BINDING_CUT:
	case BINDING_HALF:
	case BINDING_TWICE:
	case BINDING_OF_ANOTHER: break;
	case BINDING_TEXT_CUT: text[strlen(text) - 1] = '\0'; break;
	case BINDING_LONGER: text = arena_printf(t->a, "%sA", text); break;
	case BINDING_NEWLINE: text = arena_printf(t->a, "%s\n", text); break;
	case BINDING_BIT: text[3] = text[3] == 'A' ? 'B' : 'A'; break;
	case BINDING_EMPTY: text[0] = '\0'; break;
	}
	csr_add_attr(&t->csr, t->binding_oid, t->binding_type, text);
	t->csr.attr[t->csr.attrs - 1].copies = t->binding_copies;
	if (t->binding == BINDING_TWICE)
		csr_add_attr(&t->csr, UNSTRUCTURED_ADDRESS, t->binding_type, text);
}

/* OpenSSL builds no CSR with the same attribute twice: one is renamed in the bytes. */
static mst_span
rename_attribute(mst_span csr)
{
	static const uint8_t oid[] = { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x08 };
	uint8_t *at = memmem(csr.ptr, csr.len, oid, sizeof oid);

	assert_non_null(at);
	at[8] = 7;
	return csr;
}

static mst_span
csr_body(struct twin *t, const struct link *l)
{
	struct link another;

	if (t->body.ptr != NULL)
		return t->body;
	if (t->binding == BINDING_OF_ANOTHER) {
		assert_true(
		    link_open(&another, t->wire, twins_port(t->wire, t->option), t->client));
		say_binding(t, &another);
		link_close(&another);
	} else if (t->binding != NO_BINDING) {
		say_binding(t, l);
	}
	return t->binding == BINDING_TWICE ? rename_attribute(csr_make(t->a, &t->csr))
	                                   : csr_make(t->a, &t->csr);
}

static mst_span
body_of(struct twin *t, const struct link *l)
{
	mst_span b;

	switch (t->op) {
	case OP_ENROLL:
	case OP_REENROLL:
	case OP_KEYGEN:
		b = csr_body(t, l);
		return t->wire == ON_COAPS ? b : mst_span_str(base64_of(t->a, b));
	case OP_PVR:
	case OP_STATUS:
	case OP_ENROLLSTATUS: break;
	}
	if (t->body.ptr != NULL)
		return t->body;
	if (t->op != OP_PVR)
		return mst_span_of((const uint8_t *)CBOR_GOOD, sizeof CBOR_GOOD - 1);
	b = seal(t->a, t->media, &t->claims, t->signer, t->chain);
	if (t->flip)
		damage(t->media, b);
	b.len -= t->cut;
	return b;
}

/* --- what came of it --- */

struct before {
	off_t log;
	int64_t exchange, voucher_at;
	size_t certs, entries;
	int voucher_status, enroll_status;
};

/* An order that waits for an operator is no certificate. */
static size_t
certs_of_all(struct arena *a)
{
	struct cert_row *rows;
	size_t n, issued = 0;

	assert_int_equal(cert_rows(store_reader(site.store), a, 0, 0, 100000, &rows, &n), MST_OK);
	for (size_t i = 0; i < n; i++)
		issued += rows[i].state != CERT_ORDERED;
	return issued;
}

static mst_err
nothing(struct db *db, void *arg)
{
	(void)db;
	(void)arg;
	return MST_OK;
}

static size_t
masa_entries(const struct twin *t)
{
	struct masa_device d;
	struct masa_entry *list;
	size_t n = 0;

	assert_int_equal(store_write_wait(world.store, nothing, NULL), MST_OK);
	if (masa_device_by_serial(store_reader(world.store), t->a, mst_span_str(t->serial), &d) ==
	    MST_OK)
		assert_int_equal(
		    masa_log_list(store_reader(world.store), t->a, d.id, &list, &n), MST_OK);
	return n;
}

static struct before
look(const struct twin *t)
{
	struct exchange x;
	struct device d = site_row(t->serial);
	struct before b = { .log = lseek(site.log_fd, 0, SEEK_END),
		.certs = certs_of_all(t->a),
		.entries = masa_entries(t),
		.voucher_at = d.voucher_at,
		.voucher_status = d.voucher_status,
		.enroll_status = d.enroll_status };

	site_exchanges(t->serial, &x);
	b.exchange = x.id;
	return b;
}

/* Of one JSON line; empty: absent. */
static void
field(const char *line, const char *name, char *out, size_t cap)
{
	char want[40];
	const char *at;

	snprintf(want, sizeof want, "\"%s\":\"", name);
	at = strstr(line, want);
	out[0] = '\0';
	if (at != NULL)
		snprintf(
		    out, cap, "%.*s", (int)strcspn(at + strlen(want), "\""), at + strlen(want));
}

/* What differs between any two twins: the serial number, the id of a request. */
static void
mask(const struct twin *t, char *text)
{
	static const char id[] = "(request ";
	char *at = text;

	while ((at = strstr(at, t->serial)) != NULL)
		memset(at, '#', strlen(t->serial));
	if ((at = strstr(text, id)) != NULL)
		for (at += strlen(id); strspn(at, "0123456789abcdef") > 0; at++)
			*at = '#';
}

static void
read_line(const struct twin *t, const char *line, struct twin_verdict *v)
{
	char role[24], outcome[24], name[40];

	field(line, "role", role, sizeof role);
	field(line, "outcome", outcome, sizeof outcome);
	if (outcome[0] == '\0' || strcmp(outcome, "accepted") == 0)
		return;
	field(line, "name", name, sizeof name);
	if (strcmp(role, "masa") == 0) {
		snprintf(v->masa, sizeof v->masa, "%s", name);
		return;
	}
	snprintf(v->name, sizeof v->name, "%s", name);
	field(line, "code", v->code, sizeof v->code);
	field(line, "step", v->step, sizeof v->step);
	field(line, "detail", v->detail, sizeof v->detail);
	mask(t, v->detail);
}

static void
read_log(struct twin *t, off_t from, struct twin_verdict *v)
{
	size_t len = (size_t)(lseek(site.log_fd, 0, SEEK_END) - from);
	char *text = arena_alloc(t->a, len + 1), *save, *line;

	assert_int_equal(pread(site.log_fd, text, len, from), len);
	text[len] = '\0';
	for (line = strtok_r(text, "\n", &save); line != NULL; line = strtok_r(NULL, "\n", &save))
		read_line(t, line, v);
}

static void
see(struct twin *t, const struct before *b, struct twin_verdict *v)
{
	struct device d = site_row(t->serial); /* and what was submitted is written */
	struct exchange x;
	struct trail *rows;
	size_t n = 0;

	v->state = d.state;
	v->audit = d.audit_verdict;
	if (d.id != 0)
		assert_int_equal(
		    trail_list(store_reader(site.store), t->a, d.id, 0, 10000, &rows, &n), MST_OK);
	v->trail = n > 0 ? rows[n - 1].err : MST_OK;
	site_exchanges(t->serial, &x);
	v->kept = certs_of_all(t->a) != b->certs || masa_entries(t) != b->entries ||
	          (x.id != b->exchange && x.voucher.ptr != NULL) || d.voucher_at != b->voucher_at ||
	          (d.voucher_status == 1 && b->voucher_status != 1) ||
	          (d.enroll_status == 1 && b->enroll_status != 1);
}

void
twin_ask(struct twin *t, struct twin_verdict *v)
{
	struct link_ask q = { .type = t->type, .accept = t->accept };
	struct before b = look(t);
	struct link l;

	memset(v, 0, sizeof *v);
	if (!(v->connected = link_open(&l, t->wire, twins_port(t->wire, t->option), t->client))) {
		read_log(t, b.log, v);
		see(t, &b, v);
		return;
	}
	q.path = path_of(t);
	q.body = body_of(t, &l);
	for (int i = 0; i < t->times && v->status < 500; i++)
		link_ask(&l, &q, v);
	read_log(t, b.log, v);
	v->ended = !link_lives(&l, t->ends ? 300 : 8000);
	see(t, &b, v);
	link_close(&l);
}

/* --- ready for an operation --- */

static void
defaults(struct twin *t, enum twin_op op)
{
	static const uint8_t nonce[16] = "A nonce of twins";

	t->op = op;
	t->client = op == OP_REENROLL ? &t->ldevid : &t->device;
	t->option = USUAL;
	t->label = "";
	t->type = paths[op].type;
	t->accept = t->path = NULL;
	t->body = MST_NONE;
	t->times = 1;
	mst_voucher_claims_init(&t->claims, MST_VOUCHER_REQUEST);
	t->claims.assertion = MST_ASSERT_PROXIMITY;
	t->claims.created_on = time(NULL);
	t->claims.serial = mst_span_str(t->serial);
	t->claims.nonce = mst_span_of(nonce, sizeof nonce);
	t->claims.nonce_text = mst_span_str(base64_of(t->a, t->claims.nonce));
	t->claims.proximity_cert = der_of(t->a, site.registrar.cert);
	t->signer = &t->device;
	t->chain = site.maker.cert;
	t->media = MST_MEDIA_COSE_CBOR;
	t->binding = NO_BINDING;
	t->binding_oid = OID_CHALLENGE;
	t->binding_type = V_ASN1_UTF8STRING;
	t->binding_copies = 0;
	t->csr = (struct csr_spec){ .key = t->key,
		.subject = arena_printf(t->a, "O=" ORGANIZATION ",serialNumber=%s", t->serial) };
}

static void
good(struct twin *t, enum twin_op op)
{
	struct twin_verdict v;

	defaults(t, op);
	twin_ask(t, &v);
	if (!v.connected || v.status / 100 != 2)
		fail_msg("the good request: %d %s %s", v.status, v.body, v.name);
}

void
twin_enrolled(struct twin *t)
{
	enum twin_option option = t->option;
	struct cert_row *rows;
	const unsigned char *p;
	size_t n;

	assert_int_equal(
	    cert_rows(store_reader(site.store), t->a, twin_row(t).id, 0, 10, &rows, &n), MST_OK);
	assert_int_equal(n, 1);
	p = rows[0].der.ptr;
	t->ldevid = (struct id){ d2i_X509(NULL, &p, (long)rows[0].der.len), t->key };
	assert_non_null(t->ldevid.cert);
	t->key = EVP_EC_gen("P-256"); /* a renewal is for another */
	defaults(t, OP_REENROLL);
	t->option = option;
}

void
twin_voucher(struct twin *t)
{
	enum twin_op op = t->op;

	good(t, OP_PVR);
	defaults(t, op);
}

void
twin_begin(struct twin *t, enum wire wire, enum twin_op op)
{
	memset(t, 0, sizeof *t);
	t->a = arena_new(0);
	t->wire = wire;
	t->serial = arena_printf(t->a, "T-%04d", world.number++);
	t->device =
	    ID(.kind = ID_DEVICE, .cn = "d", .serial_number = t->serial, .issuer = &site.maker);
	t->key = EVP_EC_gen("P-256");
	atomic_store(&site.mode, MASA_GOOD);
	atomic_store(&site.audit, AUDIT_GOOD);
	if (op > OP_PVR)
		good(t, OP_PVR);
	if (op > OP_ENROLLSTATUS)
		good(t, OP_STATUS);
	if (op == OP_REENROLL) {
		good(t, OP_ENROLL);
		twin_enrolled(t);
	} else {
		defaults(t, op);
	}
}

void
twin_end(struct twin *t)
{
	site.masa_port = world.liar_port;
	if (world.bent)
		site_put_maker(&site.maker_row);
	world.bent = false;
	id_free(&t->device);
	id_free(&t->ldevid);
	id_free(&t->other);
	EVP_PKEY_free(t->key);
	arena_free(t->a);
}
