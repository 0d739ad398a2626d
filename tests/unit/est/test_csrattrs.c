/* SPDX-License-Identifier: Apache-2.0 */
/* CSR attributes: what is emitted, read back by structures of the tests' own (est.md K1 to K8). */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/asn1t.h>

#include "host/file.h"
#include "muster/base64.h"
#include "unit/est/support_csr.h"

#define OID_TEMPLATE "1.2.840.113549.1.9.16.2.61"
#define SERIAL "SN-0042"

/* The template in full, with what ours leaves out: SET of (type, optional value). */
typedef struct {
	ASN1_OBJECT *type;
	ASN1_TYPE *value;
} T_RDN;
DEFINE_STACK_OF(T_RDN)
typedef STACK_OF(T_RDN) T_RDNS;
typedef struct {
	X509_ALGOR *algorithm;
	ASN1_BIT_STRING *key;
} T_SPKI;
typedef struct {
	ASN1_INTEGER *version;
	ASN1_SEQUENCE_ANY *subject; /* each a SET */
	T_SPKI *spki;
	STACK_OF(X509_ATTRIBUTE) *attributes;
} T_TEMPLATE;
/* clang-format off */
ASN1_SEQUENCE(T_RDN) = {
	ASN1_SIMPLE(T_RDN, type, ASN1_OBJECT),
	ASN1_OPT(T_RDN, value, ASN1_ANY)
} static_ASN1_SEQUENCE_END(T_RDN)
ASN1_ITEM_TEMPLATE(T_RDNS) =
	ASN1_EX_TEMPLATE_TYPE(ASN1_TFLG_SET_OF, 0, T_RDNS, T_RDN)
static_ASN1_ITEM_TEMPLATE_END(T_RDNS)
ASN1_SEQUENCE(T_SPKI) = {
	ASN1_SIMPLE(T_SPKI, algorithm, X509_ALGOR),
	ASN1_OPT(T_SPKI, key, ASN1_BIT_STRING)
} static_ASN1_SEQUENCE_END(T_SPKI)
ASN1_SEQUENCE(T_TEMPLATE) = {
	ASN1_SIMPLE(T_TEMPLATE, version, ASN1_INTEGER),
	ASN1_SEQUENCE_OF_OPT(T_TEMPLATE, subject, ASN1_ANY),
	ASN1_IMP_OPT(T_TEMPLATE, spki, T_SPKI, 0),
	ASN1_IMP_SET_OF(T_TEMPLATE, attributes, X509_ATTRIBUTE, 1)
} static_ASN1_SEQUENCE_END(T_TEMPLATE)
                                            /* clang-format on */

                                            static struct arena
                                            * arena;
static struct est_profile profile = { .label = "", .profile = "device", .organization = "Acme" };
static struct est_profile named = {
	.label = "", .profile = "device", .organization = "Acme", .san = EST_SAN_SERIAL
};

static mst_span
build(const struct est_profile *p, enum est_csrattrs form, const char *serial, bool binding)
{
	mst_span der = MST_NONE;

	assert_int_equal(
	    est_csrattrs_build(arena, p, form, mst_span_str(serial), 0, binding, &der), MST_OK);
	return der;
}

static ASN1_SEQUENCE_ANY *
elements(mst_span der)
{
	const unsigned char *p = der.ptr;
	ASN1_SEQUENCE_ANY *list = d2i_ASN1_SEQUENCE_ANY(NULL, &p, (long)der.len);
	unsigned char *again = NULL;
	int n;

	assert_non_null(list);
	assert_ptr_equal(p, der.ptr + der.len);
	n = i2d_ASN1_SEQUENCE_ANY(list, &again);
	assert_true(mst_span_eq(mst_span_of(again, (size_t)n), der));
	OPENSSL_free(again);
	return list;
}

static const char *
oid_text(const ASN1_OBJECT *o)
{
	static char text[80];

	OBJ_obj2txt(text, sizeof text, o, 1);
	return text;
}

/* The attribute of that type among the elements; *bare counts bare OIDs of it. */
static X509_ATTRIBUTE *
find(ASN1_SEQUENCE_ANY *list, const char *oid, int *bare, int *full)
{
	X509_ATTRIBUTE *found = NULL;

	*bare = *full = 0;
	for (int i = 0; i < sk_ASN1_TYPE_num(list); i++) {
		ASN1_TYPE *t = sk_ASN1_TYPE_value(list, i);
		X509_ATTRIBUTE *a;

		if (t->type == V_ASN1_OBJECT) {
			*bare += strcmp(oid_text(t->value.object), oid) == 0;
			continue;
		}
		assert_int_equal(t->type, V_ASN1_SEQUENCE);
		a = ASN1_TYPE_unpack_sequence(ASN1_ITEM_rptr(X509_ATTRIBUTE), t);
		assert_non_null(a);
		if (strcmp(oid_text(X509_ATTRIBUTE_get0_object(a)), oid) == 0 && ++*full == 1)
			found = a;
		else
			X509_ATTRIBUTE_free(a);
	}
	return found;
}

static T_TEMPLATE *
template_of(mst_span der)
{
	ASN1_SEQUENCE_ANY *list = elements(der);
	int bare, full;
	X509_ATTRIBUTE *a = find(list, OID_TEMPLATE, &bare, &full);
	T_TEMPLATE *t;

	assert_int_equal(bare, 0);
	assert_int_equal(full, 1);
	assert_int_equal(X509_ATTRIBUTE_count(a), 1);
	t = ASN1_TYPE_unpack_sequence(ASN1_ITEM_rptr(T_TEMPLATE), X509_ATTRIBUTE_get0_type(a, 0));
	assert_non_null(t);
	assert_int_equal(ASN1_INTEGER_get(t->version), 0);
	X509_ATTRIBUTE_free(a);
	sk_ASN1_TYPE_pop_free(list, ASN1_TYPE_free);
	return t;
}

static void
template_free(T_TEMPLATE *t)
{
	ASN1_item_free((ASN1_VALUE *)t, ASN1_ITEM_rptr(T_TEMPLATE));
}

static X509_ATTRIBUTE *
in_template(T_TEMPLATE *t, const char *oid)
{
	for (int i = 0; i < sk_X509_ATTRIBUTE_num(t->attributes); i++) {
		X509_ATTRIBUTE *a = sk_X509_ATTRIBUTE_value(t->attributes, i);

		if (strcmp(oid_text(X509_ATTRIBUTE_get0_object(a)), oid) == 0)
			return a;
	}
	return NULL;
}

static void
assert_san(X509_ATTRIBUTE *a, const char *san)
{
	STACK_OF(X509_EXTENSION) *list;
	ASN1_OCTET_STRING *v;

	assert_non_null(a);
	assert_int_equal(X509_ATTRIBUTE_count(a), 1); /* K4 */
	list = ASN1_TYPE_unpack_sequence(
	    ASN1_ITEM_rptr(X509_EXTENSIONS), X509_ATTRIBUTE_get0_type(a, 0));
	assert_non_null(list);
	assert_int_equal(sk_X509_EXTENSION_num(list), 1);
	assert_int_equal(OBJ_obj2nid(X509_EXTENSION_get_object(sk_X509_EXTENSION_value(list, 0))),
	    NID_subject_alt_name);
	v = X509_EXTENSION_get_data(sk_X509_EXTENSION_value(list, 0));
	assert_true(mst_span_eq(mst_span_of(v->data, (size_t)v->length), a_san(arena, san)));
	sk_X509_EXTENSION_pop_free(list, X509_EXTENSION_free);
}

static void
template_names_the_device_K6(void **state)
{
	T_TEMPLATE *t = template_of(build(&profile, EST_CSRATTRS_TEMPLATE, SERIAL, false));
	static const char *const oids[] = { "2.5.4.10", "2.5.4.5" };
	static const char *const values[] = { "Acme", SERIAL };

	(void)state;
	assert_int_equal(sk_ASN1_TYPE_num(t->subject), 2);
	for (int i = 0; i < 2; i++) {
		ASN1_TYPE *rdn = sk_ASN1_TYPE_value(t->subject, i);
		const unsigned char *p;
		T_RDNS *set;
		T_RDN *one;

		assert_int_equal(rdn->type, V_ASN1_SET);
		p = rdn->value.set->data;
		set = (T_RDNS *)ASN1_item_d2i(
		    NULL, &p, rdn->value.set->length, ASN1_ITEM_rptr(T_RDNS));
		assert_non_null(set);
		assert_int_equal(sk_T_RDN_num(set), 1);
		one = sk_T_RDN_value(set, 0);
		assert_string_equal(oid_text(one->type), oids[i]);
		assert_non_null(one->value);
		assert_int_equal(one->value->value.asn1_string->length, strlen(values[i]));
		assert_memory_equal(
		    one->value->value.asn1_string->data, values[i], strlen(values[i]));
		ASN1_item_free((ASN1_VALUE *)set, ASN1_ITEM_rptr(T_RDNS));
	}
	assert_null(t->spki); /* any key of C2 */
	assert_int_equal(sk_X509_ATTRIBUTE_num(t->attributes), 0);
	template_free(t);
}

static void
template_gives_the_san_in_one_extension_request_K4(void **state)
{
	T_TEMPLATE *t = template_of(build(&named, EST_CSRATTRS_TEMPLATE, SERIAL, false));

	(void)state;
	assert_int_equal(sk_X509_ATTRIBUTE_num(t->attributes), 1);
	assert_san(in_template(t, OID_EXTENSIONS), "DNS:sn-0042");
	template_free(t);
}

static void
template_asks_for_the_binding_without_a_value_K2(void **state)
{
	T_TEMPLATE *t = template_of(build(&profile, EST_CSRATTRS_TEMPLATE, SERIAL, true));
	X509_ATTRIBUTE *a = in_template(t, OID_CHALLENGE);

	(void)state;
	assert_non_null(a);
	assert_int_equal(X509_ATTRIBUTE_count(a), 0);
	template_free(t);
}

static void
old_form_lists_oids_and_one_extension_request_K2_K4(void **state)
{
	ASN1_SEQUENCE_ANY *list = elements(build(&named, EST_CSRATTRS_OLD, SERIAL, true));
	int bare, full;
	X509_ATTRIBUTE *a = find(list, OID_EXTENSIONS, &bare, &full);

	(void)state;
	assert_int_equal(full, 1);
	assert_int_equal(bare, 0);
	assert_san(a, "DNS:sn-0042");
	X509_ATTRIBUTE_free(a);
	assert_null(find(list, OID_CHALLENGE, &bare, &full));
	assert_int_equal(bare, 1);
	assert_null(find(list, OID_LINKING, &bare, &full));
	assert_int_equal(bare, 1);
	assert_null(find(list, "2.5.4.5", &bare, &full));
	assert_int_equal(bare, 1);
	assert_null(find(list, OID_TEMPLATE, &bare, &full));
	assert_int_equal(bare + full, 0);
	sk_ASN1_TYPE_pop_free(list, ASN1_TYPE_free);
}

static void
both_forms_stand_side_by_side_K7(void **state)
{
	mst_span both = build(&named, EST_CSRATTRS_BOTH, SERIAL, false);
	ASN1_SEQUENCE_ANY *list = elements(both);
	int bare, full;

	(void)state;
	template_free(template_of(both));
	X509_ATTRIBUTE_free(find(list, OID_EXTENSIONS, &bare, &full));
	assert_int_equal(full, 1);
	sk_ASN1_TYPE_pop_free(list, ASN1_TYPE_free);
}

static void
template_without_device_has_no_subject_K6(void **state)
{
	mst_span der = MST_NONE;
	T_TEMPLATE *t;

	(void)state;
	assert_int_equal(
	    est_csrattrs_build(arena, &named, EST_CSRATTRS_TEMPLATE, MST_NONE, 0, true, &der),
	    MST_OK);
	t = template_of(der);
	assert_null(t->subject);
	assert_null(in_template(t, OID_EXTENSIONS));
	assert_non_null(in_template(t, OID_CHALLENGE));
	template_free(t);
}

static void
nothing_wanted_is_nothing_said_K1(void **state)
{
	mst_span der = MST_LIT("x");

	(void)state;
	assert_int_equal(
	    est_csrattrs_build(arena, &named, EST_CSRATTRS_BOTH, MST_NONE, 0, false, &der), MST_OK);
	assert_null(der.ptr);
}

static void
serial_that_policy_cannot_name_EST_2(void **state)
{
	mst_span der = MST_LIT("x");

	(void)state;
	assert_int_equal(
	    est_csrattrs_build(arena, &named, EST_CSRATTRS_BOTH, MST_LIT("a_b"), 0, false, &der),
	    MST_E_CSR_SAN);
	assert_int_equal(der.len, 1);
}

/* A client that follows the template to the letter is accepted: template and judge agree. */
static void
what_the_template_asks_is_what_the_judge_takes_K9(void **state)
{
	T_TEMPLATE *t = template_of(build(&named, EST_CSRATTRS_TEMPLATE, SERIAL, false));
	struct csr_spec spec = { .key = a_key("P-256"), .subject = "O=Acme,serialNumber=" SERIAL };
	struct est_csr_in in = { .op = EST_ENROLL,
		.class = TRUST_LDEVID,
		.serial = MST_LIT(SERIAL),
		.identity = "x",
		.profile = &named };
	struct est_csr out;
	const char *words = NULL;
	unsigned char *der = NULL;
	int n = i2d_ASN1_SEQUENCE_ANY(t->subject, &der);

	(void)state;
	assert_true(mst_span_eq(mst_span_of(der, (size_t)n),
	    a_name_der(arena, spec.subject))); /* Name, byte for byte */
	csr_add_ext(&spec, NID_subject_alt_name, "DNS:sn-0042", 0);
	in.der = csr_make(arena, &spec);
	assert_int_equal(est_judge_csr(arena, &in, &out, &words), MST_OK);
	assert_true(mst_span_eq(out.subject, mst_span_of(der, (size_t)n)));
	OPENSSL_free(der);
	template_free(t);
}

/* --- published ones: the tests' structures read them, and so they can judge ours --- */

static mst_span
decoded(const char *text)
{
	struct mst_buf b = arena_buf(arena, strlen(text));

	assert_int_equal(mst_base64_decode(mst_span_str(text), MST_BASE64_SPACE, &b), MST_OK);
	return mst_buf_span(&b);
}

static void
published_examples_are_read_K5(void **state)
{
	static const struct {
		const char *text;
		int elements;
	} all[] = {
		{ "MDIGCSqGSIb3DQEJBzASBgcqhkjOPQIBMQcGBSuBBAAiBgcrBgEBAQEWBggqhkjOPQQDAw==", 4 },
		{ "MEEGCSqGSIb3DQEJBzASBgcqhkjOPQIBMQcGBSuBBAAiMBYGCSqGSIb3DQEJDjEJBgcrBgEBAQEWBggq"
		  "hkjOPQQDAw==",
		    4 },
		{ "MCkGCSqGSIb3DQEJBzARBgkqhkiG9w0BAQExBAICEAAGCSqGSIb3DQEBCw==", 3 },
		{ "MC4GCSqGSIb3DQEJBzASBgcqhkjOPQIBMQcGBSuBBAAiBgNVBAUGCCqGSM49BAMD", 4 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
		ASN1_SEQUENCE_ANY *list = elements(decoded(all[i].text));
		int bare, full;

		assert_int_equal(sk_ASN1_TYPE_num(list), all[i].elements);
		assert_null(find(list, OID_CHALLENGE, &bare, &full));
		assert_int_equal(bare, 1);
		sk_ASN1_TYPE_pop_free(list, ASN1_TYPE_free);
	}
}

static void
vectors_are_read_K5(void **state)
{
	static const char *const names[] = { "harkins01", "harkins02", "harkins03", "realistic-acp",
		"rfc7030-example01" };
	const char *dir = getenv("MUSTER_VECTORS");
	char path[512];
	mst_span der;

	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		snprintf(path, sizeof path, "%s/csrattrs/%s.csrattr.der",
		    dir != NULL ? dir : MUSTER_SOURCE_DIR "/../shared/vectors", names[i]);
		if (file_read(arena, path, 65536, &der) != MST_OK) {
			print_message("no vectors at %s\n", path);
			skip();
		}
		sk_ASN1_TYPE_pop_free(elements(der), ASN1_TYPE_free);
	}
}

static int
setup(void **state)
{
	(void)state;
	arena = arena_new(0);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	arena_free(arena);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(template_names_the_device_K6),
		cmocka_unit_test(template_gives_the_san_in_one_extension_request_K4),
		cmocka_unit_test(template_asks_for_the_binding_without_a_value_K2),
		cmocka_unit_test(old_form_lists_oids_and_one_extension_request_K2_K4),
		cmocka_unit_test(both_forms_stand_side_by_side_K7),
		cmocka_unit_test(template_without_device_has_no_subject_K6),
		cmocka_unit_test(nothing_wanted_is_nothing_said_K1),
		cmocka_unit_test(serial_that_policy_cannot_name_EST_2),
		cmocka_unit_test(what_the_template_asks_is_what_the_judge_takes_K9),
		cmocka_unit_test(published_examples_are_read_K5),
		cmocka_unit_test(vectors_are_read_K5),
	};

	return cmocka_run_group_tests_name("est csrattrs", tests, setup, teardown);
}
