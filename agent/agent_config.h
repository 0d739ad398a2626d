/* SPDX-License-Identifier: Apache-2.0 */
/*
 * muster-agent.conf: what the factory gave the device and where it may join.
 * Read strictly: an unknown word, a value out of range or an open section is
 * refused with file, line and word. Paths are relative to the file's folder.
 */
#ifndef AGENT_CONFIG_H
#define AGENT_CONFIG_H

#include "host/arena.h"
#include "muster/pledge.h"

/* How far the device's wall clock may be believed (CLK-1). */
enum agent_clock {
	AGENT_CLOCK_TRUSTED, /* a valid RTC or NTP; before the build date it is not (CLK-2) */
	AGENT_CLOCK_UNTRUSTED,
	AGENT_CLOCK_NONE,
};

/* What carries the protocol; with it goes the engine's profile. */
enum agent_transport { AGENT_HTTPS, AGENT_COAPS };

/* The section "update": absent, the device does not update itself. */
#define AGENT_FACTORY_KEYS_MAX 8
struct agent_update {
	bool there;
	const char *manifest; /* URI, https or coaps */
	const char *slot[2]; /* files or block devices */
	int64_t slot_size; /* bytes, where the slots are files */
	mst_span component; /* encoded identifier of the image */
	mst_span staging; /* and of the place beside it: one segment more, "encrypted" */
	uint8_t vendor[16], class_id[16];
	const char *anchors; /* PEM: whose signers the manufacturer is; default: masa_anchors */
	const char *keys[AGENT_FACTORY_KEYS_MAX]; /* files with COSE_Keys of the manufacturer */
	size_t key_count;
	bool both; /* the site must have signed, too */
	const char *authorize, *health, *restart, *link; /* commands; a symbolic link; NULL: none */
	int health_time; /* seconds that an image on trial has */
	int tries; /* boots that it gets */
	int poll; /* seconds between looks; 0: only when asked */
	const char *report; /* URI, https; NULL: reports are kept, not sent */
};

struct agent_config {
	const char *path, *folder;
	const char *state; /* folder of what the device keeps */
	const char *idevid_cert; /* PEM: the IDevID, then its chain */
	const char *idevid_key; /* URI (host/key.h) */
	const char *masa_anchors; /* PEM */
	enum agent_transport transport;
	const char *registrars[MST_PLEDGE_PEERS_MAX]; /* "https://host:port" or "coaps://..." */
	size_t registrar_count;
	bool discover; /* DNS-SD */
	enum mst_media media; /* of voucher-request and voucher */
	unsigned coap_block, coap_fragment; /* bytes */
	bool refuse_nonceless;
	enum agent_clock clock;
	double renew_after; /* part of an LDevID's life after which it is renewed */
	struct mst_pledge_timers timers;
	struct agent_update update;
	int log_format, log_level; /* enum log_format, log_level */
};

/*
 * Everything lives in the arena. MST_E_NOT_FOUND, MST_E_IO, MST_E_SPACE,
 * MST_E_CONFIG_SYNTAX, _VALUE, _MISSING; agent_config_why() has file, line and
 * words.
 */
MST_MUST_USE mst_err agent_config_load(struct arena *a, const char *path, struct agent_config *out);
/* The same on text; name stands in for the path. */
MST_MUST_USE mst_err agent_config_parse(
    struct arena *a, const char *name, const char *text, struct agent_config *out);
const char *agent_config_why(void);

/*
 * "host:port", "[v6%zone]:port" or the scheme before it, as the base of
 * host/http.h or coaps.h. MST_E_CONFIG_VALUE.
 */
MST_MUST_USE mst_err agent_base(
    struct arena *a, enum agent_transport over, const char *text, const char **base);
/* "https://" or "coaps://": eight characters either way. */
const char *agent_scheme(enum agent_transport over);

#endif
