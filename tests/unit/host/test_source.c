/* SPDX-License-Identifier: Apache-2.0 */
/* Whom a limit counts as one (TLS-9, JP-U1, DI-7). */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <string.h>

#include "host/source.h"

static struct sockaddr_in6
at(const char *text)
{
	struct sockaddr_in6 a = { .sin6_family = AF_INET6 };

	assert_int_equal(inet_pton(AF_INET6, text, &a.sin6_addr), 1);
	if (IN6_IS_ADDR_LINKLOCAL(&a.sin6_addr))
		a.sin6_scope_id = 7;
	return a;
}

static const struct row {
	const char *name, *peer, *own, *source;
} rows[] = {
	{ "TLS-9 a /64 is one source", "2001:db8:1:2:3:4:5:6", "2001:db8:9::1",
	    "2001:db8:1:2::/64" },
	{ "TLS-9 a unique local /64, too", "fd00:1:2:3:4::9", "2001:db8:9::1", "fd00:1:2:3::/64" },
	{ "TLS-9 a /64 where our address is not known", "2001:db8:1:2::6", NULL,
	    "2001:db8:1:2::/64" },
	{ "TLS-9 a /64 where ours is any", "2001:db8:7::6", "::", "2001:db8:7::/64" },
	{ "TLS-9 a neighbour is a source of its own", "2001:db8:1:2::6", "2001:db8:1:2::1",
	    "2001:db8:1:2::6" },
	{ "TLS-9 the next /64 is no neighbour", "2001:db8:1:3::6", "2001:db8:1:2::1",
	    "2001:db8:1:3::/64" },
	{ "TLS-9 a link-local address is whole, with its link", "fe80::1:2:3:4", "fe80::1",
	    "fe80::1:2:3:4%7" },
	{ "TLS-9 fe80::/10 is more than fe80::/64", "febf:1:2:3::1:2", "2001:db8:9::1",
	    "febf:1:2:3::1:2%7" },
	{ "TLS-9 what is behind fe80::/10 is not link-local", "fec0::1", "2001:db8:9::1",
	    "fec0::/64" },
	{ "TLS-9 IPv4 is whole", "::ffff:192.0.2.7", "::ffff:192.0.2.1", "192.0.2.7" },
	{ "TLS-9 loopback is whole", "::1", "::1", "::1" },
};

static void
is_counted_so(void **state)
{
	const struct row *r = *state;
	struct sockaddr_in6 peer = at(r->peer), own = at(r->own != NULL ? r->own : "::");
	char text[SOURCE_TEXT];

	source_text(
	    (struct sockaddr *)&peer, r->own != NULL ? (struct sockaddr *)&own : NULL, text);
	assert_string_equal(text, r->source);
}

static void
TLS_9_IPv4_sockets_and_mapped_addresses_are_one(void **state)
{
	struct sockaddr_in peer = { .sin_family = AF_INET };
	struct sockaddr_in6 mapped = at("::ffff:192.0.2.7");
	char a[SOURCE_TEXT], b[SOURCE_TEXT];

	(void)state;
	assert_int_equal(inet_pton(AF_INET, "192.0.2.7", &peer.sin_addr), 1);
	source_text((struct sockaddr *)&peer, (struct sockaddr *)&peer, a);
	source_text((struct sockaddr *)&mapped, NULL, b);
	assert_string_equal(a, b);
	assert_string_equal(a, "192.0.2.7");
}

int
main(void)
{
	static struct CMUnitTest tests[sizeof rows / sizeof rows[0] + 1];
	size_t n = 0;

	for (; n < sizeof rows / sizeof rows[0]; n++)
		tests[n] = (struct CMUnitTest){ rows[n].name, is_counted_so, NULL, NULL,
			(void *)(uintptr_t)&rows[n] };
	tests[n++] =
	    (struct CMUnitTest)cmocka_unit_test(TLS_9_IPv4_sockets_and_mapped_addresses_are_one);
	return _cmocka_run_group_tests("source", tests, n, NULL, NULL);
}
