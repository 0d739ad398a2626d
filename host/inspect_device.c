/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a certificate is for in BRSKI: an IDevID (ID-1 to ID-5), a registrar
 * (ID-6), a CA, or something real devices carry instead, such as a TPM's
 * endorsement certificate.
 */
#include "host/inspect_impl.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>

#define OID_SERVER_AUTH "1.3.6.1.5.5.7.3.1"
#define OID_CLIENT_AUTH "1.3.6.1.5.5.7.3.2"
#define OID_TCG_EK "2.23.133.8.1" /* tcg-kp-EKCertificate */
#define OID_TCG_AK "2.23.133.8.3" /* tcg-kp-AIKCertificate */
#define NO_END 253402300799 /* 99991231235959Z */

enum role {
	ROLE_CA,
	ROLE_TPM_EK,
	ROLE_REGISTRAR,
	ROLE_IDEVID,
	ROLE_DEVICE,
	ROLE_SERVER,
	ROLE_END_ENTITY,
};

static const struct {
	const char *word, *clause, *words;
} roles[] = {
	[ROLE_CA] = { "ca", "RFC 5280 4.2.1.9", "a certification authority" },
	[ROLE_TPM_EK] = { "tpm-ek", "TCG EK profile 2.0",
	    "a TPM's endorsement key: names the TPM, not the device, and cannot sign" },
	[ROLE_REGISTRAR] = { "registrar", "RFC 7030 3.6.1",
	    "a registrar of its CA: it has id-kp-cmcRA" },
	[ROLE_IDEVID] = { "idevid", "RFC 8995 2.3", "a device's birth certificate, by its looks" },
	[ROLE_DEVICE] = { "device", "RFC 8995 5.9", "a device's local certificate, by its looks" },
	[ROLE_SERVER] = { "server", "RFC 5280 4.2.1.12", "a TLS server" },
	[ROLE_END_ENTITY] = { "end-entity", "RFC 5280 3.1", "no CA; nothing says which role" },
};

/* The serial numbers that the three rules of ID-2 find. */
struct serials {
	mst_span by[3];
	int best; /* -1: none fits */
};
static const char *const rule_words[] = { "subject", "hardware-module", "cn" };

static bool
has_eku(X509 *cert)
{
	return X509_get_ext_by_NID(cert, NID_ext_key_usage, -1) >= 0;
}

static bool
has_extension(X509 *cert, const char *oid_text)
{
	ASN1_OBJECT *oid = OBJ_txt2obj(oid_text, 1);
	bool there = oid != NULL && X509_get_ext_by_OBJ(cert, oid, -1) >= 0;

	ASN1_OBJECT_free(oid);
	return there;
}

/* A common name that is a serial number has digits in a row; names of people and hosts have few. */
static bool
serial_like(mst_span s)
{
	size_t digits = 0;

	for (size_t i = 0; i < s.len; i++)
		digits += isdigit(s.ptr[i]) != 0;
	return digits >= 6;
}

static void
find_serials(struct report *r, X509 *cert, struct serials *s)
{
	static const enum cert_serial_rule rules[] = { CERT_SERIAL_SUBJECT,
		CERT_SERIAL_SAN_HWMODULE, CERT_SERIAL_CN };

	*s = (struct serials){ { MST_NONE, MST_NONE, MST_NONE }, -1 };
	for (int i = 0; i < 3; i++)
		if (cert_device_serial(r->a, cert, rules[i], &s->by[i]) != MST_OK)
			s->by[i] = MST_NONE;
		else if (s->best < 0 && (i < 2 || serial_like(s->by[i])))
			s->best = i;
}

static enum role
role_of(X509 *cert, const struct serials *s)
{
	if (X509_check_ca(cert) == 1)
		return ROLE_CA;
	if (cert_has_eku(cert, OID_TCG_EK))
		return ROLE_TPM_EK;
	if (cert_has_eku(cert, CERT_OID_CMC_RA))
		return ROLE_REGISTRAR;
	if (has_extension(cert, CERT_OID_MASA_URL) || cert_has_eku(cert, OID_TCG_AK))
		return ROLE_IDEVID;
	if (cert_has_eku(cert, OID_SERVER_AUTH))
		return ROLE_SERVER;
	if (s->best >= 0)
		return has_eku(cert) ? ROLE_DEVICE : ROLE_IDEVID;
	return ROLE_END_ENTITY;
}

/* --- names in subjectAltName that OpenSSL does not print --- */

/* TCG names a TPM's maker by four letters in hex: "id:49465800" is IFX. */
static const char *
tpm_maker(struct arena *a, const char *text)
{
	char letters[5] = "";
	unsigned long v;
	char *end;

	if (strncmp(text, "id:", 3) != 0 || strlen(text) != 11)
		return text;
	v = strtoul(text + 3, &end, 16);
	if (*end != '\0')
		return text;
	for (int i = 0; i < 4; i++) {
		unsigned char c = (unsigned char)(v >> (24 - 8 * i));

		if (c != 0 && isprint(c))
			letters[strlen(letters)] = (char)c;
	}
	return arena_printf(a, "%s (%s)", text, letters);
}

static void
report_tpm_names(struct report *r, const X509_NAME *name)
{
	static const struct {
		const char *oid, *name, *words;
	} parts[] = {
		{ "2.23.133.2.1", "tpm-manufacturer", "who made the TPM" },
		{ "2.23.133.2.2", "tpm-model", "which TPM it is" },
		{ "2.23.133.2.3", "tpm-version", "of its firmware" },
	};

	for (int i = 0; i < X509_NAME_entry_count(name); i++) {
		const X509_NAME_ENTRY *e = X509_NAME_get_entry(name, i);
		unsigned char *text = NULL;
		char oid[64];
		int n;

		OBJ_obj2txt(oid, sizeof oid, X509_NAME_ENTRY_get_object(e), 1);
		n = ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(e));
		for (size_t k = 0; n >= 0 && k < 3; k++) {
			char *copy;

			if (strcmp(oid, parts[k].oid) != 0)
				continue;
			copy = arena_str(r->a, mst_span_of(text, (size_t)n));
			if (copy != NULL)
				report_text(r, parts[k].name, tpm_maker(r->a, copy),
				    "TCG EK profile 2.0 3.1.2", parts[k].words);
		}
		OPENSSL_free(text);
	}
}

static void
report_other_name(struct report *r, const OTHERNAME *o)
{
	unsigned char *text = NULL;
	char oid[96];
	int n = -1;

	OBJ_obj2txt(oid, sizeof oid, o->type_id, 1);
	if (o->value != NULL &&
	    (o->value->type == V_ASN1_UTF8STRING || o->value->type == V_ASN1_PRINTABLESTRING ||
	        o->value->type == V_ASN1_IA5STRING))
		n = ASN1_STRING_to_UTF8(&text, o->value->value.asn1_string);
	if (n >= 0)
		report_span(r, arena_printf(r->a, "other-name %s", oid),
		    mst_span_of(text, (size_t)n), "RFC 5280 4.2.1.6",
		    strcmp(oid, "1.3.6.1.4.1.9.21.2.3") == 0
		        ? "Cisco's chip identifier of the ACT2 security chip"
		        : "a name of the issuer's own kind");
	OPENSSL_free(text);
}

static void
report_names(struct report *r, X509 *cert)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);

	for (int i = 0; names != NULL && i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *n = sk_GENERAL_NAME_value(names, i);

		if (n->type == GEN_DIRNAME)
			report_tpm_names(r, n->d.directoryName);
		else if (n->type == GEN_OTHERNAME)
			report_other_name(r, n->d.otherName);
	}
	GENERAL_NAMES_free(names);
	ERR_clear_error();
}

/* --- the profile of an IDevID --- */

static void
report_serials(struct report *r, const struct serials *s)
{
	static const char *const where[] = { "serialNumber of its subject (RFC 8995 2.3.1)",
		"hardwareModuleName in subjectAltName (RFC 4108 5)", "common name of its subject" };
	bool mixed;

	for (int i = 0; i < 3; i++)
		report_span(r, arena_printf(r->a, "serial-by-%s", rule_words[i]), s->by[i],
		    "RFC 8995 2.3.1", where[i]);
	if (s->best < 0) {
		json_object_set_new(r->top, "serial_number", json_null());
		json_object_set_new(r->top, "serial_rule", json_null());
		return;
	}
	mixed = memmem(s->by[s->best].ptr, s->by[s->best].len, "SN:", 3) != NULL;
	report_span(r, "device-serial", s->by[s->best], "RFC 8995 2.3.1",
	    mixed ? "product and serial number in one: vouchers carry this whole text"
	          : "what vouchers for this device carry as serial-number");
	report_text(r, "serial-rule", rule_words[s->best], "RFC 8995 2.3.1",
	    "for `muster manufacturer trust --serial-rule`");
	json_object_set_new(r->top, "serial_number", json_span(r->a, s->by[s->best]));
	json_object_set_new(r->top, "serial_rule", json_string(rule_words[s->best]));
}

static void
check_serial(struct report *r, const struct serials *s)
{
	const char *words = "no serial number is found by any rule: it cannot be an IDevID";

	if (s->by[0].ptr != NULL) {
		report_check(r, "ID-1", OUTCOME_OK, MST_OK, "RFC 8995 2.3.1",
		    "the subject has the serial number");
		return;
	}
	if (s->best >= 0)
		words = arena_printf(r->a,
		    "the subject has no serialNumber; the rule \"%s\" fits this manufacturer",
		    rule_words[s->best]);
	report_check(r, "ID-1", OUTCOME_WARN, MST_E_TLS_IDEVID_SERIAL, "RFC 8995 2.3.1", words);
}

static void
check_masa_url(struct report *r, X509 *cert)
{
	ASN1_OBJECT *oid = OBJ_txt2obj(CERT_OID_MASA_URL, 1);
	const char *base = NULL;
	mst_err e = cert_masa_url(r->a, cert, &base);
	int at = oid != NULL ? X509_get_ext_by_OBJ(cert, oid, -1) : -1;

	ASN1_OBJECT_free(oid);
	json_object_set_new(r->top, "masa_url", base != NULL ? json_string(base) : json_null());
	if (e == MST_OK)
		report_text(r, "masa-base", base, "RFC 8995 2.3.2",
		    cert_masa_url_is_private(base) ? "what a registrar makes of it; not a public "
		                                     "address, so the site must allow it"
		                                   : "what a registrar makes of it");
	if (e == MST_E_NOT_FOUND)
		report_check(r, "ID-3", OUTCOME_WARN, MST_E_MASA_URL, "RFC 8995 2.3.2",
		    "no MASA URL: the site must give it, `muster manufacturer trust --masa`");
	else if (e != MST_OK)
		report_check(r, "ID-3", OUTCOME_WARN, MST_E_MASA_URL, NULL,
		    "the MASA URL is not an https authority or URI");
	else if (at >= 0 && X509_EXTENSION_get_critical(X509_get_ext(cert, at)) == 1)
		report_check(r, "ID-3", OUTCOME_WARN, MST_E_MASA_URL, "RFC 8995 2.3.2",
		    "the MASA URL must not be critical");
	else
		report_check(
		    r, "ID-3", OUTCOME_OK, MST_OK, "RFC 8995 2.3.2", "the MASA URL is good");
}

static void
check_end(struct report *r, X509 *cert)
{
	bool endless = time_of(X509_get0_notAfter(cert)) >= NO_END;

	report_check(r, "ID-4", endless ? OUTCOME_OK : OUTCOME_WARN, MST_OK, "RFC 8995 2.6.2",
	    endless ? "has no end"
	            : "ends one day, though a device does not: `muster manufacturer trust "
	              "--ignore-expiry` takes it afterwards");
}

static void
check_use(struct report *r, X509 *cert)
{
	uint32_t usage = X509_get_key_usage(cert);

	if ((usage & KU_DIGITAL_SIGNATURE) == 0)
		report_check(r, "ID-5", OUTCOME_WARN, MST_E_X509_USAGE, "RFC 8995 2.3",
		    "its key may not sign, so it can neither authenticate TLS nor sign a "
		    "voucher-request");
	else if (has_eku(cert))
		report_check(r, "ID-5", OUTCOME_WARN, MST_OK, "RFC 8995 2.3",
		    "an IDevID should not be restricted by extendedKeyUsage");
	else
		report_check(r, "ID-5", OUTCOME_OK, MST_OK, "RFC 8995 2.3",
		    "its key may sign, and no extendedKeyUsage restricts it");
}

static void
profile_idevid(struct report *r, X509 *cert, const struct serials *s)
{
	mst_span issuer;

	report_serials(r, s);
	if (cert_idevid_issuer(r->a, cert, &issuer) == MST_OK)
		report_base64(r, "idevid-issuer", issuer, "RFC 8366bis 6.1",
		    X509_get_ext_by_NID(cert, NID_authority_key_identifier, -1) >= 0
		        ? "what a registrar writes into its request, from the AKI"
		        : "no AKI: what this registrar would make of the key");
	check_serial(r, s);
	if (s->by[0].ptr == NULL && s->best >= 0)
		report_check(r, "ID-2", OUTCOME_OK, MST_OK, "RFC 8995 2.3.1",
		    arena_printf(r->a, "the serial rule is \"%s\"", rule_words[s->best]));
	check_masa_url(r, cert);
	check_end(r, cert);
	check_use(r, cert);
}

/* ID-6 */
static void
profile_registrar(struct report *r, X509 *cert)
{
	bool server = cert_has_eku(cert, OID_SERVER_AUTH),
	     client = cert_has_eku(cert, OID_CLIENT_AUTH);

	report_check(r, "ID-6", OUTCOME_OK, MST_OK, "RFC 7030 3.6.1", "has id-kp-cmcRA");
	report_check(r, "ID-6", server ? OUTCOME_OK : OUTCOME_WARN,
	    server ? MST_OK : MST_E_X509_USAGE, "RFC 8995 5.5.4",
	    server ? "has id-kp-serverAuth, for pledges" : "lacks id-kp-serverAuth, for pledges");
	report_check(r, "ID-6", client ? OUTCOME_OK : OUTCOME_WARN,
	    client ? MST_OK : MST_E_X509_USAGE, "cBRSKI 7.4",
	    client ? "has id-kp-clientAuth, for MASAs"
	           : "lacks id-kp-clientAuth: towards MASAs it needs another certificate");
}

void
inspect_profile(struct report *r, X509 *cert)
{
	struct serials s;
	mst_span id;
	enum role role;

	find_serials(r, cert, &s);
	role = role_of(cert, &s);
	json_object_set_new(r->top, "role", json_string(roles[role].word));
	report_text(r, "role", roles[role].word, roles[role].clause, roles[role].words);
	report_names(r, cert);
	switch (role) {
	case ROLE_IDEVID:
	case ROLE_TPM_EK: profile_idevid(r, cert, &s); break;
	case ROLE_DEVICE: report_serials(r, &s); break;
	case ROLE_REGISTRAR: profile_registrar(r, cert); break;
	case ROLE_CA:
		if (cert_domain_id(r->a, cert, &id) == MST_OK)
			report_base64(r, "domain-id", id, "RFC 8995 5.8.2",
			    "how a MASA's audit log names this domain, if this is what it pins");
		break;
	case ROLE_SERVER:
	case ROLE_END_ENTITY: break;
	}
}
