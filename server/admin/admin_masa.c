/* SPDX-License-Identifier: Apache-2.0 */
/* idevid.*, inventory.*, customer.*, voucherlog.*: the manufacturer's side. */
#include "server/admin/room.h"

#include <string.h>

#include <openssl/evp.h>
#include <openssl/rand.h>

#include "host/cert.h"
#include "host/clock.h"

/* --- idevid.issue: written, then signed, then recorded, then answered --- */

struct idevid {
	struct admin_call *call;
	struct masa_device d;
	mst_span spki, number; /* number: of the certificate */
	int64_t entry; /* the order's row in the trail */
};

static mst_err
plan_job(struct db *db, void *arg)
{
	struct idevid *i = arg;
	struct masa_device known;
	struct trail t = { .at = clock_wall(),
		.role = "masa",
		.step = STEP_IDEVID,
		.peer = i->call->by,
		.detail = arena_printf(i->call->a, "IDevID ordered for %.*s", (int)i->d.serial.len,
		    (const char *)i->d.serial.ptr) };
	mst_err e = masa_device_by_serial(db, i->call->a, i->d.serial, &known);

	if (e == MST_OK || e == MST_E_CONFLICT)
		return admin_refuse(i->call, MST_E_CONFLICT,
		    "this manufacturer has made \"%.*s\" already", (int)i->d.serial.len,
		    (const char *)i->d.serial.ptr);
	if (e != MST_E_NOT_FOUND || (e = trail_add(db, &t)) != MST_OK)
		return e;
	return trail_last(db, &i->entry);
}

static mst_err
made_job(struct db *db, void *arg)
{
	struct idevid *i = arg;

	return masa_device_add(db, &i->d);
}

/* The CSR's key, after its proof of possession. */
static mst_err
take_csr(struct idevid *i)
{
	struct admin_call *call = i->call;
	const uint8_t *p;
	mst_span der;
	X509_REQ *req;
	uint8_t *spki = NULL;
	int n;
	mst_err e = admin_base64(call, "csr", &der);

	if (e != MST_OK)
		return e;
	p = der.ptr;
	req = der.ptr != NULL ? d2i_X509_REQ(NULL, &p, (long)der.len) : NULL;
	if (req == NULL || p != der.ptr + der.len)
		e = admin_refuse(call, MST_E_CSR_PARSE, "\"csr\" is no PKCS#10 request");
	else if (X509_REQ_verify(req, X509_REQ_get0_pubkey(req)) != 1)
		e = admin_refuse(call, MST_E_CSR_POP, "the CSR's signature does not verify");
	else if ((n = i2d_X509_PUBKEY(X509_REQ_get_X509_PUBKEY(req), &spki)) <= 0)
		e = MST_E_NOMEM;
	else
		i->spki = arena_dup(call->a, mst_span_of(spki, (size_t)n));
	OPENSSL_free(spki);
	X509_REQ_free(req);
	return e;
}

static mst_err
new_number(struct idevid *i)
{
	uint8_t number[16];

	if (RAND_bytes(number, sizeof number) != 1)
		return MST_E_RANDOM;
	number[0] = (uint8_t)((number[0] & 0x7f) | 0x40); /* positive, and 16 bytes long */
	i->number = arena_dup(i->call->a, mst_span_of(number, sizeof number));
	return i->number.ptr != NULL ? MST_OK : MST_E_NOMEM;
}

static mst_err
sign_idevid(struct idevid *i)
{
	struct admin_call *call = i->call;
	struct keys_request k = { .kind = KEYS_SIGN_IDEVID,
		.entry = (uint64_t)i->entry,
		.slot = call->c->idevid_slot,
		.serial = i->number,
		.spki = i->spki,
		.not_before = clock_wall(),
		.device_serial = i->d.serial,
		.masa_url = call->c->masa_url,
		.organization = call->c->organization };
	mst_err e = keys_call_wait(call->c->keys, &k, call->a, &i->d.idevid_cert);

	return e == MST_OK ? e : admin_refuse(call, e, "the key process refused to sign");
}

static mst_err
describe_certificate(struct idevid *i, X509 *cert)
{
	struct admin_call *call = i->call;
	const STACK_OF(X509) *chain;
	mst_span pem;
	uint8_t digest[32];
	json_t *list;
	X509 *ca;
	mst_err e;

	if ((e = cert_idevid_issuer(call->a, cert, &i->d.idevid_issuer)) != MST_OK ||
	    (e = cert_pem(call->a, cert, &pem)) != MST_OK ||
	    (e = keys_cert(call->c->keys, call->c->idevid_slot, &ca, &chain)) != MST_OK)
		return e;
	if (EVP_Digest(i->spki.ptr, i->spki.len, digest, NULL, EVP_sha256(), NULL) != 1)
		return MST_E_NOMEM;
	i->d.spki_sha256 = arena_dup(call->a, mst_span_of(digest, sizeof digest));
	list = json_array();
	json_array_append_new(list, admin_json_text(pem));
	if (cert_pem(call->a, ca, &pem) == MST_OK)
		json_array_append_new(list, admin_json_text(pem));
	for (int n = 0; chain != NULL && n < sk_X509_num(chain); n++)
		if (cert_pem(call->a, sk_X509_value(chain, n), &pem) == MST_OK)
			json_array_append_new(list, admin_json_text(pem));
	call->data = json_pack("{s:o}", "chain", list);
	return call->data != NULL ? MST_OK : MST_E_NOMEM;
}

static mst_err
issue_idevid(struct admin_call *call)
{
	struct idevid i = { .call = call };
	const char *serial;
	X509 *cert = NULL;
	mst_err e = admin_need(call, "serial", &serial);

	if (e != MST_OK)
		return e;
	if (call->c->idevid_slot == NULL)
		return admin_refuse(call, MST_E_UNSUPPORTED,
		    "this configuration has no IDevID CA (masa: idevid_cert, idevid_key)");
	i.d.serial = mst_span_str(serial);
	i.d.product = admin_text(call, "product");
	i.d.made_at = clock_wall();
	if (mst_serial_check(i.d.serial) != MST_OK)
		return admin_refuse(
		    call, MST_E_VOUCHER_SERIAL_FORMAT, "\"%s\" is no serial number", serial);
	if ((e = take_csr(&i)) != MST_OK || (e = new_number(&i)) != MST_OK ||
	    (e = store_write_wait(call->c->store, plan_job, &i)) != MST_OK ||
	    (e = sign_idevid(&i)) != MST_OK || (e = cert_parse(i.d.idevid_cert, &cert)) != MST_OK)
		return e;
	if ((e = describe_certificate(&i, cert)) == MST_OK)
		e = store_write_wait(call->c->store, made_job, &i);
	X509_free(cert);
	return e;
}

/* --- inventory --- */

static json_t *
describe_device(struct admin_call *call, const struct masa_device *d)
{
	static const char *const states[] = { "made", "blocked", "owned" };
	json_t *o = json_object();

	json_object_set_new(o, "serial", admin_json_text(d->serial));
	json_object_set_new(o, "idevid_issuer", admin_json_hex(call->a, d->idevid_issuer));
	json_object_set_new(o, "product", admin_json_words(d->product));
	json_object_set_new(o, "customer", json_integer(d->customer));
	json_object_set_new(o, "state", json_string(states[d->state]));
	json_object_set_new(o, "reason", admin_json_words(d->state_reason));
	json_object_set_new(o, "made_at", admin_json_time(call->a, d->made_at));
	return o;
}

static mst_err
list_inventory(struct admin_call *call)
{
	struct masa_device *rows;
	size_t count;
	mst_err e = masa_device_list(store_reader(call->c->store), call->a,
	    mst_span_str(admin_text(call, "after")), admin_limit(call, 10000), &rows, &count);

	if (e != MST_OK)
		return e;
	call->data = json_array();
	for (size_t i = 0; i < count; i++)
		json_array_append_new(call->data, describe_device(call, &rows[i]));
	return MST_OK;
}

static mst_err
set_state_job(struct db *db, void *arg)
{
	struct admin_call *call = arg;
	const char *serial, *state = admin_text(call, "state"),
	                    *name = admin_text(call, "customer");
	struct masa_customer customer;
	struct masa_device d;
	mst_err e = admin_need(call, "serial", &serial);

	if (e != MST_OK)
		return e;
	if ((e = masa_device_by_serial(db, call->a, mst_span_str(serial), &d)) != MST_OK)
		return admin_refuse(call, e, "no device \"%s\"", serial);
	if (name != NULL) {
		if ((e = masa_customer_get(db, call->a, name, &customer)) != MST_OK)
			return admin_refuse(call, e, "no customer \"%s\"", name);
		d.customer = customer.id;
	}
	if (state == NULL || strcmp(state, "made") == 0) {
		d.state = name != NULL ? MASA_OWNED : MASA_MADE;
		if (name == NULL)
			d.customer = 0; /* free means free: no former owner stays behind */
	} else if (strcmp(state, "blocked") == 0) {
		d.state = MASA_BLOCKED;
	} else {
		return admin_refuse(call, MST_E_USAGE, "state is made or blocked");
	}
	d.state_reason = admin_text(call, "reason");
	if ((e = masa_device_save(db, &d)) != MST_OK ||
	    (e = admin_trail(call, db, 0,
	         arena_printf(call->a, "inventory: %s is %s", serial,
	             d.state == MASA_BLOCKED ? "blocked"
	             : d.state == MASA_OWNED ? name
	                                     : "free"))) != MST_OK)
		return e;
	call->data = describe_device(call, &d);
	return MST_OK;
}

static mst_err
set_state(struct admin_call *call)
{
	return store_write_wait(call->c->store, set_state_job, call);
}

/* --- customers --- */

static mst_err
trust_customer_job(struct db *db, void *arg)
{
	struct admin_call *call = arg;
	struct masa_customer c = { .id = 0 };
	const char *name;
	const char *password = admin_text(call, "password");
	struct anchors *parsed;
	mst_err e = admin_need_name(call, &name);

	if (e != MST_OK)
		return e;
	e = masa_customer_get(db, call->a, name, &c);
	if (e != MST_OK && e != MST_E_NOT_FOUND)
		return e;
	c.name = name;
	admin_take_span(call, "anchors", &c.anchors_pem);
	admin_take_span(call, "crl", &c.crl_pem);
	if (c.anchors_pem.len != 0) {
		if (anchors_new(c.anchors_pem, MST_NONE, &parsed) != MST_OK)
			return admin_refuse(
			    call, MST_E_X509, "\"anchors\" has no readable certificate");
		anchors_free(parsed);
		if (anchors_new(c.anchors_pem, c.crl_pem.len != 0 ? c.crl_pem : MST_NONE,
		        &parsed) != MST_OK)
			return admin_refuse(call, MST_E_X509, "\"crl\" has no readable CRL");
		anchors_free(parsed);
	}
	if (admin_text(call, "user") != NULL)
		c.user = admin_text(call, "user");
	if (password != NULL && (e = call->c->password_hash(
	                             call->a, mst_span_str(password), &c.password_hash)) != MST_OK)
		return e;
	c.nonceless = admin_bool(call, "nonceless", c.nonceless);
	c.hard_revocation = admin_bool(call, "hard_revocation", c.hard_revocation);
	if ((e = masa_customer_put(db, &c)) != MST_OK)
		return e;
	call->data = json_pack("{s:s,s:b,s:b}", "name", name, "nonceless", c.nonceless,
	    "hard_revocation", c.hard_revocation);
	return admin_trail(call, db, 0, arena_printf(call->a, "customer %s", name));
}

static mst_err
trust_customer(struct admin_call *call)
{
	mst_err e = store_write_wait(call->c->store, trust_customer_job, call);

	if (e == MST_OK && call->c->reload != NULL)
		call->c->reload(call->c->reload_arg);
	return e;
}

static mst_err
list_customers(struct admin_call *call)
{
	struct masa_customer *rows;
	size_t count;
	mst_err e = masa_customer_list(store_reader(call->c->store), call->a, &rows, &count);

	if (e != MST_OK)
		return e;
	call->data = json_array();
	for (size_t i = 0; i < count; i++)
		json_array_append_new(
		    call->data, json_pack("{s:s,s:s?,s:b,s:b}", "name", rows[i].name, "user",
		                    rows[i].user, "nonceless", rows[i].nonceless, "hard_revocation",
		                    rows[i].hard_revocation));
	return MST_OK;
}

/* --- the voucher log of one device --- */

static mst_err
voucher_log(struct admin_call *call)
{
	struct db *db = store_reader(call->c->store);
	const char *serial;
	struct masa_device d;
	struct masa_entry *rows;
	size_t count;
	mst_err e = admin_need(call, "serial", &serial);

	if (e != MST_OK)
		return e;
	if ((e = masa_device_by_serial(db, call->a, mst_span_str(serial), &d)) != MST_OK)
		return admin_refuse(call, e, "no device \"%s\"", serial);
	if ((e = masa_log_list(db, call->a, d.id, &rows, &count)) != MST_OK)
		return e;
	call->data = json_array();
	for (size_t i = 0; i < count; i++) {
		json_t *o = json_object();

		json_object_set_new(o, "seq", json_integer(rows[i].seq));
		json_object_set_new(o, "at", admin_json_time(call->a, rows[i].at));
		json_object_set_new(
		    o, "assertion", json_string(mst_assertion_name(rows[i].assertion)));
		json_object_set_new(o, "nonceless", json_boolean(rows[i].nonce.ptr == NULL));
		json_object_set_new(o, "domain_id", admin_json_base64(call->a, rows[i].domain_id));
		json_object_set_new(o, "client", admin_json_words(rows[i].client));
		json_object_set_new(o, "source", admin_json_words(rows[i].source));
		json_object_set_new(o, "signed", json_boolean(rows[i].voucher.ptr != NULL));
		json_array_append_new(call->data, o);
	}
	return MST_OK;
}

const struct admin_word admin_masa_verbs[] = {
	{ "idevid.issue", issue_idevid },
	{ "inventory.list", list_inventory },
	{ "inventory.set", set_state },
	{ "customer.trust", trust_customer },
	{ "customer.list", list_customers },
	{ "voucherlog.list", voucher_log },
	{ NULL, NULL },
};
