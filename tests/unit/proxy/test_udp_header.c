/* SPDX-License-Identifier: Apache-2.0 */
/* What a stateless proxy takes for its own header: constrained-join-proxy 4.5.5, JP-U3. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include <openssl/rand.h>

#include "server/proxy/udp_header.h"

struct world {
	struct udp_keys keys;
	struct udp_locals locals;
	struct sockaddr_in6 registrar;
	struct datagram_path pledge;
	uint8_t header[UDP_HEADER_BYTES];
};

static struct in6_addr
ip(const char *text)
{
	struct in6_addr a;

	assert_int_equal(inet_pton(AF_INET6, text, &a), 1);
	return a;
}

static void
begin(struct world *w)
{
	memset(w, 0, sizeof *w);
	assert_int_equal(udp_keys_init(&w->keys), MST_OK);
	w->registrar = (struct sockaddr_in6){
		.sin6_family = AF_INET6, .sin6_port = htons(7634), .sin6_addr = ip("2001:db8::52")
	};
	w->pledge = (struct datagram_path){ .peer = { .sin6_family = AF_INET6,
		                                .sin6_port = htons(45965),
		                                .sin6_addr = ip("fe80::1234:5678:9abc:def0"),
		                                .sin6_scope_id = 70000 },
		.local = ip("fe80::1"),
		.ifindex = 70000 };
	assert_int_equal(
	    udp_header_seal(&w->keys, &w->locals, &w->registrar, &w->pledge, w->header), MST_OK);
}

static mst_err
opens(struct world *w, struct datagram_path *out)
{
	return udp_header_open(
	    &w->keys, &w->locals, &w->registrar, mst_span_of(w->header, sizeof w->header), out);
}

static void
assert_same(const struct datagram_path *a, const struct datagram_path *b)
{
	assert_true(datagram_same(&a->peer, &b->peer));
	assert_true(IN6_ARE_ADDR_EQUAL(&a->local, &b->local));
	assert_int_equal(a->ifindex, b->ifindex);
}

/* --- pledges of every kind --- */

struct pledge {
	const char *name, *peer, *local;
	unsigned ifindex;
	uint16_t port;
	mst_err want;
};
static const struct pledge pledges[] = {
	{ "JP-U3 link-local", "fe80::1", "fe80::2", 1, 1, MST_OK },
	{ "JP-U3 link-local, all bits", "fe80::ffff:ffff:ffff:ffff", "fe80::2", 0x7fffffff, 65535,
	    MST_OK },
	{ "JP-U3 loopback", "::1", "::1", 1, 40000, MST_OK },
	{ "JP-U3 IPv4", "::ffff:169.254.3.4", "::ffff:169.254.1.1", 3, 40000, MST_OK },
	{ "JP-U3 routable IPv6 does not fit", "2001:db8::1", "2001:db8::2", 1, 40000,
	    MST_E_PROXY_NOT_ON_LINK },
	{ "JP-U3 fe80 with a subnet does not fit", "fe80:0:0:1::1", "fe80::2", 1, 40000,
	    MST_E_PROXY_NOT_ON_LINK },
	{ "JP-U3 unspecified does not fit", "::", "fe80::2", 1, 40000, MST_E_PROXY_NOT_ON_LINK },
};

static void
pledge_there_and_back(void **state)
{
	const struct pledge *row = *state;
	struct world w;
	struct datagram_path out;

	begin(&w);
	w.pledge.peer.sin6_addr = ip(row->peer);
	w.pledge.peer.sin6_port = htons(row->port);
	w.pledge.peer.sin6_scope_id =
	    IN6_IS_ADDR_LINKLOCAL(&w.pledge.peer.sin6_addr) ? row->ifindex : 0;
	w.pledge.local = ip(row->local);
	w.pledge.ifindex = row->ifindex;
	assert_int_equal(
	    udp_header_seal(&w.keys, &w.locals, &w.registrar, &w.pledge, w.header), row->want);
	if (row->want == MST_OK) {
		assert_int_equal(opens(&w, &out), MST_OK);
		assert_same(&out, &w.pledge);
		assert_int_equal(out.peer.sin6_scope_id, w.pledge.peer.sin6_scope_id);
	}
	udp_keys_wipe(&w.keys);
}

/* 4.4: to the registrar the header is the pledge, so it must not change from packet to packet */
static void
JP_U3_the_same_pledge_has_the_same_header(void **state)
{
	struct world w;
	uint8_t again[UDP_HEADER_BYTES];

	(void)state;
	begin(&w);
	for (int i = 0; i < 100; i++) {
		assert_int_equal(
		    udp_header_seal(&w.keys, &w.locals, &w.registrar, &w.pledge, again), MST_OK);
		assert_memory_equal(again, w.header, sizeof again);
	}
	udp_keys_wipe(&w.keys);
}

static void
differs(struct world *w)
{
	uint8_t other[UDP_HEADER_BYTES];

	assert_int_equal(
	    udp_header_seal(&w->keys, &w->locals, &w->registrar, &w->pledge, other), MST_OK);
	assert_memory_not_equal(other, w->header, sizeof other);
}

static void
JP_U3_another_port_address_interface_or_own_address_is_another_header(void **state)
{
	struct world w, was;

	(void)state;
	begin(&w);
	was = w;
	w.pledge.peer.sin6_port ^= 1;
	differs(&w);
	w.pledge = was.pledge;
	w.pledge.peer.sin6_addr.s6_addr[15] ^= 1;
	differs(&w);
	w.pledge = was.pledge;
	w.pledge.ifindex ^= 1;
	differs(&w);
	w.pledge = was.pledge;
	w.pledge.local.s6_addr[15] ^= 2;
	differs(&w);
	udp_keys_wipe(&w.keys);
}

/* Nothing of the pledge is to be read from it. */
static void
JP_U3_the_header_shows_nothing(void **state)
{
	struct world w;

	(void)state;
	begin(&w);
	assert_null(memmem(w.header, sizeof w.header, &w.pledge.peer.sin6_addr.s6_addr[8], 4));
	assert_null(memmem(w.header, sizeof w.header, &w.pledge.peer.sin6_addr.s6_addr[12], 4));
	udp_keys_wipe(&w.keys);
}

/* --- forgeries --- */

static void
JP_U3_every_flipped_bit_is_refused(void **state)
{
	struct world w;
	struct datagram_path out;

	(void)state;
	begin(&w);
	for (size_t bit = 0; bit < 8 * sizeof w.header; bit++) {
		w.header[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_equal(opens(&w, &out), MST_E_JPY_FORGED);
		w.header[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	assert_int_equal(opens(&w, &out), MST_OK);
	udp_keys_wipe(&w.keys);
}

static void
JP_U3_every_other_length_is_refused(void **state)
{
	struct world w;
	struct datagram_path out;
	uint8_t longer[64] = { 0 };

	(void)state;
	begin(&w);
	memcpy(longer, w.header, sizeof w.header);
	for (size_t n = 0; n <= sizeof longer; n++)
		assert_int_equal(
		    udp_header_open(&w.keys, &w.locals, &w.registrar, mst_span_of(longer, n), &out),
		    n == UDP_HEADER_BYTES ? MST_OK : MST_E_JPY_FORGED);
	udp_keys_wipe(&w.keys);
}

static void
JP_U3_a_header_of_another_proxys_key_is_refused(void **state)
{
	struct world w, other;
	struct datagram_path out;

	(void)state;
	begin(&w);
	begin(&other);
	assert_memory_not_equal(w.header, other.header, sizeof w.header);
	memcpy(w.header, other.header, sizeof w.header);
	assert_int_equal(opens(&w, &out), MST_E_JPY_FORGED);
	udp_keys_wipe(&w.keys);
	udp_keys_wipe(&other.keys);
}

static void
JP_U3_a_header_meant_for_another_registrar_is_refused(void **state)
{
	struct world w;
	struct datagram_path out;

	(void)state;
	begin(&w);
	w.registrar.sin6_port ^= 1;
	assert_int_equal(opens(&w, &out), MST_E_JPY_FORGED);
	w.registrar.sin6_port ^= 1;
	w.registrar.sin6_addr.s6_addr[15] ^= 1;
	assert_int_equal(opens(&w, &out), MST_E_JPY_FORGED);
	udp_keys_wipe(&w.keys);
}

static void
JP_U3_halves_of_two_headers_are_refused(void **state)
{
	struct world w;
	struct datagram_path out;
	uint8_t other[UDP_HEADER_BYTES];

	(void)state;
	begin(&w);
	w.pledge.peer.sin6_port ^= 1;
	assert_int_equal(
	    udp_header_seal(&w.keys, &w.locals, &w.registrar, &w.pledge, other), MST_OK);
	memcpy(w.header + 16, other + 16, 16);
	assert_int_equal(opens(&w, &out), MST_E_JPY_FORGED);
	udp_keys_wipe(&w.keys);
}

static void
JP_U3_ten_thousand_random_headers_are_refused(void **state)
{
	struct world w;
	struct datagram_path out;

	(void)state;
	begin(&w);
	for (int i = 0; i < 10000; i++) {
		assert_int_equal(RAND_bytes(w.header, sizeof w.header), 1);
		assert_int_equal(opens(&w, &out), MST_E_JPY_FORGED);
	}
	udp_keys_wipe(&w.keys);
}

/* 4.5.6: replays are taken, as UDP takes them; DTLS refuses them. */
static void
JP_U3_a_replayed_header_opens_again(void **state)
{
	struct world w;
	struct datagram_path out;

	(void)state;
	begin(&w);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(opens(&w, &out), MST_OK);
		assert_same(&out, &w.pledge);
	}
	udp_keys_wipe(&w.keys);
}

/* 4.5.5: the key changes; what is under way still arrives, what is older does not. */
static void
JP_U3_the_former_key_opens_and_the_one_before_does_not(void **state)
{
	struct world w;
	struct datagram_path out;

	(void)state;
	begin(&w);
	assert_int_equal(udp_keys_rotate(&w.keys), MST_OK);
	differs(&w);
	assert_int_equal(opens(&w, &out), MST_OK);
	assert_same(&out, &w.pledge);
	assert_int_equal(udp_keys_rotate(&w.keys), MST_OK);
	assert_int_equal(opens(&w, &out), MST_E_JPY_FORGED);
	assert_int_equal(
	    udp_header_seal(&w.keys, &w.locals, &w.registrar, &w.pledge, w.header), MST_OK);
	assert_int_equal(opens(&w, &out), MST_OK);
	udp_keys_wipe(&w.keys);
}

static void
JP_U3_wiped_keys_are_zeros(void **state)
{
	static const uint8_t zeros[sizeof(struct udp_keys)];
	struct world w;

	(void)state;
	begin(&w);
	assert_int_equal(udp_keys_rotate(&w.keys), MST_OK);
	udp_keys_wipe(&w.keys);
	assert_memory_equal(&w.keys, zeros, sizeof zeros);
}

/* More own addresses than a byte can number: the kernel chooses for the rest. */
static void
JP_U3_own_addresses_beyond_255_are_left_to_the_kernel(void **state)
{
	struct world w;
	struct datagram_path out;

	(void)state;
	begin(&w);
	for (unsigned i = 0; i < 400; i++) {
		w.pledge.local = ip("fe80::2:0");
		w.pledge.local.s6_addr[14] = (uint8_t)(i >> 8);
		w.pledge.local.s6_addr[15] = (uint8_t)i;
		assert_int_equal(
		    udp_header_seal(&w.keys, &w.locals, &w.registrar, &w.pledge, w.header), MST_OK);
		assert_int_equal(opens(&w, &out), MST_OK);
		if (i >= 254) /* one was there from the beginning */
			w.pledge.local = in6addr_any;
		assert_same(&out, &w.pledge);
	}
	assert_int_equal(w.locals.count, UDP_LOCALS);
	udp_keys_wipe(&w.keys);
}

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

int
main(void)
{
	const struct CMUnitTest others[] = {
		cmocka_unit_test(JP_U3_the_same_pledge_has_the_same_header),
		cmocka_unit_test(
		    JP_U3_another_port_address_interface_or_own_address_is_another_header),
		cmocka_unit_test(JP_U3_the_header_shows_nothing),
		cmocka_unit_test(JP_U3_every_flipped_bit_is_refused),
		cmocka_unit_test(JP_U3_every_other_length_is_refused),
		cmocka_unit_test(JP_U3_a_header_of_another_proxys_key_is_refused),
		cmocka_unit_test(JP_U3_a_header_meant_for_another_registrar_is_refused),
		cmocka_unit_test(JP_U3_halves_of_two_headers_are_refused),
		cmocka_unit_test(JP_U3_ten_thousand_random_headers_are_refused),
		cmocka_unit_test(JP_U3_a_replayed_header_opens_again),
		cmocka_unit_test(JP_U3_the_former_key_opens_and_the_one_before_does_not),
		cmocka_unit_test(JP_U3_wiped_keys_are_zeros),
		cmocka_unit_test(JP_U3_own_addresses_beyond_255_are_left_to_the_kernel),
	};
	struct CMUnitTest tests[COUNT(pledges) + COUNT(others)];
	size_t n = 0;

	for (size_t i = 0; i < COUNT(pledges); i++)
		tests[n++] = (struct CMUnitTest){ pledges[i].name, pledge_there_and_back, NULL,
			NULL, (void *)&pledges[i] };
	for (size_t i = 0; i < COUNT(others); i++)
		tests[n++] = others[i];
	return cmocka_run_group_tests_name("udp_header", tests, NULL, NULL);
}
