/* SPDX-License-Identifier: Apache-2.0 */
/* Counters, gauges and histograms in Prometheus text (its naming convention). Thread-safe, no allocation after the first use of a series. */
#ifndef HOST_METRICS_H
#define HOST_METRICS_H

#include "muster/span.h"

/* labels: ready text such as role="masa",step="pvr" or NULL. name must be declared in metrics.c's table with its help text; unknown names assert. */
void metric_add(const char *name, const char *labels, double v);
void metric_set(const char *name, const char *labels, double v);
void metric_observe(const char *name, const char *labels, double seconds);
/* Write all series as text; the number of bytes, or what they would take if more than cap. */
size_t metrics_text(char *out, size_t cap);

#endif
