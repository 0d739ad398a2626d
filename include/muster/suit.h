/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SUIT, the device's side (draft-ietf-suit-manifest-37, trust-domains -12,
 * update-management -14, firmware-encryption -24, report -19; the sheet is
 * requirements/suit.md): an envelope is read, found authentic, scanned as a
 * whole, and only then executed. No allocation, no clock, no file, no socket:
 * all of that is the platform's, a struct of functions, and all memory is the
 * caller's.
 *
 *	mst_suit_envelope_parse(bytes, &envelope)        what was read
 *	mst_suit_check(&s, &envelope, &manifest)         authentic, scanned, allowed
 *	mst_suit_run(&s, &manifest, MST_SUIT_UPDATE)     executed
 *	mst_suit_confirm(&s, &manifest)                  the new image says it works
 *
 * Trust is a type: procedures take a struct mst_suit_manifest, and
 * mst_suit_check() is its only maker. Until it answered MST_OK no component was
 * touched. The envelope's bytes must neither change nor move from parse to the
 * end of the last procedure (sheet 22, MFST.CONST): copy them into memory that
 * nobody else writes.
 *
 * Every refusal leaves s->refusal: which section, command, component and
 * manifest of the tree it was.
 */
#ifndef MUSTER_SUIT_H
#define MUSTER_SUIT_H

#include "muster/suit_crypto.h"

/*
 * Sheet 21: limits, each with a refusal of its own. An embedder sets them when
 * compiling; MUSTER_SUIT_MCU is the profile of a small device. MUSTER_SUIT_BOOT
 * leaves out what a bootloader does not do: fetch, write, swap, check-content,
 * decryption, dependencies, update-management, access lists, journal, trace and
 * reports; copy stays, for load.
 */
#ifdef MUSTER_SUIT_MCU
#ifndef MST_SUIT_COMPONENTS_MAX
#define MST_SUIT_COMPONENTS_MAX 8
#endif
#ifndef MST_SUIT_DEPENDENCIES_MAX
#define MST_SUIT_DEPENDENCIES_MAX 1
#endif
#ifndef MST_SUIT_DEPTH_MAX
#define MST_SUIT_DEPTH_MAX 1
#endif
#ifndef MST_SUIT_URI_MAX
#define MST_SUIT_URI_MAX 256
#endif
#ifndef MST_SUIT_ENVELOPE_MAX
#define MST_SUIT_ENVELOPE_MAX 12288 /* 4 KiB, and a signature of HSS-LMS or ML-DSA */
#endif
#endif

#ifndef MST_SUIT_COMPONENTS_MAX
#define MST_SUIT_COMPONENTS_MAX 16 /* of root and dependencies together */
#endif
#ifndef MST_SUIT_DEPENDENCIES_MAX
#define MST_SUIT_DEPENDENCIES_MAX 4 /* manifests besides the root, in one procedure */
#endif
#ifndef MST_SUIT_DEPTH_MAX
#define MST_SUIT_DEPTH_MAX 3 /* 1: dependencies of the root and no further */
#endif
#ifndef MST_SUIT_URI_MAX
#define MST_SUIT_URI_MAX 1024 /* bytes */
#endif
#ifndef MST_SUIT_ENVELOPE_MAX
#define MST_SUIT_ENVELOPE_MAX 65536 /* bytes, integrated payloads not counted */
#endif
#define MST_SUIT_NESTING_MAX 4 /* sequences within a section's */
#define MST_SUIT_ALTERNATIVES_MAX 8 /* of a try-each, null included */
#define MST_SUIT_STEPS_MAX 10000 /* commands of a procedure, each component counted */
#define MST_SUIT_BLOCK_MIN 128 /* bytes of struct mst_suit.block */
#define MST_SUIT_VERSION_MAX 8 /* integers of a version */

/* Elements of a manifest, and where a refusal happened (sheet 2, 4). */
enum mst_suit_section {
	MST_SUIT_AT_ENVELOPE = -1, /* the envelope's map */
	MST_SUIT_AT_AUTHENTICATION = -2,
	MST_SUIT_AT_MANIFEST = -3, /* the manifest's map */
	MST_SUIT_AT_NOWHERE = 0, /* before or after all of it: record, journal, storage */
	MST_SUIT_AT_VERSION = 1,
	MST_SUIT_AT_SEQUENCE = 2,
	MST_SUIT_COMMON = 3, /* its shared sequence, too */
	MST_SUIT_REFERENCE_URI = 4,
	MST_SUIT_COMPONENT_ID = 5,
	MST_SUIT_SET_VERSION = 6,
	MST_SUIT_VALIDATE = 7,
	MST_SUIT_LOAD = 8,
	MST_SUIT_INVOKE = 9,
	MST_SUIT_COSWID = 14,
	MST_SUIT_DEPENDENCY_RESOLUTION = 15,
	MST_SUIT_PAYLOAD_FETCH = 16,
	MST_SUIT_CANDIDATE_VERIFICATION = 18,
	MST_SUIT_INSTALL = 20,
	MST_SUIT_TEXT = 23,
	MST_SUIT_UNINSTALL = 24,
};

/* Commands (sheet 7). */
enum mst_suit_command {
	MST_SUIT_CMD_NONE = 0,
	MST_SUIT_CMD_VENDOR = 1,
	MST_SUIT_CMD_CLASS = 2,
	MST_SUIT_CMD_IMAGE_MATCH = 3,
	MST_SUIT_CMD_USE_BEFORE = 4,
	MST_SUIT_CMD_SLOT = 5,
	MST_SUIT_CMD_CHECK_CONTENT = 6,
	MST_SUIT_CMD_DEPENDENCY_INTEGRITY = 7,
	MST_SUIT_CMD_IS_DEPENDENCY = 8,
	MST_SUIT_CMD_PROCESS_DEPENDENCY = 11,
	MST_SUIT_CMD_SET_INDEX = 12,
	MST_SUIT_CMD_ABORT = 14,
	MST_SUIT_CMD_TRY_EACH = 15,
	MST_SUIT_CMD_WRITE = 18,
	MST_SUIT_CMD_SET_PARAMETERS = 19,
	MST_SUIT_CMD_OVERRIDE = 20,
	MST_SUIT_CMD_FETCH = 21,
	MST_SUIT_CMD_COPY = 22,
	MST_SUIT_CMD_INVOKE = 23,
	MST_SUIT_CMD_DEVICE = 24,
	MST_SUIT_CMD_IMAGE_NOT_MATCH = 25,
	MST_SUIT_CMD_BATTERY = 26,
	MST_SUIT_CMD_AUTHORIZED = 27,
	MST_SUIT_CMD_VERSION = 28,
	MST_SUIT_CMD_WAIT = 29,
	MST_SUIT_CMD_SWAP = 31,
	MST_SUIT_CMD_RUN_SEQUENCE = 32,
	MST_SUIT_CMD_UNLINK = 33,
	MST_SUIT_CMD_OVERRIDE_MULTIPLE = 34,
	MST_SUIT_CMD_COPY_PARAMS = 35,
};

/* Parameters (sheet 8). */
enum mst_suit_parameter {
	MST_SUIT_PARAM_VENDOR = 1,
	MST_SUIT_PARAM_CLASS = 2,
	MST_SUIT_PARAM_DIGEST = 3,
	MST_SUIT_PARAM_USE_BEFORE = 4,
	MST_SUIT_PARAM_SLOT = 5,
	MST_SUIT_PARAM_STRICT_ORDER = 12,
	MST_SUIT_PARAM_SOFT_FAILURE = 13,
	MST_SUIT_PARAM_SIZE = 14,
	MST_SUIT_PARAM_CONTENT = 18,
	MST_SUIT_PARAM_ENCRYPTION = 19,
	MST_SUIT_PARAM_URI = 21,
	MST_SUIT_PARAM_SOURCE = 22,
	MST_SUIT_PARAM_INVOKE_ARGS = 23,
	MST_SUIT_PARAM_DEVICE = 24,
	MST_SUIT_PARAM_FETCH_ARGS = 25,
	MST_SUIT_PARAM_BATTERY = 26,
	MST_SUIT_PARAM_PRIORITY = 27,
	MST_SUIT_PARAM_VERSION = 28,
	MST_SUIT_PARAM_WAIT = 29,
	MST_SUIT_PARAM_METADATA = 30,
};
#ifdef MUSTER_SUIT_BOOT
#define MST_SUIT_PARAM_SLOTS 8 /* that are kept for each component */
#else
#define MST_SUIT_PARAM_SLOTS 18
#endif

/* ---- What was read ---------------------------------------------------------------------- */

/*
 * The shape of an envelope, and nothing of it believed: tag 107 or none
 * (TEEP), strict CBOR, known keys. The manifest's bytes are not looked into.
 */
struct mst_suit_envelope {
	mst_span bytes; /* all of it, tag included when it has one */
	mst_span elements; /* the pairs of the map, without its head */
	mst_span digest; /* encoded SUIT_Digest: the content of the wrapper's first byte string */
	mst_span blocks; /* the wrapper's other items: byte strings, encoded */
	mst_span manifest; /* the content of element 3 */
};
/*
 * MST_E_SUIT_ENVELOPE*, _TAG, _AUTH*, _MANIFEST_MISSING, _INTEGRATED, _CBOR_*,
 * and MST_E_SUIT_DIGEST* of the wrapper's first element.
 */
MST_MUST_USE mst_err mst_suit_envelope_parse(mst_span bytes, struct mst_suit_envelope *out);

/* The content of the element of this key; absent if there is none. Not authenticated. */
mst_span mst_suit_envelope_element(const struct mst_suit_envelope *envelope, int64_t key);
/* The integrated payload or dependency of this URI; absent if there is none. Not authenticated. */
mst_span mst_suit_envelope_payload(const struct mst_suit_envelope *envelope, mst_span uri);

/* ---- For tools: reading without trust ----------------------------------------------------- */

/* An element of a manifest as it is encoded (a bstr, an array, ...); absent if there is none. */
mst_span mst_suit_manifest_element(mst_span manifest, int64_t key);
/*
 * The commands of a sequence, one by one: true while *command was set. Arguments
 * are not checked here; the sequence's own shape is. e tells at the end.
 */
struct mst_suit_walk {
	mst_span sequence; /* the array, encoded */
	size_t at;
	size_t left; /* items */
	mst_err e;
};
struct mst_suit_step {
	int64_t code;
	mst_span argument; /* encoded */
	size_t offset; /* of the code, from the beginning of the array */
};
void mst_suit_walk_init(struct mst_suit_walk *w, mst_span sequence);
bool mst_suit_walk_next(struct mst_suit_walk *w, struct mst_suit_step *step);

/* Words for people; NULL for what is not in the tables. */
const char *mst_suit_section_name(int64_t key);
const char *mst_suit_command_name(int64_t code);
const char *mst_suit_parameter_name(int64_t key);
/* Is it a condition, does its argument be a reporting policy (sheet 7)? */
bool mst_suit_command_is_condition(int64_t code);
bool mst_suit_command_has_policy(int64_t code);

/* Sheet 20: may this identifier become a path: no segment empty, ".", "..", none with "/" or NUL
 * in it. MST_E_SUIT_COMPONENT_ID. */
MST_MUST_USE mst_err mst_suit_id_check_path(mst_span id);
/* The segments of an identifier, one by one: true while *segment was set. Start with *rest
 * MST_NONE. */
bool mst_suit_id_next(mst_span id, mst_span *rest, mst_span *segment);

/* ---- The platform ------------------------------------------------------------------------- */

/* What a component is, on this device: the platform's own number for it. */
typedef uint16_t mst_suit_handle;
#define MST_SUIT_NO_HANDLE UINT16_MAX

struct mst_suit_component_info {
	uint64_t size; /* bytes it holds; of an image in a slot: its length, if known */
	uint64_t capacity; /* bytes it can hold */
	enum {
		MST_SUIT_HOLDS_NOTHING, /* empty, erased, or left incomplete */
		MST_SUIT_HOLDS, /* size bytes */
		MST_SUIT_HOLDS_UNSIZED, /* something; only image-size tells how much of it counts */
	} state;
};

enum mst_suit_identity { MST_SUIT_ID_VENDOR, MST_SUIT_ID_CLASS, MST_SUIT_ID_DEVICE };

struct mst_suit_fetch {
	mst_suit_handle target;
	mst_span uri; /* as in the manifest: relative ones are the platform's to resolve */
	mst_span arguments; /* parameter 25; absent: none */
	uint64_t limit; /* not more than this many bytes will be taken */
};

/* Events of parameter 29 (sheet 10): has tells which are asked for, MST_SUIT_WAIT_BIT(event). */
enum mst_suit_wait_event {
	MST_SUIT_WAIT_AUTHORIZATION = 1,
	MST_SUIT_WAIT_POWER = 2,
	MST_SUIT_WAIT_NETWORK = 3,
	MST_SUIT_WAIT_OTHER_DEVICE = 4, /* refused: no profile exists */
	MST_SUIT_WAIT_TIME = 5,
	MST_SUIT_WAIT_TIME_OF_DAY = 6, /* local */
	MST_SUIT_WAIT_DAY_OF_WEEK = 7, /* local */
	MST_SUIT_WAIT_TIME_OF_DAY_UTC = 8,
	MST_SUIT_WAIT_DAY_OF_WEEK_UTC = 9,
};
#define MST_SUIT_WAIT_BIT(event) (1U << (event))
struct mst_suit_wait {
	uint32_t has;
	int64_t authorization, power, network;
	uint64_t time, time_of_day, day_of_week, time_of_day_utc, day_of_week_utc;
};

/* Sequence number and digest of the root manifest that was confirmed last (sheet 13). */
struct mst_suit_record {
	uint64_t number;
	uint8_t digest[32]; /* of the manifest: the first 32 bytes of its SUIT_Digest's bytes */
	bool known; /* false: none was confirmed yet */
};

/*
 * Written ahead of every directive that changes storage, and while a payload
 * arrives (sheet 13.4). Its parts fit struct mst_journal of muster/slots.h. Its
 * integrity is the platform's: a CRC and two copies.
 */
struct mst_suit_journal {
	uint8_t digest[32]; /* of the root manifest, as in the record */
	int32_t section;
	uint32_t command; /* offset in it of the directive that was begun last */
	uint32_t component; /* its index */
	uint32_t state; /* the processor's own: how many are done, and what conditions said */
	uint64_t offset; /* payload bytes of the directive that are durable; of swap: its own */
};

struct mst_suit_event;

/*
 * Functions of the device. One that the device does not have is NULL: a
 * manifest that needs it is refused before anything is executed. mst_err
 * answers other than those named here are passed on as they are; MST_E_SUIT_
 * PLATFORM if none fits.
 */
struct mst_suit_platform {
	void *ctx;

	/* The component of this identifier (an encoded array of byte strings).
	 * MST_E_SUIT_COMPONENT_UNKNOWN. The same one always gets the same handle. A platform
	 * that makes paths of identifiers asks mst_suit_id_check_path() first. */
	mst_err (*component)(void *ctx, mst_span id, mst_suit_handle *handle);
	mst_err (*info)(void *ctx, mst_suit_handle c, struct mst_suit_component_info *out);
	/* Exactly len bytes of what is stored, read back from storage. */
	mst_err (*read)(void *ctx, mst_suit_handle c, uint64_t offset, uint8_t *out, size_t len);

	/*
	 * Writing: begin, write..., then end or drop. begin invalidates what the
	 * component held, unless it resumes: *offset is where the processor would
	 * continue (0: anew), and the platform may lower it. size is what will
	 * come, or UINT64_MAX if nobody knows; MST_E_SUIT_CAPACITY. end makes the
	 * bytes durable; metadata is parameter 30's content (checked), or absent.
	 * drop gives up and leaves nothing that could pass as an image.
	 * What was written is not valid before finalise.
	 */
	mst_err (*begin)(void *ctx, mst_suit_handle c, uint64_t size, uint64_t *offset);
	mst_err (*write)(void *ctx, mst_suit_handle c, mst_span block);
	mst_err (*end)(void *ctx, mst_suit_handle c, mst_span metadata);
	void (*drop)(void *ctx, mst_suit_handle c);
	/* Make what was written so far survive a cut: called before the journal says so. NULL:
	 * write does. */
	mst_err (*sync)(void *ctx, mst_suit_handle c);
	/* Exchange the contents. After a cut in its middle it is called again and completes it; one
	 * that was complete is not repeated: the processor sees that by what both hold. */
	mst_err (*swap)(void *ctx, mst_suit_handle a, mst_suit_handle b);
	/* All sections of an update succeeded, and the content was checked: the component may now
	 * be marked valid. NULL: nothing to mark. */
	mst_err (*finalise)(void *ctx, mst_suit_handle c);

	/*
	 * Fetching: open, read..., close. open takes up at *offset or, where the
	 * source has no ranges, sets it to 0. read appends up to the free room of
	 * block and nothing more at the end of the payload. It may block; where it
	 * gives up for now, MST_E_SUIT_INTERRUPTED (resumable) or MST_E_SUIT_FETCH.
	 */
	mst_err (*fetch_open)(void *ctx, const struct mst_suit_fetch *fetch, uint64_t *offset);
	mst_err (*fetch_read)(void *ctx, struct mst_buf *block);
	void (*fetch_close)(void *ctx);

	/* The n-th (from 0) identifier that the device, or this component, has; absent: no more.
	 * 16 bytes of a UUID; of a PEN vendor the content of tag 112. */
	mst_span (*identity)(void *ctx, mst_suit_handle c, enum mst_suit_identity kind, unsigned n);
	mst_err (*slot)(void *ctx, mst_suit_handle c, uint64_t *slot);
	/* The integers of the installed version, at most MST_SUIT_VERSION_MAX. */
	mst_err (*version)(void *ctx, mst_suit_handle c, int64_t *ints, size_t *count);
	/* Seconds since 1970, trusted; MST_E_SUIT_NO_TIME. */
	mst_err (*now)(void *ctx, uint64_t *seconds);
	mst_err (*battery)(void *ctx, uint64_t *mwh);
	/* May the update go on? priority: parameter 27. MST_E_SUIT_NOT_AUTHORIZED. */
	mst_err (*authorized)(void *ctx, mst_suit_handle c, int64_t priority);
	/* MST_OK when all events hold; it may block. MST_E_SUIT_WAIT: not now, ask again.
	 * MST_E_SUIT_WAIT_UNSUPPORTED: it cannot observe one of them. */
	mst_err (*wait)(void *ctx, mst_suit_handle c, const struct mst_suit_wait *events);
	/* Start it. It may not return; the event "pending" was traced before. */
	mst_err (*invoke)(void *ctx, mst_suit_handle c, mst_span arguments);
	/* Custom commands and parameters (codes below -256): does the device know it; do it. value
	 * and argument are encoded. A condition that fails is MST_E_SUIT_CUSTOM. */
	bool (*custom_known)(void *ctx, int64_t code);
	mst_err (*custom)(void *ctx, mst_suit_handle c, int64_t code, mst_span argument);
	bool (*custom_parameter_known)(void *ctx, int64_t key);
	mst_err (*custom_parameter)(void *ctx, mst_suit_handle c, int64_t key, mst_span value);

	/* The record of the root manifest's identity: its manifest-component-id, encoded, or the
	 * rules' domain. write is durable on return, all or nothing. MST_E_SUIT_RECORD. */
	mst_err (*record_read)(void *ctx, mst_span identity, struct mst_suit_record *out);
	mst_err (*record_write)(void *ctx, mst_span identity, const struct mst_suit_record *record);
	/* One journal. read: MST_E_SUIT_JOURNAL when there is none that can be read. NULL: updates
	 * are applied anew from the start after a cut. */
	mst_err (*journal_read)(void *ctx, struct mst_suit_journal *out);
	mst_err (*journal_write)(void *ctx, const struct mst_suit_journal *journal);
	mst_err (*journal_erase)(void *ctx);

	/*
	 * Reference counts (TD 5.5.5): for each component the set of root manifests
	 * (by the first 32 bytes of their digest) that need it. That it is a set
	 * makes each manifest count once. references: how many other than by.
	 * unlink: *left is how many remain. NULL: unlink is unsupported. A platform
	 * that does not count a component answers 0.
	 */
	mst_err (*references)(void *ctx, mst_suit_handle c, mst_span by, unsigned *count);
	mst_err (*link)(void *ctx, mst_suit_handle c, mst_span by);
	mst_err (*unlink)(void *ctx, mst_suit_handle c, mst_span by, unsigned *left);
	/* Free a component that nothing needs any more. */
	mst_err (*erase)(void *ctx, mst_suit_handle c);
	/* Keep the root manifest's envelope where its manifest-component-id says; after a
	 * successful update. NULL: the caller keeps it. */
	mst_err (*keep)(void *ctx, mst_suit_handle c, mst_span envelope);

	/* Told of each command after it was executed, once for each component. NULL: nobody. */
	void (*trace)(void *ctx, const struct mst_suit_event *event);
};

/* ---- Rules of this device ----------------------------------------------------------------- */

/* Bits of struct mst_suit_acl.commands and .parameters. */
#define MST_SUIT_ACL_COMMAND(code) (UINT64_C(1) << (code))
#define MST_SUIT_ACL_SOURCE UINT64_C(1) /* it may be the source of copy and swap */
#define MST_SUIT_ACL_KEEP (UINT64_C(1) << 62) /* a root manifest may be kept there */
#define MST_SUIT_ACL_CUSTOM (UINT64_C(1) << 63)
#define MST_SUIT_ACL_ALL UINT64_MAX

/*
 * What a signer may do (sheet 20, M 9): a row allows its commands and
 * parameters on components below its prefix, to manifests that one of its
 * authorities signed. Rights are needed for what changes or starts something:
 * commands 18, 21, 22, 23, 31, 33 and custom ones, the source of 22 and 31, the
 * place of the root manifest, and parameters 18, 19, 21, 22, 23, 25, 30 and
 * custom ones. Everybody may compare (M 9). What several rows allow, adds up;
 * what no row allows, is refused.
 */
struct mst_suit_acl {
	uint32_t authorities; /* MST_SUIT_AUTHORITY_BIT()s */
	mst_span prefix; /* an encoded component identifier; h'80' is all components */
	uint64_t commands; /* MST_SUIT_ACL_COMMAND()s, _SOURCE, _KEEP, _CUSTOM */
	uint64_t parameters; /* MST_SUIT_ACL_COMMAND(key)s, _CUSTOM */
};

enum mst_suit_rule {
	/* TD 5.4 to the letter: process-dependency without dependency-integrity aborts, and the
	 * dependent must have all sections of its dependencies. Default: the check is made
	 * implicitly where the digest is set, as two published examples need (sheet 14). */
	MST_SUIT_RULE_STRICT_DEPENDENCIES = 1,
	/* The root's shared sequence need not check vendor and class (sheet 5: examples of FE and
	 * TD do not). For devices whose keys are of one class only. */
	MST_SUIT_RULE_NO_CLASS_CHECK = 2,
	/* A dependency's prefix at an index that is a component goes before the identifiers of the
	 * dependency's components (TD 5.2.2). Without this rule such a prefix names another
	 * manifest processor, which no platform here has, and is MST_E_SUIT_DEPENDENCY_METADATA. */
	MST_SUIT_RULE_PREFIX_PREPENDS = 4,
};

struct mst_suit_rules {
	unsigned rules; /* enum mst_suit_rule */
	struct mst_suit_policy signers; /* who must have signed the root */
	struct mst_suit_policy dependency_signers; /* and each dependency */
	const struct mst_suit_acl *acl; /* NULL: model 1, every signer may do everything */
	size_t acl_count;
	/* Bits 1 << enum mst_suit_procedure that this processor runs; 0: all. Sections of others
	 * (a bootloader's, in an updater) need no support here, but must be well-formed. */
	unsigned procedures;
	mst_span domain; /* identity of root manifests without manifest-component-id */
	uint32_t journal_every; /* bytes of a payload between two journal records; 0: 64 KiB */
};

/* ---- State -------------------------------------------------------------------------------- */

#define MST_SUIT_NO_INDEX UINT16_MAX

/* Where and why (issue 4: every refusal has its section, command offset, component). */
struct mst_suit_refusal {
	mst_err err;
	int32_t section; /* enum mst_suit_section, or the key of the element */
	uint32_t offset; /* of the command, from the beginning of the section's array */
	uint16_t component; /* index in the manifest; MST_SUIT_NO_INDEX: none */
	uint8_t depth; /* of the manifest in the tree: 0 is the root */
	uint16_t path[MST_SUIT_DEPTH_MAX]; /* the dependencies' indices on the way to it */
	int64_t command; /* 0: none */
};

/* A command that was executed on one component (or, of 12, 15 and 32, on none). */
struct mst_suit_event {
	mst_err result;
	enum {
		MST_SUIT_DONE, /* executed */
		MST_SUIT_PENDING, /* invoke: about to, and may not come back */
		MST_SUIT_RESUMED, /* done before a cut of power: not done again */
		MST_SUIT_NEEDLESS, /* fetch, copy: the component holds it already */
		MST_SUIT_IMPLIED, /* 7, where only 11 stood (sheet 14) */
	} how;
	int32_t section;
	uint32_t offset;
	uint16_t component;
	mst_suit_handle handle; /* MST_SUIT_NO_HANDLE: none */
	int64_t command;
	uint8_t policy; /* reporting policy; 0 for commands without one */
	uint8_t depth;
	const uint16_t *path; /* depth indices */
	/* What was measured: pairs of parameter key and actual value, encoded (report 3). */
	mst_span measured;
	unsigned measured_count;
};

struct mst_suit_slot { /* of the table of components: of root and dependencies alike */
	mst_suit_handle handle;
	uint8_t flags;
	mst_span id; /* encoded; in a manifest, or (with a prefix) in the arena */
	uint8_t writer; /* the manifest that wrote it: 0 the root, else 1 + dependency */
	/* The values as they are encoded in a manifest (M 8.4.8: pointers, no copies). */
	const uint8_t *param[MST_SUIT_PARAM_SLOTS];
};

/* Authentic and scanned; made by mst_suit_check() alone. Read what is public; write nothing. */
struct mst_suit_manifest {
	struct mst_suit_envelope envelope;
	uint64_t sequence_number;
	mst_span component_id; /* encoded manifest-component-id; absent: none */
	uint32_t authorities; /* whose signatures verified */
	/* The processor's own. */
	uint16_t index[MST_SUIT_DEPTH_MAX]; /* its path in the tree */
	mst_span prefix; /* of its components' identifiers; absent: none */
	uint32_t ran; /* sections that ran in this procedure, by bit */
	uint8_t depth;
	uint8_t parent; /* 0 the root, else 1 + place in struct mst_suit.dependency */
	uint8_t component; /* a dependency: the component that holds it */
	uint8_t flags;
	uint8_t components; /* number of indices that are components */
	uint8_t count; /* components and dependencies beyond them */
	uint8_t dependencies;
	uint8_t slot[MST_SUIT_COMPONENTS_MAX]; /* by place: in struct mst_suit.slot */
	struct {
		uint16_t index; /* as the manifest numbers it */
		uint8_t place; /* in slot[] */
	} dependency[MST_SUIT_DEPENDENCIES_MAX];
};

/*
 * The processor. The caller zeroes it and sets the first part; the rest is the
 * processor's. One procedure at a time.
 */
struct mst_suit {
	const struct mst_suit_platform *platform;
	const struct mst_suit_crypto *crypto;
	const struct mst_suit_keys *keys;
	const struct mst_suit_rules *rules;
	struct mst_buf block; /* working memory, MST_SUIT_BLOCK_MIN bytes or more */
	struct mst_buf arena; /* for the envelopes of dependencies; absent: none are supported */

	struct mst_suit_refusal refusal; /* of the last call that was refused */
	unsigned steps; /* commands that the last procedure executed */

	/* The processor's own. */
	struct mst_suit_slot slot[MST_SUIT_COMPONENTS_MAX];
	uint8_t slots;
	uint8_t nesting;
	uint8_t flags;
	uint8_t dependencies;
	int32_t section;
	const uint8_t *section_at; /* where offsets count from */
	const struct mst_suit_manifest *root;
#ifndef MUSTER_SUIT_BOOT
	struct mst_suit_manifest dependency[MST_SUIT_DEPENDENCIES_MAX];
	struct mst_suit_journal journal;
	uint32_t done, replay; /* directives that store: this time, and before the cut */
	uint32_t said; /* what conditions said, one bit each, in order */
	uint8_t said_count;
	uint8_t procedure;
#endif
};

/* ---- Check, run, confirm ------------------------------------------------------------------ */

/*
 * Sheet 12, in its order: authentication by the rules' policy, digest of the
 * manifest, version, sequence number against the record, components known and
 * not too many, severed elements, and every command of every sequence:
 * known, supported, well-formed, with its indices, its nesting, in its place,
 * allowed to the signer. Touches nothing. *out is written on success and stays
 * valid with s and the envelope's bytes.
 */
MST_MUST_USE mst_err mst_suit_check(
    struct mst_suit *s, const struct mst_suit_envelope *envelope, struct mst_suit_manifest *out);

enum mst_suit_procedure {
	MST_SUIT_UPDATE, /* 15, 16, 18, 20, then 7; components finalised, links made */
	MST_SUIT_STAGING, /* 15, 16: where another domain installs (TD 7) */
	MST_SUIT_INSTALLATION, /* 18, 20, then 7; finalised */
	MST_SUIT_INVOCATION, /* 7, 8, 9 */
	MST_SUIT_VALIDATION, /* 7: what confirm does before it believes */
	MST_SUIT_UNINSTALLATION, /* 24 */
};
/*
 * Execute. Parameters are cleared first; the shared sequence runs before each
 * section. A section that the manifest does not have is skipped, but what the
 * procedure is for must be there: 9 for INVOCATION, 24 for UNINSTALLATION, one
 * of its sections for the others: MST_E_SUIT_NO_SECTION. With a journal of the
 * same manifest and procedure it goes on where the power was cut.
 * MST_OK: the whole procedure succeeded. manifest must be the one that s
 * checked last.
 */
MST_MUST_USE mst_err mst_suit_run(struct mst_suit *s, const struct mst_suit_manifest *manifest,
    enum mst_suit_procedure procedure);

/*
 * The image that this manifest installed is running and says that it is well
 * (sheet 13.2): validate once more, then write sequence number and digest into
 * the record. Never back: MST_E_SUIT_ROLLBACK, _SEQUENCE_REUSED.
 */
MST_MUST_USE mst_err mst_suit_confirm(struct mst_suit *s, const struct mst_suit_manifest *manifest);

#ifndef MUSTER_SUIT_BOOT
/* ---- Reports (sheet 16) --------------------------------------------------------------------- */

enum mst_suit_reason {
	MST_SUIT_REASON_OK,
	MST_SUIT_REASON_CBOR_PARSE,
	MST_SUIT_REASON_COSE_UNSUPPORTED,
	MST_SUIT_REASON_ALG_UNSUPPORTED,
	MST_SUIT_REASON_UNAUTHORISED,
	MST_SUIT_REASON_COMMAND_UNSUPPORTED,
	MST_SUIT_REASON_COMPONENT_UNSUPPORTED,
	MST_SUIT_REASON_COMPONENT_UNAUTHORISED,
	MST_SUIT_REASON_PARAMETER_UNSUPPORTED,
	MST_SUIT_REASON_SEVERING_UNSUPPORTED,
	MST_SUIT_REASON_CONDITION_FAILED,
	MST_SUIT_REASON_OPERATION_FAILED,
	MST_SUIT_REASON_INVOKE_PENDING,
};
enum mst_suit_reason mst_suit_reason_of(mst_err e);
const char *mst_suit_reason_name(uint64_t reason);

/*
 * Collects records while a procedure runs: call it from the platform's trace
 * function. Records are encoded one after the other into store. A record is
 * made on failure, on success where the policy says so, and for "pending";
 * claims where the policy asks for system information. What does not fit is
 * counted in lost.
 */
struct mst_suit_collector {
	struct mst_buf store; /* lent; empty at the start */
	unsigned records, lost;
	/* Of an event for whose component a claim is asked: its identifier, encoded, or absent. */
	mst_span (*component_id)(void *ctx, mst_suit_handle handle);
	void *ctx;
	mst_span failure; /* the record of the last command that failed; in store */
	bool pending; /* the last event was "pending" */
	mst_err failed; /* the collector's own: of failure */
	uint8_t depth;
};
void mst_suit_collect(struct mst_suit_collector *c, const struct mst_suit_event *event);

/* Encoded elements of a capability report (report 6); absent ones are left out. */
struct mst_suit_capability {
	const mst_span *components; /* encoded SUIT_Component_Capability arrays */
	size_t components_count;
	const int64_t *algorithms; /* COSE numbers */
	size_t algorithms_count;
};
/* The report's element 8: what this build and this platform support. Appends. */
MST_MUST_USE mst_err mst_suit_capability_build(const struct mst_suit_platform *platform,
    const struct mst_suit_capability *capability, struct mst_buf *out);

struct mst_suit_report_content {
	const struct mst_suit_envelope *envelope; /* digest, and reference-uri of its manifest */
	mst_span reference_uri; /* used where the manifest has none; absent: "" */
	mst_span nonce; /* absent: none */
	const struct mst_suit_collector *collector; /* NULL: no records */
	mst_err result; /* of the procedure: MST_OK only if all of it succeeded */
	const struct mst_suit_refusal *refusal; /* when it was not */
	mst_span capability; /* of mst_suit_capability_build(); absent: none */
};
/*
 * Append a SUIT_Report, not yet protected: mst_suit_sign1_build() and its
 * like do that. result true needs content->result MST_OK and no invocation
 * pending. MST_E_SPACE, and then nothing is appended.
 */
MST_MUST_USE mst_err mst_suit_report_build(
    const struct mst_suit_report_content *content, struct mst_buf *out);

/* What was read of a report (its protection is mst_suit_report_open()'s business): claims. */
struct mst_suit_report {
	mst_span uri;
	struct mst_suit_digest_claim digest;
	mst_span digest_encoded; /* the SUIT_Digest array */
	mst_span nonce; /* absent: none */
	mst_span records; /* items, encoded, one after the other */
	size_t records_count;
	bool success;
	int64_t code; /* unless success */
	mst_span failure; /* its record, encoded */
	uint64_t reason;
	mst_span capability; /* encoded; absent: none */
};
/* Any order of keys, none twice, each of its type. MST_E_SUIT_REPORT*. */
MST_MUST_USE mst_err mst_suit_report_parse(mst_span bytes, struct mst_suit_report *out);

struct mst_suit_report_record {
	enum { MST_SUIT_RECORD, MST_SUIT_CLAIMS } kind;
	uint16_t path[MST_SUIT_DEPTH_MAX];
	unsigned depth;
	int64_t section;
	uint64_t offset, component;
	mst_span component_id; /* of claims, encoded */
	mst_span properties; /* pairs of key and value, encoded */
	size_t properties_count;
};
/* The next record, and *rest moves behind it; start with report.records. MST_E_SUIT_REPORT_RECORD
 * at the end, too: count them. */
MST_MUST_USE mst_err mst_suit_report_next(mst_span *rest, struct mst_suit_report_record *out);
#endif

#endif
