/* SPDX-License-Identifier: Apache-2.0 */
/* manufacturer.*: whose devices this site takes, and how. */
#include "server/admin/room.h"

#include <string.h>

#include "host/cert.h"

static json_t *
describe(struct admin_call *call, const struct manufacturer *m)
{
	static const char *const rules[] = { "subject", "hardware-module", "cn" };
	json_t *o = json_object();

	(void)call;
	json_object_set_new(o, "name", json_string(m->name));
	json_object_set_new(o, "enabled", json_boolean(m->enabled));
	json_object_set_new(o, "mode", json_string(accept_mode_word(m->mode)));
	json_object_set_new(o, "anchors", admin_json_text(m->anchors_pem));
	json_object_set_new(o, "voucher_anchors", admin_json_text(m->voucher_anchors_pem));
	json_object_set_new(o, "masa", admin_json_words(m->masa_url));
	json_object_set_new(o, "masa_hosts", admin_json_words(m->masa_hosts));
	json_object_set_new(o, "masa_anchors", admin_json_text(m->masa_anchors_pem));
	json_object_set_new(o, "masa_user", admin_json_words(m->masa_user));
	json_object_set_new(o, "masa_cert", admin_json_words(m->masa_cert_uri));
	json_object_set_new(o, "masa_key", admin_json_words(m->masa_key_uri));
	json_object_set_new(o, "serial_rule", json_string(rules[m->serial_rule]));
	json_object_set_new(o, "ignore_expiry", json_boolean(m->ignore_expiry));
	json_object_set_new(
	    o, "audit_policy", json_string(m->audit_policy != NULL ? m->audit_policy : "strict"));
	json_object_set_new(o, "legacy_base64", json_boolean(m->legacy_base64));
	json_object_set_new(o, "crl", json_boolean(m->crl_pem.len != 0));
	return o;
}

/* A PEM member: must parse as certificates. Absent: the row keeps what it has. */
static mst_err
take_pem(struct admin_call *call, const char *name, mst_span *field)
{
	const char *text = admin_text(call, name);
	struct anchors *parsed;

	if (text == NULL)
		return MST_OK;
	if (text[0] == '\0') {
		*field = MST_NONE;
		return MST_OK;
	}
	if (anchors_new(mst_span_str(text), MST_NONE, &parsed) != MST_OK)
		return admin_refuse(call, MST_E_X509, "\"%s\" has no readable certificate", name);
	anchors_free(parsed);
	*field = mst_span_str(text);
	return MST_OK;
}

static void
take_text(struct admin_call *call, const char *name, const char **field)
{
	const char *text = admin_text(call, name);

	if (text != NULL)
		*field = text[0] != '\0' ? text : NULL;
}

static mst_err
take_words(struct admin_call *call, struct manufacturer *m)
{
	const char *mode = admin_text(call, "mode"), *rule = admin_text(call, "serial_rule");
	const char *policy = admin_text(call, "audit_policy");
	int v;

	if (mode != NULL) {
		if ((v = accept_mode_find(mode)) < 0)
			return admin_refuse(call, MST_E_USAGE, "mode is auto, listed or ask");
		m->mode = (enum accept_mode)v;
	}
	if (rule != NULL) {
		if ((v = cert_serial_rule_find(rule)) < 0)
			return admin_refuse(
			    call, MST_E_USAGE, "serial_rule is subject, hardware-module or cn");
		m->serial_rule = (enum cert_serial_rule)v;
	}
	if (policy != NULL) {
		if (strcmp(policy, "strict") != 0 && strcmp(policy, "warn") != 0)
			return admin_refuse(call, MST_E_USAGE, "audit_policy is strict or warn");
		m->audit_policy = policy;
	}
	return MST_OK;
}

/* host[:port] each: what cert_masa_url_check makes of a bare authority. */
static mst_err
check_hosts(struct admin_call *call, const char *hosts)
{
	const char *base;

	while (hosts != NULL && *hosts != '\0') {
		size_t n = strcspn(hosts, " ");

		if (n != 0 &&
		    (memchr(hosts, '/', n) != NULL ||
		        cert_masa_url_check(call->a, mst_span_of(hosts, n), &base) != MST_OK))
			return admin_refuse(call, MST_E_MASA_URL,
			    "\"masa_hosts\" is a list of host or host:port, not \"%.*s\"", (int)n,
			    hosts);
		hosts += n;
		hosts += strspn(hosts, " ");
	}
	return MST_OK;
}

static mst_err
take_masa(struct admin_call *call, struct manufacturer *m)
{
	const char *base;
	mst_err e;

	take_text(call, "masa", &m->masa_url);
	take_text(call, "masa_hosts", &m->masa_hosts);
	take_text(call, "masa_cert", &m->masa_cert_uri);
	take_text(call, "masa_key", &m->masa_key_uri);
	take_text(call, "masa_user", &m->masa_user);
	take_text(call, "masa_password", &m->masa_password);
	if (m->masa_url != NULL &&
	    cert_masa_url_check(call->a, mst_span_str(m->masa_url), &base) != MST_OK)
		return admin_refuse(call, MST_E_MASA_URL, "\"%s\" is no MASA URL", m->masa_url);
	if ((e = check_hosts(call, m->masa_hosts)) != MST_OK)
		return e;
	if ((m->masa_cert_uri == NULL) != (m->masa_key_uri == NULL))
		return admin_refuse(call, MST_E_USAGE, "masa_cert and masa_key go together");
	if (m->masa_url == NULL && m->masa_hosts == NULL)
		return admin_refuse(call, MST_E_USAGE,
		    "give masa (a URL) or masa_hosts (which hosts an IDevID may name)");
	return MST_OK;
}

/* One that does not parse would make the manufacturer's every device a stranger. */
static mst_err
take_crl(struct admin_call *call, struct manufacturer *m)
{
	struct anchors *parsed;

	admin_take_span(call, "crl", &m->crl_pem);
	if (anchors_new(m->anchors_pem, m->crl_pem.len != 0 ? m->crl_pem : MST_NONE, &parsed) !=
	    MST_OK)
		return admin_refuse(call, MST_E_X509, "\"crl\" has no readable CRL");
	anchors_free(parsed);
	return MST_OK;
}

static mst_err
trust_job(struct db *db, void *arg)
{
	struct admin_call *call = arg;
	struct manufacturer m = { .mode = ACCEPT_ASK, .audit_policy = "strict", .enabled = true };
	const char *name;
	mst_err e = admin_need_name(call, &name);

	if (e != MST_OK)
		return e;
	e = manufacturer_get(db, call->a, name, &m);
	if (e != MST_OK && e != MST_E_NOT_FOUND)
		return e;
	m.name = name;
	if ((e = take_pem(call, "anchors", &m.anchors_pem)) != MST_OK ||
	    (e = take_pem(call, "voucher_anchors", &m.voucher_anchors_pem)) != MST_OK ||
	    (e = take_pem(call, "masa_anchors", &m.masa_anchors_pem)) != MST_OK ||
	    (e = take_words(call, &m)) != MST_OK || (e = take_masa(call, &m)) != MST_OK)
		return e;
	if (m.anchors_pem.len == 0)
		return admin_refuse(
		    call, MST_E_USAGE, "\"anchors\" is missing: the IDevID CA's PEM");
	if ((e = take_crl(call, &m)) != MST_OK)
		return e;
	m.ignore_expiry = admin_bool(call, "ignore_expiry", m.ignore_expiry);
	m.legacy_base64 = admin_bool(call, "legacy_base64", m.legacy_base64);
	m.enabled = admin_bool(call, "enabled", m.enabled);
	if ((e = manufacturer_put(db, &m)) != MST_OK ||
	    (e = admin_trail(
	         call, db, 0, arena_printf(call->a, "manufacturer %s trusted", name))) != MST_OK)
		return e;
	call->data = describe(call, &m);
	return MST_OK;
}

static mst_err
trust(struct admin_call *call)
{
	return store_write_wait(call->c->store, trust_job, call);
}

static mst_err
list(struct admin_call *call)
{
	struct manufacturer *rows;
	size_t count;
	mst_err e = manufacturer_list(store_reader(call->c->store), call->a, &rows, &count);

	if (e != MST_OK)
		return e;
	call->data = json_array();
	for (size_t i = 0; i < count; i++)
		json_array_append_new(call->data, describe(call, &rows[i]));
	return MST_OK;
}

static mst_err
show(struct admin_call *call)
{
	const char *name;
	struct manufacturer m;
	mst_err e = admin_need(call, "name", &name);

	if (e != MST_OK)
		return e;
	if ((e = manufacturer_get(store_reader(call->c->store), call->a, name, &m)) != MST_OK)
		return admin_refuse(call, e, "no manufacturer \"%s\"", name);
	call->data = describe(call, &m);
	return MST_OK;
}

static mst_err
forget_job(struct db *db, void *arg)
{
	struct admin_call *call = arg;
	const char *name;
	mst_err e = admin_need(call, "name", &name);

	if (e != MST_OK)
		return e;
	e = manufacturer_delete(db, name);
	if (e == MST_E_CONFLICT)
		return admin_refuse(call, e, "%s still has devices; switch it off instead", name);
	if (e == MST_E_NOT_FOUND)
		return admin_refuse(call, e, "no manufacturer \"%s\"", name);
	if (e != MST_OK)
		return e;
	return admin_trail(call, db, 0, arena_printf(call->a, "manufacturer %s forgotten", name));
}

static mst_err
forget(struct admin_call *call)
{
	return store_write_wait(call->c->store, forget_job, call);
}

const struct admin_word admin_manufacturer_verbs[] = {
	{ "manufacturer.trust", trust },
	{ "manufacturer.list", list },
	{ "manufacturer.show", show },
	{ "manufacturer.forget", forget },
	{ NULL, NULL },
};
