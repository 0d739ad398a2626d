/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Somebody on the link has announced any UDP port inside as a registrar
 * (rt=brski): nothing but DTLS goes there, and nothing else comes back (JP-U4,
 * constrained-join-proxy 7; RFC 6347 4.1, RFC 9147 4, RFC 9146 4).
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "host/log.h"
#include "muster/jpy.h"
#include "server/proxy/udp_room.h"
#include "tests/unit/proxy/support_udp.h"

#define B(s)                                                                                       \
	{                                                                                          \
		(const uint8_t *)("" s), sizeof(s) - 1                                             \
	}
#define SEQ "\0\0\0\0\0\1"

struct row {
	const char *name;
	mst_span bytes;
};

/* None of them is DTLS: they differ from one that is by one thing, or are what is spoken inside. */
static const struct row foreign[] = {
	{ "JP-U4 nothing at all", B("") },
	{ "JP-U4 a byte", B("\x16") },
	{ "JP-U4 a record cut in its head", B("\x16\xfe\xfd\0\0" SEQ "\0") },
	{ "JP-U4 a record longer than its datagram", B("\x16\xfe\xfd\0\0" SEQ "\0\2\1") },
	{ "JP-U4 a type before those of TLS", B("\x13\xfe\xfd\0\0" SEQ "\0\1\1") },
	{ "JP-U4 a type behind those of TLS", B("\x1b\xfe\xfd\0\0" SEQ "\0\1\1") },
	{ "JP-U4 a major version of TLS", B("\x16\x03\xfd\0\0" SEQ "\0\1\1") },
	{ "JP-U4 a minor version that is none", B("\x16\xfe\xfe\0\0" SEQ "\0\1\1") },
	{ "JP-U4 DNS", B("\x12\x34\1\0\0\1\0\0\0\0\0\0\4site\0\0\1\0\1") },
	{ "JP-U4 CoAP in clear", B("\x40\x01\x12\x34\xb1p") },
	{ "JP-U4 TFTP", B("\0\1/etc/passwd\0octet\0") },
	{ "JP-U4 SIP", B("OPTIONS sip:a SIP/2.0\r\n\r\n") },
};

/* DTLS, but not what a session begins with. */
static const struct row early[] = {
	{ "JP-U4 SNMP, whose first byte is that of a DTLS 1.3 record",
	    B("\x30\x26\x02\x01\x01\x04\x06public\xa0\x19") },
	{ "JP-U4 a record of a session that nobody began", B("\x17\xfe\xfd\0\1" SEQ "\0\3any") },
	{ "JP-U4 a handshake of another epoch", B("\x16\xfe\xfd\0\1" SEQ "\0\3\1ny") },
	{ "JP-U4 a handshake that is no ClientHello", B("\x16\xfe\xfd\0\0" SEQ "\0\3\x02ny") },
	{ "JP-U4 an alert", B("\x15\xfe\xfd\0\0" SEQ "\0\2\1\0") },
};

static void
does_not_go_in(struct world *w, const struct row *r)
{
	double before = dropped("proxy.not_dtls");
	int pledge = pledge_at(V4, w->port);

	put(pledge, r->bytes);
	until_dropped("proxy.not_dtls", before + 1);
	assert_true(silent(w->registrar));
	close(pledge);
}

static void
stateful_does_not_carry_it(void **state)
{
	struct world w = { 0 };

	world_begin(&w, "coaps", (struct proxy_udp_config){ 0 });
	does_not_go_in(&w, *state);
	assert_true(metric("muster_proxy_udp_mappings") == 0);
	world_end(&w);
}

static void
stateless_does_not_carry_it(void **state)
{
	struct world w = { 0 };

	world_begin(&w, "jpy", (struct proxy_udp_config){ 0 });
	does_not_go_in(&w, *state);
	world_end(&w);
}

/* Whoever is behind the forged announcement answers in its own protocol. */
static void
stateful_does_not_bring_it_back(void **state)
{
	const struct row *r = *state;
	struct world w = { 0 };
	double before = dropped("proxy.not_dtls");
	struct sockaddr_in6 from;
	int pledge;

	world_begin(&w, "coaps", (struct proxy_udp_config){ 0 });
	pledge = pledge_at(V4, w.port);
	put(pledge, said("hello"));
	from = get_from(w.registrar, said("hello"));
	put_to(w.registrar, &from, r->bytes);
	until_dropped("proxy.not_dtls", before + 1);
	assert_true(silent(pledge));
	put(pledge, MST_LIT("\x17\xfe\xfd\0\1" SEQ "\0\3any")); /* it has not answered */
	until_dropped("proxy.not_dtls", before + 2);
	assert_true(silent(w.registrar));
	put_to(w.registrar, &from, said("verify")); /* and a registrar would go on */
	get(pledge, said("verify"));
	put(pledge, MST_LIT("\x17\xfe\xfd\0\1" SEQ "\0\3any"));
	get(w.registrar, MST_LIT("\x17\xfe\xfd\0\1" SEQ "\0\3any"));
	close(pledge);
	world_end(&w);
}

static void
JP_U4_unified_headers_come_after_a_handshake(void **state)
{
	struct world w = { 0 };
	double before = dropped("proxy.not_dtls");
	struct sockaddr_in6 from;
	int pledge;

	(void)state;
	world_begin(&w, "coaps", (struct proxy_udp_config){ 0 });
	pledge = pledge_at(V4, w.port);
	put(pledge, said("hello"));
	from = get_from(w.registrar, said("hello"));
	put_to(w.registrar, &from, MST_LIT("\x2e\0\1\0\1x"));
	until_dropped("proxy.not_dtls", before + 1);
	put_to(w.registrar, &from, MST_LIT("\x16\xfe\xfd\0\0" SEQ "\0\1\2")); /* ServerHello */
	get(pledge, MST_LIT("\x16\xfe\xfd\0\0" SEQ "\0\1\2"));
	put_to(w.registrar, &from, MST_LIT("\x2e\0\1\0\1x"));
	get(pledge, MST_LIT("\x2e\0\1\0\1x"));
	put(pledge, MST_LIT("\x1a\xfe\xfd\0\0" SEQ "\0\2\0\0")); /* ACK, RFC 9147 7 */
	get(w.registrar, MST_LIT("\x1a\xfe\xfd\0\0" SEQ "\0\2\0\0"));
	close(pledge);
	world_end(&w);
}

/* RFC 9146: a session that is older than the mapping goes on under its connection id. */
static void
JP_U1_a_connection_id_begins_anew(void **state)
{
	struct world w = { 0 };
	int pledge;

	(void)state;
	world_begin(&w, "coaps", (struct proxy_udp_config){ 0 });
	pledge = pledge_at(V4, w.port);
	put(pledge, MST_LIT("\x19\xfe\xfd\0\1" SEQ "cid\0\1x"));
	get(w.registrar, MST_LIT("\x19\xfe\xfd\0\1" SEQ "cid\0\1x"));
	close(pledge);
	world_end(&w);
}

static void
JP_U3_an_answer_that_is_no_DTLS_does_not_come_back(void **state)
{
	struct world w = { 0 };
	double before = dropped("proxy.not_dtls");
	struct sockaddr_in6 from;
	uint8_t bytes[200], room[200];
	struct mst_buf out = MST_BUF(room);
	socklen_t len = sizeof from;
	struct mst_jpy m;
	ssize_t n;
	int pledge;

	(void)state;
	world_begin(&w, "jpy", (struct proxy_udp_config){ 0 });
	pledge = pledge_at(V4, w.port);
	put(pledge, said("hello"));
	n = recvfrom(w.registrar, bytes, sizeof bytes, 0, (struct sockaddr *)&from, &len);
	assert_true(n > 0);
	assert_int_equal(mst_jpy_parse(mst_span_of(bytes, (size_t)n), &m), MST_OK);
	m.content = MST_LIT("not DTLS");
	assert_int_equal(mst_jpy_build(&m, &out), MST_OK);
	put_to(w.registrar, &from, mst_buf_span(&out));
	until_dropped("proxy.not_dtls", before + 1);
	assert_true(silent(pledge));
	close(pledge);
	world_end(&w);
}

#define TESTS_OF(rows, fn)                                                                         \
	for (size_t i = 0; i < COUNT(rows); i++)                                                   \
		tests[n++] = (struct CMUnitTest){ rows[i].name, fn, NULL, NULL,                    \
			(void *)(uintptr_t)&rows[i] };

int
main(void)
{
	static struct CMUnitTest tests[3 * COUNT(foreign) + COUNT(early) + 3];
	size_t n = 0;

	log_open("test", LOG_TEXT, LOG_ERROR_, open("/dev/null", O_WRONLY | O_CLOEXEC));
	TESTS_OF(foreign, stateful_does_not_carry_it)
	TESTS_OF(early, stateful_does_not_carry_it)
	TESTS_OF(foreign, stateless_does_not_carry_it)
	TESTS_OF(foreign, stateful_does_not_bring_it_back)
	tests[n++] =
	    (struct CMUnitTest)cmocka_unit_test(JP_U4_unified_headers_come_after_a_handshake);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(JP_U1_a_connection_id_begins_anew);
	tests[n++] =
	    (struct CMUnitTest)cmocka_unit_test(JP_U3_an_answer_that_is_no_DTLS_does_not_come_back);
	return _cmocka_run_group_tests("proxy/udp_forged", tests, n, NULL, NULL);
}
