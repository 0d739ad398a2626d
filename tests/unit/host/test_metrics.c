/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/metrics.h"

static const struct {
	const char *name, *type;
} rows[] = {
#define METRIC(name, kind, help) { #name, #kind },
#include "host/metrics.def"
};

/* All text, on the heap in its exact size and one NUL. */
static char *
text(void)
{
	size_t n = metrics_text(NULL, 0);
	char *s = malloc(n + 1);

	assert_non_null(s);
	assert_int_equal(metrics_text(s, n), n);
	s[n] = '\0';
	return s;
}

static void
has(const char *line)
{
	char *s = text();
	const char *at = strstr(s, line);

	if (at == NULL)
		print_error("no line <%s> in\n%s", line, s);
	assert_non_null(at);
	assert_true(at == s || at[-1] == '\n');
	free(s);
}

static void
names_follow_the_convention(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *n = rows[i].name;
		size_t len = strlen(n);
		int total = len > 6 && strcmp(n + len - 6, "_total") == 0;
		int seconds = len > 8 && strcmp(n + len - 8, "_seconds") == 0;

		assert_int_equal(strncmp(n, "muster_", 7), 0);
		assert_int_equal(total, strcmp(rows[i].type, "COUNTER") == 0);
		if (strcmp(rows[i].type, "HISTOGRAM") == 0)
			assert_true(seconds);
	}
}

static void
counter_adds_per_series(void **state)
{
	(void)state;
	metric_add("muster_decisions_total", "role=\"masa\",step=\"pvr\"", 1);
	metric_add("muster_decisions_total", "role=\"masa\",step=\"pvr\"", 2);
	metric_add("muster_decisions_total", "role=\"est\",step=\"pvr\"", 1);
	has("# HELP muster_decisions_total ");
	has("# TYPE muster_decisions_total counter\n");
	has("muster_decisions_total{role=\"masa\",step=\"pvr\"} 3\n");
	has("muster_decisions_total{role=\"est\",step=\"pvr\"} 1\n");
}

static void
gauge_is_set_and_added(void **state)
{
	(void)state;
	metric_set("muster_http_connections", NULL, 5);
	metric_add("muster_http_connections", NULL, -2);
	has("# TYPE muster_http_connections gauge\n");
	has("muster_http_connections 3\n");
	metric_set("muster_http_connections", NULL, 0.1);
	has("muster_http_connections 0.1\n");
}

static void
histogram_buckets_cumulate(void **state)
{
	(void)state;
	metric_observe("muster_store_commit_seconds", NULL, 0.0004);
	metric_observe("muster_store_commit_seconds", NULL, 0.001); /* le is inclusive */
	metric_observe("muster_store_commit_seconds", NULL, 3600);
	has("# TYPE muster_store_commit_seconds histogram\n");
	has("muster_store_commit_seconds_bucket{le=\"0.0005\"} 1\n");
	has("muster_store_commit_seconds_bucket{le=\"0.001\"} 2\n");
	has("muster_store_commit_seconds_bucket{le=\"60\"} 2\n");
	has("muster_store_commit_seconds_bucket{le=\"+Inf\"} 3\n");
	has("muster_store_commit_seconds_sum 3600.0014\n");
	has("muster_store_commit_seconds_count 3\n");
}

static void
histogram_with_labels(void **state)
{
	(void)state;
	metric_observe("muster_decision_seconds", "type=\"cert\"", 2);
	has("muster_decision_seconds_bucket{type=\"cert\",le=\"2.5\"} 1\n");
	has("muster_decision_seconds_sum{type=\"cert\"} 2\n");
}

static void
label_values_are_escaped(void **state)
{
	char labels[64] = "";

	(void)state;
	metric_label(labels, sizeof(labels), "role", MST_LIT("a\"b\\c"));
	metric_label(labels, sizeof(labels), "step", MST_LIT("x\ny\xff"));
	assert_string_equal(labels, "role=\"a\\\"b\\\\c\",step=\"x?y?\"");
}

static void
label_that_does_not_fit_is_left_out(void **state)
{
	char labels[16] = "";

	(void)state;
	metric_label(labels, sizeof(labels), "a", MST_LIT("12345"));
	metric_label(labels, sizeof(labels), "b", MST_LIT("12345"));
	assert_string_equal(labels, "a=\"12345\"");
}

static void
a_label_cannot_start_a_line(void **state)
{
	char *s;

	(void)state;
	metric_add("muster_masa_requests_total", "x=\"1\"} 1\nforged 7\n", 1);
	s = text();
	assert_null(strstr(s, "\nforged"));
	free(s);
}

static void
a_short_buffer_is_not_overrun(void **state)
{
	size_t n = metrics_text(NULL, 0);
	char *s;

	(void)state;
	for (size_t cap = 0; cap < n; cap += 7) {
		s = malloc(cap == 0 ? 1 : cap); /* exact: ASan watches */
		assert_non_null(s);
		assert_int_equal(metrics_text(s, cap), n);
		free(s);
	}
}

static void *
add_many(void *arg)
{
	(void)arg;
	for (int i = 0; i < 10000; i++) {
		metric_add("muster_crls_signed_total", NULL, 1);
		metric_observe("muster_tls_handshake_seconds", NULL, 0.02);
	}
	return NULL;
}

static void
threads_lose_nothing(void **state)
{
	pthread_t t[4];

	(void)state;
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&t[i], NULL, add_many, NULL), 0);
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	has("muster_crls_signed_total 40000\n");
	has("muster_tls_handshake_seconds_count 40000\n");
}

/* Last, since it fills the table: what a peer makes up must not fill memory. */
static void
series_are_bounded(void **state)
{
	char labels[32];

	(void)state;
	for (int i = 0; i < 6000; i++) {
		snprintf(labels, sizeof(labels), "reason=\"%d\"", i);
		metric_add("muster_http_refused_total", labels, 1);
	}
	has("muster_http_refused_total{reason=\"4000\"} 1\n");
	has("# TYPE muster_metrics_lost_total counter\nmuster_metrics_lost_total ");
	metric_add("muster_crls_signed_total", NULL, 1); /* known series go on */
	has("muster_crls_signed_total 40001\n");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_follow_the_convention),
		cmocka_unit_test(counter_adds_per_series),
		cmocka_unit_test(gauge_is_set_and_added),
		cmocka_unit_test(histogram_buckets_cumulate),
		cmocka_unit_test(histogram_with_labels),
		cmocka_unit_test(label_values_are_escaped),
		cmocka_unit_test(label_that_does_not_fit_is_left_out),
		cmocka_unit_test(a_label_cannot_start_a_line),
		cmocka_unit_test(a_short_buffer_is_not_overrun),
		cmocka_unit_test(threads_lose_nothing),
		cmocka_unit_test(series_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
