/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <jansson.h>

#include "host/clock.h"
#include "host/log.h"
#include "host/metrics.h"

#define NOW 1795424400 /* 2026-11-23T09:00:00Z */

struct pipe_ {
	int r, w;
	char text[65536];
};

static int
setup(void **state)
{
	struct pipe_ *p = calloc(1, sizeof(*p));
	int fds[2];

	if (p == NULL || pipe2(fds, O_CLOEXEC) != 0)
		return -1;
	p->r = fds[0];
	p->w = fds[1];
	fcntl(p->r, F_SETFL, O_NONBLOCK);
	clock_set(NOW);
	*state = p;
	return 0;
}

static int
teardown(void **state)
{
	struct pipe_ *p = *state;

	close(p->r);
	close(p->w);
	free(p);
	return 0;
}

static const char *
lines(struct pipe_ *p)
{
	ssize_t n = read(p->r, p->text, sizeof(p->text) - 1);

	p->text[n < 0 ? 0 : n] = '\0';
	return p->text;
}

static json_t *
one_object(struct pipe_ *p)
{
	const char *s = lines(p);
	json_error_t e;
	json_t *o = json_loads(s, JSON_REJECT_DUPLICATES, &e);

	if (o == NULL)
		print_error("%s: %s\n", e.text, s);
	assert_non_null(o);
	assert_ptr_equal(strchr(s, '\n'), s + strlen(s) - 1);
	return o;
}

static void
field_is(json_t *o, const char *key, const char *want)
{
	json_t *v = json_object_get(o, key);

	if (want == NULL)
		assert_null(v);
	else
		assert_string_equal(json_string_value(v), want);
}

static struct decision
refusal(void)
{
	return (struct decision){ .role = "registrar",
		.step = STEP_VOUCHER,
		.err = MST_E_VOUCHER_NONCE,
		.trace = "t-1",
		.request = "r-1",
		.serial = MST_LIT("S-0001"),
		.manufacturer = "acme",
		.peer = "192.0.2.1:40000",
		.detail = "words",
		.us = 1500 };
}

static void
json_refused_has_every_field(void **state)
{
	struct decision d = refusal();
	json_t *o;

	log_open("musterd", LOG_JSON, LOG_INFO_, ((struct pipe_ *)*state)->w);
	log_decision(&d);
	o = one_object(*state);
	field_is(o, "time", "2026-11-23T09:00:00Z");
	field_is(o, "level", "warning");
	field_is(o, "program", "musterd");
	field_is(o, "role", "registrar");
	field_is(o, "step", "voucher");
	field_is(o, "outcome", "refused");
	field_is(o, "code", "MU-1207");
	field_is(o, "name", "MST_E_VOUCHER_NONCE");
	field_is(o, "reason", "voucher.nonce");
	field_is(o, "trace", "t-1");
	field_is(o, "request", "r-1");
	field_is(o, "serial", "S-0001");
	field_is(o, "manufacturer", "acme");
	field_is(o, "peer", "192.0.2.1:40000");
	field_is(o, "detail", "words");
	assert_int_equal(json_integer_value(json_object_get(o, "us")), 1500);
	json_decref(o);
}

static void
json_accepted_has_no_reason(void **state)
{
	struct decision d = { .role = "masa", .step = STEP_MASA_ISSUE };
	json_t *o;

	log_open("musterd", LOG_JSON, LOG_INFO_, ((struct pipe_ *)*state)->w);
	log_decision(&d);
	o = one_object(*state);
	field_is(o, "outcome", "accepted");
	field_is(o, "level", "info");
	field_is(o, "code", NULL);
	field_is(o, "serial", NULL);
	field_is(o, "us", NULL);
	json_decref(o);
}

static void
status_202_is_pending(void **state)
{
	struct decision d = { .role = "est", .step = STEP_ENROLL, .err = MST_E_EST_PENDING };
	json_t *o;

	log_open("musterd", LOG_JSON, LOG_INFO_, ((struct pipe_ *)*state)->w);
	log_decision(&d);
	o = one_object(*state);
	field_is(o, "outcome", "pending");
	field_is(o, "level", "info");
	json_decref(o);
}

static void
decision_counts_with_the_same_words(void **state)
{
	struct decision d = { .role = "proxy", .step = STEP_PROXY, .err = MST_E_PROXY_LIMIT_PEER };
	size_t n;
	char *s;

	/* Counted even where the line is below the level. */
	log_open("musterd", LOG_JSON, LOG_ERROR_, ((struct pipe_ *)*state)->w);
	log_decision(&d);
	d.err = MST_OK;
	d.us = 10;
	log_decision(&d);
	assert_string_equal(lines(*state)[0] == '{' ? "line" : "", "line"); /* 503 is an error */
	n = metrics_text(NULL, 0);
	s = malloc(n + 1);
	assert_non_null(s);
	metrics_text(s, n);
	s[n] = '\0';
	assert_non_null(strstr(s,
	    "muster_decisions_total{role=\"proxy\",step=\"proxy\",outcome=\"refused\",reason=\""));
	assert_non_null(strstr(s, "muster_decisions_total{role=\"proxy\",step=\"proxy\",outcome="
	                          "\"accepted\",reason=\"ok\"} 1"));
	assert_non_null(
	    strstr(s, "muster_decision_seconds_count{role=\"proxy\",step=\"proxy\"} 1"));
	free(s);
}

/* What a peer sends stays on its line and stays what it is. */
static void
json_escapes(void **state)
{
	struct decision d = { .role = "masa", .step = STEP_PVR };
	const char *raw;
	json_t *o;

	d.detail = "a\"b\\c\nd\x1b[31m\x7f";
	d.serial = MST_LIT("\xff\xc0\xaf"
	                   "ok\xed\xa0\x80"
	                   "\xe2\x80\xae"
	                   "\xc3\xa4"
	                   "\xf4\x90\x80\x80");
	log_open("musterd", LOG_JSON, LOG_INFO_, ((struct pipe_ *)*state)->w);
	log_decision(&d);
	o = one_object(*state);
	field_is(o, "detail", "a\"b\\c\nd\x1b[31m\x7f");
	field_is(o, "serial",
	    "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"
	    "ok\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xe2\x80\xae\xc3\xa4"
	    "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
	raw = ((struct pipe_ *)*state)->text;
	for (const char *p = raw; *p != '\0'; p++)
		assert_true((uint8_t)*p >= 0x20 || (*p == '\n' && p[1] == '\0'));
	assert_non_null(
	    strstr(raw, "\\u202e")); /* right-to-left override does not reach a terminal */
	json_decref(o);
}

static void
json_stays_whole_when_values_are_long(void **state)
{
	static char big[100000];
	struct decision d = refusal();
	json_t *o;

	memset(big, 1, sizeof(big) - 1); /* each byte takes six */
	d.trace = d.request = d.manufacturer = d.peer = d.detail = big;
	d.serial = mst_span_of(big, sizeof(big));
	log_open("musterd", LOG_JSON, LOG_INFO_, ((struct pipe_ *)*state)->w);
	log_decision(&d);
	o = one_object(*state);
	field_is(o, "code", "MU-1207");
	assert_true(strlen(((struct pipe_ *)*state)->text) <= 4096);
	json_decref(o);
}

static void
text_line_for_people(void **state)
{
	struct decision d = refusal();
	const char *s;

	d.detail = "two\nlines";
	log_open("musterd", LOG_TEXT, LOG_INFO_, ((struct pipe_ *)*state)->w);
	log_decision(&d);
	s = lines(*state);
	assert_non_null(strstr(s, "2026-11-23T09:00:00Z warning: registrar voucher refused: "));
	assert_non_null(strstr(s, "code=MU-1207"));
	assert_non_null(strstr(s, "detail=two\\u000alines"));
}

static void
levels_below_least_are_dropped(void **state)
{
	log_open("musterd", LOG_JSON, LOG_WARNING_, ((struct pipe_ *)*state)->w);
	log_line(LOG_INFO_, "not %s", "this");
	assert_string_equal(lines(*state), "");
	log_line(LOG_WARNING_, "but %s", "this");
	assert_non_null(strstr(lines(*state), "\"message\":\"but this\""));
}

static void
words_are_found(void **state)
{
	(void)state;
	assert_int_equal(log_format_find("json"), LOG_JSON);
	assert_int_equal(log_format_find("journald"), LOG_JOURNALD);
	assert_int_equal(log_format_find("text"), LOG_TEXT);
	assert_int_equal(log_format_find("JSON"), -1);
	assert_int_equal(log_level_find("debug"), LOG_DEBUG_);
	assert_int_equal(log_level_find("error"), LOG_ERROR_);
	assert_int_equal(log_level_find(NULL), -1);
}

static void
journald_gets_fields(void **state)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	char dir[] = "/tmp/muster-log-XXXXXX", got[8192];
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct decision d = refusal();
	ssize_t n;

	d.detail = "x\nPRIORITY=0";
	assert_non_null(mkdtemp(dir));
	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s/socket", dir);
	assert_int_equal(bind(fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
	log_journal(sun.sun_path);
	log_open("musterd", LOG_JOURNALD, LOG_INFO_, ((struct pipe_ *)*state)->w);
	log_decision(&d);
	n = recv(fd, got, sizeof(got) - 1, 0);
	assert_true(n > 0);
	got[n] = '\0';
	assert_int_equal(strncmp(got, "MESSAGE=registrar voucher refused: ", 35), 0);
	assert_non_null(strstr(got, "\nPRIORITY=4\n"));
	assert_non_null(strstr(got, "\nSYSLOG_IDENTIFIER=musterd\n"));
	assert_non_null(strstr(got, "\nMUSTER_CODE=MU-1207\n"));
	assert_non_null(strstr(got, "\nMUSTER_TRACE=t-1\n"));
	assert_non_null(strstr(got, "\nMUSTER_DETAIL=x\\u000aPRIORITY=0\n"));
	assert_string_equal(lines(*state), "");
	/* journald goes away: the line is not lost. */
	close(fd);
	log_decision(&d);
	assert_non_null(strstr(lines(*state), "\"code\":\"MU-1207\""));
	unlink(sun.sun_path);
	rmdir(dir);
}

static void
without_journald_it_is_json(void **state)
{
	log_journal("/nonexistent/socket");
	log_open("musterd", LOG_JOURNALD, LOG_INFO_, ((struct pipe_ *)*state)->w);
	log_line(LOG_ERROR_, "hello");
	assert_non_null(strstr(lines(*state), "\"message\":\"hello\""));
}

static void *
log_many(void *arg)
{
	(void)arg;
	for (int i = 0; i < 50; i++) {
		struct decision d = refusal();
		log_decision(&d);
	}
	return NULL;
}

static void
threads_do_not_mix_lines(void **state)
{
	struct pipe_ *p = *state;
	pthread_t t[2];
	size_t count = 0;
	char *save = NULL;

	fcntl(p->w, F_SETPIPE_SZ, 1 << 20);
	log_open("musterd", LOG_JSON, LOG_INFO_, p->w);
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&t[i], NULL, log_many, NULL), 0);
	for (int i = 0; i < 2; i++)
		pthread_join(t[i], NULL);
	lines(p);
	for (char *l = strtok_r(p->text, "\n", &save); l != NULL; l = strtok_r(NULL, "\n", &save)) {
		json_t *o = json_loads(l, JSON_REJECT_DUPLICATES, NULL);

		assert_non_null(o);
		json_decref(o);
		count++;
	}
	assert_int_equal(count, 100);
}

int
main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(json_refused_has_every_field),
		T(json_accepted_has_no_reason),
		T(status_202_is_pending),
		T(decision_counts_with_the_same_words),
		T(json_escapes),
		T(json_stays_whole_when_values_are_long),
		T(text_line_for_people),
		T(levels_below_least_are_dropped),
		T(words_are_found),
		T(journald_gets_fields),
		T(without_journald_it_is_json),
		T(threads_do_not_mix_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
