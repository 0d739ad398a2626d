/* SPDX-License-Identifier: Apache-2.0 */
#include "host/metrics.h"

#include <assert.h>
#include <math.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum kind { COUNTER, GAUGE, HISTOGRAM };

static const struct metric {
	const char *name;
	enum kind kind;
	const char *help;
} metrics[] = {
#define METRIC(name, kind, help) { #name, kind, help },
#include "host/metrics.def"
#undef METRIC
};
#define METRIC_COUNT (sizeof(metrics) / sizeof(metrics[0]))

/* From half a millisecond (a signature) to a minute (a MASA far away). */
static const double bounds[] = { 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1,
	2.5, 5, 10, 30, 60 };
#define BOUND_COUNT (sizeof(bounds) / sizeof(bounds[0]))

struct series {
	struct series *hash_next;
	struct series *next; /* of the same metric, in order of first use */
	size_t metric;
	uint32_t hash;
	double value; /* histogram: sum */
	uint64_t count;
	uint64_t *bucket; /* BOUND_COUNT, not cumulated; histograms only */
	char labels[];
};

/* A peer must not be able to fill memory by making up label values. */
#define SERIES_MAX 4096
#define HASH_SIZE 1024

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct series *table[HASH_SIZE];
static struct series *first[METRIC_COUNT], *last[METRIC_COUNT];
static size_t series_count;
static double lost;
#define LOST "muster_metrics_lost_total"

/* FNV-1a */
static uint32_t
hash_text(uint32_t h, const char *s)
{
	while (*s != '\0')
		h = (h ^ (uint8_t)*s++) * 16777619U;
	return h;
}

static size_t
metric_find(const char *name)
{
	size_t i = 0;

	while (i < METRIC_COUNT && strcmp(metrics[i].name, name) != 0)
		i++;
	return i;
}

static struct series *
series_new(const char *name, const char *labels, uint32_t hash)
{
	size_t m = metric_find(name), len = strlen(labels);
	struct series *s;

	assert(m < METRIC_COUNT && "declare the metric in metrics.def");
	if (m >= METRIC_COUNT || series_count >= SERIES_MAX ||
	    (s = calloc(1, sizeof(*s) + len + 1)) == NULL)
		return NULL;
	if (metrics[m].kind == HISTOGRAM &&
	    (s->bucket = calloc(BOUND_COUNT, sizeof(*s->bucket))) == NULL) {
		free(s);
		return NULL;
	}
	memcpy(s->labels, labels, len + 1);
	/* A line break would let a value write series of its own. */
	for (size_t i = 0; i < len; i++)
		if ((uint8_t)s->labels[i] < 0x20)
			s->labels[i] = '?';
	s->metric = m;
	s->hash = hash;
	s->hash_next = table[hash % HASH_SIZE];
	table[hash % HASH_SIZE] = s;
	if (last[m] != NULL)
		last[m]->next = s;
	else
		first[m] = s;
	last[m] = s;
	series_count++;
	return s;
}

/* With the lock held. NULL when there is no room for a new one. */
static struct series *
series_get(const char *name, const char *labels, uint32_t hash)
{
	struct series *s;

	for (s = table[hash % HASH_SIZE]; s != NULL; s = s->hash_next)
		if (s->hash == hash && strcmp(s->labels, labels) == 0 &&
		    strcmp(metrics[s->metric].name, name) == 0)
			return s;
	if ((s = series_new(name, labels, hash)) == NULL)
		lost++;
	return s;
}

static struct series *
series_lock(const char *name, const char *labels)
{
	uint32_t hash = hash_text(hash_text(2166136261U, name), labels);

	pthread_mutex_lock(&lock);
	return series_get(name, labels, hash);
}

void
metric_add(const char *name, const char *labels, double v)
{
	struct series *s = series_lock(name, labels == NULL ? "" : labels);

	if (s != NULL) {
		assert(metrics[s->metric].kind == GAUGE ||
		       (metrics[s->metric].kind == COUNTER && v >= 0));
		s->value += v;
	}
	pthread_mutex_unlock(&lock);
}

void
metric_set(const char *name, const char *labels, double v)
{
	struct series *s = series_lock(name, labels == NULL ? "" : labels);

	if (s != NULL) {
		assert(metrics[s->metric].kind == GAUGE);
		s->value = v;
	}
	pthread_mutex_unlock(&lock);
}

void
metric_observe(const char *name, const char *labels, double seconds)
{
	struct series *s = series_lock(name, labels == NULL ? "" : labels);
	size_t i = 0;

	if (s != NULL) {
		assert(metrics[s->metric].kind == HISTOGRAM);
		while (i < BOUND_COUNT && seconds > bounds[i])
			i++;
		if (s->bucket != NULL && i < BOUND_COUNT)
			s->bucket[i]++;
		s->count++;
		s->value += seconds;
	}
	pthread_mutex_unlock(&lock);
}

void
metric_label(char *out, size_t cap, const char *key, mst_span value)
{
	size_t start = strnlen(out, cap), at = start;
	int n;

	if (start >= cap)
		return;
	n = snprintf(out + at, cap - at, "%s%s=\"", start > 0 ? "," : "", key);
	if (n < 0 || (size_t)n >= cap - at)
		goto full;
	at += (size_t)n;
	for (size_t i = 0; i < value.len; i++) {
		uint8_t c = value.ptr[i];

		if (cap - at < 4) /* an escape, the closing quote, NUL */
			goto full;
		if (c == '"' || c == '\\')
			out[at++] = '\\';
		/* The format is UTF-8; what is in a label came from our own words or is ASCII. */
		out[at++] = c < 0x20 || c > 0x7e ? '?' : (char)c;
	}
	if (cap - at < 2)
		goto full;
	out[at++] = '"';
	out[at] = '\0';
	return;
full:
	out[start] = '\0';
}

struct text {
	char *out;
	size_t cap, len;
};

static void put(struct text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void
put(struct text *t, const char *fmt, ...)
{
	char line[1024];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	if ((size_t)n >= sizeof(line))
		n = (int)sizeof(line) - 1;
	if (n > 0 && t->len + (size_t)n <= t->cap)
		memcpy(t->out + t->len, line, (size_t)n);
	t->len += (size_t)n;
}

static void
put_number(struct text *t, double v)
{
	char shortest[32];

	if (isnan(v)) {
		put(t, " NaN\n");
	} else if (isinf(v)) {
		put(t, v > 0 ? " +Inf\n" : " -Inf\n");
	} else {
		snprintf(shortest, sizeof(shortest), "%.15g", v);
		if (strtod(shortest, NULL) == v)
			put(t, " %s\n", shortest);
		else
			put(t, " %.17g\n", v);
	}
}

/* Labels can be longer than a put() line: copied as they are. */
static void
put_name(struct text *t, const char *name, const char *suffix, const char *labels, const char *more)
{
	size_t len = strlen(labels);

	put(t, "%s%s", name, suffix);
	if (len == 0 && *more == '\0')
		return;
	put(t, "{");
	if (len > 0 && t->len + len <= t->cap)
		memcpy(t->out + t->len, labels, len);
	t->len += len;
	put(t, "%s%s}", len > 0 && *more != '\0' ? "," : "", more);
}

static void
put_histogram(struct text *t, const char *name, const struct series *s)
{
	uint64_t sum = 0;
	char le[40];

	for (size_t i = 0; i < BOUND_COUNT; i++) {
		sum += s->bucket[i];
		snprintf(le, sizeof(le), "le=\"%g\"", bounds[i]);
		put_name(t, name, "_bucket", s->labels, le);
		put(t, " %llu\n", (unsigned long long)sum);
	}
	put_name(t, name, "_bucket", s->labels, "le=\"+Inf\"");
	put(t, " %llu\n", (unsigned long long)s->count);
	put_name(t, name, "_sum", s->labels, "");
	put_number(t, s->value);
	put_name(t, name, "_count", s->labels, "");
	put(t, " %llu\n", (unsigned long long)s->count);
}

size_t
metrics_text(char *out, size_t cap)
{
	static const char *const words[] = { "counter", "gauge", "histogram" };
	struct text t = { out, cap, 0 };

	pthread_mutex_lock(&lock);
	for (size_t m = 0; m < METRIC_COUNT; m++) {
		if (first[m] == NULL && (lost == 0 || m != metric_find(LOST)))
			continue;
		put(&t, "# HELP %s %s\n# TYPE %s %s\n", metrics[m].name, metrics[m].help,
		    metrics[m].name, words[metrics[m].kind]);
		for (const struct series *s = first[m]; s != NULL; s = s->next) {
			if (metrics[m].kind == HISTOGRAM) {
				put_histogram(&t, metrics[m].name, s);
				continue;
			}
			put_name(&t, metrics[m].name, "", s->labels, "");
			put_number(&t, s->value);
		}
		/* Outside of the table, since that is full. */
		if (first[m] == NULL) {
			put(&t, "%s", LOST);
			put_number(&t, lost);
		}
	}
	pthread_mutex_unlock(&lock);
	return t.len;
}
