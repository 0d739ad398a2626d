/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A simulated device for tests of the processor: components and payloads in
 * memory, a clock, a battery, a journal, a record, and a log of every event.
 * Calls that change something are counted, and can be made to fail or to end
 * the power (longjmp) at the n-th of them.
 */
#ifndef TESTS_SUIT_SUPPORT_DEVICE_H
#define TESTS_SUIT_SUPPORT_DEVICE_H

#include <setjmp.h>

#include "muster/suit.h"

#define DEVICE_COMPONENTS 8
#define DEVICE_BYTES 131072
#define DEVICE_EVENTS 512
#define DEVICE_PAYLOADS 8

struct device_component {
	uint8_t id[128];
	size_t id_len;
	uint8_t *bytes; /* DEVICE_BYTES, of a pool that all devices share */
	size_t size, capacity;
	int holds; /* 0 nothing, 1 size bytes, 2 unsized */
	bool open, valid;
	uint64_t slot;
	uint8_t by[4][32];
	unsigned references;
};

struct device_payload {
	const char *uri;
	mst_span bytes;
};

struct device {
	struct device_component component[DEVICE_COMPONENTS];
	unsigned components;
	bool learns; /* unknown identifiers become components */
	struct device_payload payload[DEVICE_PAYLOADS];
	unsigned payloads;
	mst_span vendor[2], class[2], id[1]; /* identifiers */
	uint64_t now, battery;
	bool has_time;
	mst_err authorized, waits; /* the answers */
	int64_t version[MST_SUIT_VERSION_MAX];
	size_t version_count;
	struct mst_suit_record record;
	struct mst_suit_journal journal;
	bool has_journal;

	unsigned changes; /* calls that changed something */
	unsigned fail_at, cut_at; /* the n-th of them fails, or ends the power; 0: none */
	jmp_buf power;
	size_t fetch_stops; /* INTERRUPTED after so many bytes, once; 0: never */
	bool no_ranges;
	unsigned fetched; /* bytes, in all */
	unsigned invoked;
	mst_span invoke_args;
	struct {
		mst_span bytes;
		size_t at;
	} stream;

	struct mst_suit_event event[DEVICE_EVENTS];
	unsigned events;
	struct mst_suit_collector *collector;
	struct mst_suit_platform platform;
};

void device_init(struct device *d);
/* A component of this encoded identifier; its number. */
unsigned device_component(struct device *d, mst_span id, size_t capacity);
void device_fill(struct device *d, unsigned c, mst_span bytes);
void device_payload(struct device *d, const char *uri, mst_span bytes);
/* The event of this command, the n-th from 0; NULL: there is none. */
const struct mst_suit_event *device_event(const struct device *d, int64_t command, unsigned n);

#endif
