/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counters, gauges and histograms in Prometheus text (its naming convention).
 * Names, types and help texts are rows of metrics.def; an unknown name or the
 * wrong call for its type asserts. Thread-safe; no allocation after the first
 * use of a series.
 */
#ifndef HOST_METRICS_H
#define HOST_METRICS_H

#include "muster/span.h"

/* labels: ready text such as role="masa",step="pvr" (metric_label escapes) or NULL. */
void metric_add(const char *name, const char *labels, double v); /* counter (v >= 0) or gauge */
void metric_set(const char *name, const char *labels, double v); /* gauge */
void metric_observe(const char *name, const char *labels, double seconds); /* histogram */

/*
 * Append key="value" to the NUL-terminated label text in out[cap], after a
 * comma where one is due, value escaped. A pair that does not fit is left out.
 */
void metric_label(char *out, size_t cap, const char *key, mst_span value);

/* Write all series as text; the number of bytes, or what they would take if more than cap. No NUL.
 */
size_t metrics_text(char *out, size_t cap);

#endif
