/* SPDX-License-Identifier: Apache-2.0 */
/* Rates, passwords, customers, public CAs, and how an audit log is folded. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "host/password.h"
#include "server/masa/masa_room.h"
#include "tests/unit/masa/support_world.h"

#define SECOND INT64_C(1000000)

static void
rate_limits(void **state)
{
	struct masa_rate *r = masa_rate_new(60);
	int64_t now = 5 * SECOND;

	(void)state;
	for (int i = 0; i < 60; i++)
		assert_int_equal(masa_rate_take(r, "a", now), 0);
	assert_int_equal(masa_rate_take(r, "a", now), 2);
	assert_int_equal(masa_rate_take(r, "b", now), 0);
	assert_int_equal(masa_rate_take(r, "a", now + 2 * SECOND), 0); /* one a second comes back */
	masa_rate_free(r);
}

static void
rate_look(void **state)
{
	struct masa_rate *r = masa_rate_new(1);

	(void)state;
	assert_int_equal(masa_rate_look(r, "a", SECOND), 0);
	assert_int_equal(masa_rate_look(r, "a", SECOND), 0);
	assert_int_equal(masa_rate_take(r, "a", SECOND), 0);
	assert_int_equal(masa_rate_look(r, "a", SECOND), 61);
	masa_rate_free(r);
}

/* A flood of other names neither grows the table nor gives the busy one new tokens soon. */
static void
rate_flood(void **state)
{
	struct masa_rate *r = masa_rate_new(1);
	char name[32];
	int granted = 0;

	(void)state;
	for (int i = 0; i < 100000; i++) {
		snprintf(name, sizeof(name), "192.0.2.%d", i);
		assert_int_equal(masa_rate_take(r, name, SECOND + i), 0);
		if (i % 100 == 0)
			granted += masa_rate_take(r, "busy", SECOND + i) == 0;
	}
	assert_int_equal(granted, 1);
	masa_rate_free(r);
}

static void
password_is_hashed(void **state)
{
	struct arena *a = arena_new(0);
	const char *one, *two;

	(void)state;
	assert_int_equal(password_hash(a, MST_LIT("secret"), &one), MST_OK);
	assert_int_equal(password_hash(a, MST_LIT("secret"), &two), MST_OK);
	assert_string_not_equal(one, two); /* salted */
	assert_null(strstr(one, "secret"));
	assert_int_equal(password_verify(MST_LIT("secret"), one), MST_OK);
	assert_int_equal(password_verify(MST_LIT("secret "), one), MST_E_HTTP_AUTH);
	assert_int_equal(password_verify(MST_LIT(""), one), MST_E_HTTP_AUTH);
	assert_int_equal(password_verify(MST_LIT("secret"), NULL), MST_E_HTTP_AUTH);
	assert_int_equal(password_hash(a, MST_LIT(""), &one), MST_E_USAGE);
	arena_free(a);
}

static void
password_stored_badly(void **state)
{
	static const char *const bad[] = { "", "secret", "pbkdf2-sha256$",
		"pbkdf2-sha256$1$AAAA$AAAA", "pbkdf2-sha256$99999999999$AAAA$AAAA",
		"pbkdf2-sha256$20000$AAAA", "pbkdf2-sha256$20000$AAAA$AAAA",
		"pbkdf2-sha256$20000$!$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
		"md5$20000$AAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=" };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(password_verify(MST_LIT("secret"), bad[i]), MST_E_HTTP_AUTH);
}

static void
basic_header(void **state)
{
	static const char *const bad[] = { "", "Basic", "Basic ", "Basic !!!!", "Digest YTpi",
		"Basic YWI=" /* ab */, "Basic YQA6Yg==" /* a NUL : b */ };
	struct arena *a = arena_new(0);
	mst_span user, password;

	(void)state;
	assert_int_equal(password_basic(a, "basic  YTpiOmM=", &user, &password), MST_OK);
	assert_true(mst_span_eq(user, MST_LIT("a")));
	assert_true(mst_span_eq(password, MST_LIT("b:c")));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(password_basic(a, bad[i], &user, &password), MST_E_HTTP_AUTH);
	arena_free(a);
}

struct few {
	struct arena *a;
	struct masa_customers *c;
	size_t broken;
	struct mst_clock clock;
};

static void
few_make(struct few *f, const struct masa_customer *rows, size_t n)
{
	f->clock = (struct mst_clock){ MST_CLOCK_TRUSTED, time(NULL) };
	assert_int_equal(masa_customers_new(rows, n, MST_NONE, &f->c, &f->broken), MST_OK);
}

static const char *
who(struct few *f, X509 *cert)
{
	STACK_OF(X509) *chain = sk_X509_new_null();
	const struct masa_party *p;

	sk_X509_push(chain, pki.ca.cert);
	p = masa_customers_by_cert(f->c, cert, chain, &f->clock);
	sk_X509_free(chain);
	return p != NULL ? p->row.name : "nobody";
}

static void
customers_by_cert(void **state)
{
	struct few f = { .a = arena_new(0) };
	struct masa_customer rows[] = {
		{ .id = 1, .name = "root", .anchors_pem = pem_of(f.a, &pki.root.cert, 1) },
		{ .id = 2, .name = "ca", .anchors_pem = pem_of(f.a, &pki.ca.cert, 1) },
		{ .id = 3, .name = "one", .anchors_pem = pem_of(f.a, &pki.sibling_plain.cert, 1) },
		{ .id = 4, .name = "none" },
	};

	(void)state;
	few_make(&f, rows, 4);
	assert_int_equal(f.broken, 0);
	assert_string_equal(who(&f, pki.registrar.cert), "ca"); /* the lowest anchor */
	assert_string_equal(who(&f, pki.registrar_of_root.cert), "root");
	assert_string_equal(who(&f, pki.sibling_plain.cert), "one"); /* itself an anchor */
	assert_string_equal(who(&f, pki.plain.cert), "nobody"); /* no cmcRA */
	assert_string_equal(who(&f, pki.expired.cert), "nobody");
	assert_string_equal(who(&f, pki.other_registrar.cert), "nobody");
	f.clock.trust = MST_CLOCK_UNTRUSTED;
	assert_string_equal(who(&f, pki.registrar.cert), "nobody");
	masa_customers_unref(f.c);
	arena_free(f.a);
}

static void
customers_broken(void **state)
{
	struct few f = { .a = arena_new(0) };
	struct masa_customer rows[] = {
		{ .id = 1, .name = "bad", .anchors_pem = MST_LIT("-----BEGIN NONSENSE-----") },
		{ .id = 2, .name = "ca", .user = "u", .anchors_pem = pem_of(f.a, &pki.ca.cert, 1) },
	};

	(void)state;
	few_make(&f, rows, 2);
	assert_int_equal(f.broken, 1);
	assert_string_equal(who(&f, pki.registrar.cert), "ca");
	assert_int_equal(masa_customers_by_user(f.c, MST_LIT("u"))->row.id, 2);
	assert_null(masa_customers_by_user(f.c, MST_LIT("")));
	assert_null(masa_customers_by_user(f.c, MST_LIT("uu")));
	assert_null(masa_customers_by_id(f.c, 3));
	masa_customers_unref(f.c);
	arena_free(f.a);
}

static void
public_cas(void **state)
{
	struct arena *a = arena_new(0);
	STACK_OF(X509) *chain = sk_X509_new_null();
	struct masa_public *p;

	(void)state;
	sk_X509_push(chain, pki.ca.cert);
	assert_int_equal(masa_public_new(pem_of(a, &pki.root.cert, 1), &p), MST_OK);
	assert_true(masa_public_has(p, pki.root.cert, NULL));
	assert_true(masa_public_has(p, pki.ca.cert, NULL)); /* beneath one */
	assert_true(masa_public_has(p, pki.registrar.cert, chain));
	assert_false(masa_public_has(p, pki.other_root.cert, chain));
	masa_public_free(p);
	p = NULL;
	assert_int_not_equal(masa_public_new(MST_LIT("nothing"), &p), MST_OK);
	sk_X509_free(chain);
	arena_free(a);
}

static struct masa_entry
entry(int64_t at, const char *domain, const char *nonce)
{
	return (struct masa_entry){ .at = at,
		.domain_id = mst_span_str(domain),
		.nonce = nonce != NULL ? mst_span_str(nonce) : MST_NONE,
		.assertion = MST_ASSERT_LOGGED };
}

static void
audit_whole(void **state)
{
	struct masa_entry e[] = { entry(1, "a", "n1"), entry(2, "a", "n2"), entry(3, "b", NULL) };
	struct arena *a = arena_new(0);
	struct audit_log log;

	(void)state;
	assert_int_equal(masa_audit_view(e, 3, 3, 100, a, &log), MST_OK);
	assert_int_equal(log.count, 3);
	assert_int_equal(log.nonced_duplicates + log.nonceless_duplicates + log.arbitrary, 0);
	assert_null(log.events[2].nonce.ptr);
	arena_free(a);
}

static void
audit_folded(void **state)
{
	struct masa_entry e[] = { entry(1, "a", "n1"), entry(2, "b", NULL), entry(3, "a", "n2"),
		entry(4, "b", NULL), entry(5, "a", NULL), entry(6, "a", "n3") };
	struct arena *a = arena_new(0);
	struct audit_log log;

	(void)state;
	assert_int_equal(masa_audit_view(e, 6, 2, 100, a, &log), MST_OK);
	assert_int_equal(log.count, 3); /* the newest of each kind, oldest first */
	assert_int_equal(log.events[0].date, 4);
	assert_int_equal(log.events[0].truncated, 1);
	assert_int_equal(log.events[1].date, 5);
	assert_int_equal(log.events[1].truncated, 0);
	assert_int_equal(log.events[2].date, 6);
	assert_int_equal(log.events[2].truncated, 2);
	assert_int_equal(log.nonced_duplicates, 2);
	assert_int_equal(log.nonceless_duplicates, 1);
	assert_int_equal(log.arbitrary, 0);
	arena_free(a);
}

static void
audit_saturates(void **state)
{
	static struct masa_entry e[2000];
	struct arena *a = arena_new(0);
	struct audit_log log;

	(void)state;
	for (int i = 0; i < 2000; i++)
		e[i] = entry(i, "a", "n");
	assert_int_equal(masa_audit_view(e, 2000, 64, 10000, a, &log), MST_OK);
	assert_int_equal(log.count, 1);
	assert_int_equal(log.events[0].truncated, 1024);
	assert_int_equal(log.nonced_duplicates, 1024);
	arena_free(a);
}

static void
audit_cut(void **state)
{
	struct masa_entry e[] = { entry(1, "a", "n1"), entry(2, "b", "n"), entry(3, "c", "n") };
	struct arena *a = arena_new(0);
	struct audit_log log;

	(void)state;
	assert_int_equal(masa_audit_view(e, 3, 100, 2, a, &log), MST_OK);
	assert_int_equal(log.count, 2);
	assert_int_equal(log.arbitrary, 1);
	assert_int_equal(log.events[0].date, 2);
	arena_free(a);
}

static void
config_refused(void **state)
{
	static const struct {
		struct masa_config cfg;
		mst_err want;
	} rows[] = {
		{ { .skew_seconds = 1 }, MST_E_CONFIG_MISSING },
		{ { .idevid_anchors_pem = { (const uint8_t *)"x", 1 }, .skew_seconds = -1 },
		    MST_E_CONFIG_VALUE },
		{ { .idevid_anchors_pem = { (const uint8_t *)"x", 1 }, .slot_short = "long" },
		    MST_E_CONFIG_VALUE },
	};
	struct masa *m = NULL;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(masa_open(&rows[i].cfg, NULL, NULL, NULL, &m), rows[i].want);
		assert_null(m);
		assert_true(strlen(masa_why()) > 0);
	}
}

static int
make(void **state)
{
	(void)state;
	pki_make();
	return 0;
}

static int
unmake(void **state)
{
	(void)state;
	pki_free();
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		{ "8995-11.1 rate", rate_limits, NULL, NULL, NULL },
		{ "8995-11.1 looking takes nothing", rate_look, NULL, NULL, NULL },
		{ "8995-11.1 a flood of names", rate_flood, NULL, NULL, NULL },
		{ "TLS-7 password hash", password_is_hashed, NULL, NULL, NULL },
		{ "TLS-7 what is no hash admits nobody", password_stored_badly, NULL, NULL, NULL },
		{ "RFC7617 Basic header", basic_header, NULL, NULL, NULL },
		{ "8995-5.5.4 customer by certificate", customers_by_cert, NULL, NULL, NULL },
		{ "8995-5.5.4 a broken customer harms no other", customers_broken, NULL, NULL,
		    NULL },
		{ "8.5 public CAs", public_cas, NULL, NULL, NULL },
		{ "AUD-4 short log shown whole", audit_whole, NULL, NULL, NULL },
		{ "AUD-5 duplicates folded per domainID", audit_folded, NULL, NULL, NULL },
		{ "AUD-5 counts saturate at 1024", audit_saturates, NULL, NULL, NULL },
		{ "AUD-5 arbitrary cutting is counted", audit_cut, NULL, NULL, NULL },
		{ "masa_open refuses a bad configuration", config_refused, NULL, NULL, NULL },
	};

	return cmocka_run_group_tests_name("masa_parts", tests, make, unmake);
}
