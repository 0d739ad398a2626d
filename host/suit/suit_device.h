/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A device in memory, for dry runs: it really runs the manifest, by the
 * device's own code, and stores what it fetches. Described in the
 * configuration syntax:
 *
 *	vendor = { "dns:example.com" }
 *	class = { "class:example.com/lamp" }
 *	device-id = { "uuid:..." }
 *	component "app" { id = { "slot", "hex:00" } file = "old.bin" capacity = 65536
 *	    slot = 1 version = "1.2.3" }
 *	confirmed = "v6.suit"        what it installed last
 *	time = "2026-11-24T00:00:00Z"
 *	battery = 1000
 *	authorized = false  events = false
 *	signers = 2  rules = { "strict-dependencies", "no-class-check" }
 *
 * Without a description it is the device that the manifest was written for:
 * its components, empty, of any size, and its vendor and class.
 */
#ifndef HOST_SUIT_SUIT_DEVICE_H
#define HOST_SUIT_SUIT_DEVICE_H

#include "host/arena.h"
#include "host/suit_envelope.h"
#include "muster/suit.h"

#define SUIT_DEVICE_COMPONENTS MST_SUIT_COMPONENTS_MAX
#define SUIT_DEVICE_IDS 16
#define SUIT_DEVICE_PAYLOADS 32

struct suit_device_component {
	mst_span id; /* encoded */
	uint8_t *bytes; /* on the heap */
	size_t size, room;
	uint64_t capacity;
	bool holds, valid;
	uint64_t slot;
	int64_t version[MST_SUIT_VERSION_MAX];
	size_t version_count; /* 0: it does not know */
};

struct suit_device {
	struct arena *a;
	struct suit_device_component component[SUIT_DEVICE_COMPONENTS];
	unsigned count;
	bool learns; /* any component is one of its own */
	mst_span id[3][SUIT_DEVICE_IDS]; /* by enum mst_suit_identity */
	bool has_time;
	uint64_t time, battery;
	bool authorized, events;
	unsigned signers;
	unsigned rules; /* enum mst_suit_rule */
	struct mst_suit_record record;
	struct {
		mst_span uri, bytes;
	} payload[SUIT_DEVICE_PAYLOADS];
	unsigned payloads;
	mst_span stream; /* what is left of what is being fetched */
	mst_span missing; /* the URI that nobody had a payload for; absent: none */
	mst_span invoked; /* arguments; absent: nothing was */
	bool was_invoked;
	struct mst_suit_platform platform; /* trace is the caller's to set; ctx is this */
};

/* The device that this manifest was written for. MST_E_NOMEM. */
MST_MUST_USE mst_err suit_device_for(
    struct arena *a, const struct suit_envelope *env, struct suit_device *out);
/* And for this one, which it depends on. */
void suit_device_learn(struct suit_device *d, mst_span envelope);
/* One that is described. MST_E_FW_DEVICE with file and line in suit_author_why(), or what reading
 * a file that it names says. */
MST_MUST_USE mst_err suit_device_described(struct arena *a, const char *name, const char *folder,
    const char *text, struct suit_device *out);
/* This envelope was confirmed last. MST_E_FW_ENVELOPE, MST_E_FW_MANIFEST. */
MST_MUST_USE mst_err suit_device_confirmed(struct suit_device *d, mst_span envelope);
void suit_device_free(struct suit_device *d);
/* The identifier of a component, encoded; absent for no handle. */
mst_span suit_device_id(const struct suit_device *d, mst_suit_handle handle);

#endif
