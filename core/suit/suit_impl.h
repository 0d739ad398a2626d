/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the processor share. */
#ifndef MUSTER_CORE_SUIT_IMPL_H
#define MUSTER_CORE_SUIT_IMPL_H

#include "core/suit/suit_cbor.h"
#include "muster/suit.h"

/* struct mst_suit.flags */
enum suit_state {
	SUIT_REPLAYING = 1, /* and has not come there yet */
	SUIT_RESUMED = 2, /* the procedure went on after a cut */
	SUIT_NO_JOURNAL = 4, /* what happened no longer fits the journal */
	SUIT_HOLD_PARTIAL = 8, /* an interrupted transfer stays, with the journal */
};

/* struct mst_suit_manifest.flags, of dependencies */
enum suit_manifest_state {
	SUIT_IN_USE = 1,
	SUIT_VERIFIED = 2, /* dependency-integrity held, and nothing wrote to it since */
};

/* struct mst_suit_slot.flags */
enum suit_slot_state {
	SUIT_WRITTEN = 1, /* in this procedure */
	SUIT_CHECKED = 2, /* its content is known to be right, and was not written since */
	SUIT_WANTED = 4, /* a target of this procedure, also where it needed no writing */
};

/* How a section is used: the kinds of sequences (sheet 9). */
enum suit_kind { SUIT_TOP, SUIT_TRY, SUIT_RUN };

/* ---- suit_manifest.c */
/* The value of a key in the manifest's map, encoded; absent if there is none. */
mst_span suit_find(mst_span map_item, int64_t key);
/* The content of a section's byte string, inline or severed. Absent: no such section, or (severed
 * tells) one that is not in the envelope. */
mst_span suit_section(const struct mst_suit_manifest *m, int32_t key, bool *severed);
/* The shared sequence; absent if there is none. */
mst_span suit_shared(const struct mst_suit_manifest *m);
/* Everything of the manifest's map and its common part, and the slots of its components. */
mst_err suit_manifest_read(struct mst_suit *s, struct mst_suit_manifest *m) MST_MUST_USE;
/* The prefix of a dependency's metadata, encoded; absent: none. */
mst_span suit_prefix_of(const struct mst_suit_manifest *m, uint16_t index);
mst_err suit_id_join(struct mst_suit *s, mst_span prefix, mst_span *id) MST_MUST_USE;
/* index -> place in m->slot[]; false: there is none. */
bool suit_place(const struct mst_suit_manifest *m, uint64_t index, unsigned *place);
#ifdef MUSTER_SUIT_BOOT
#define suit_index_of(m, place) ((uint16_t)(place))
#define suit_is_dependency(m, place) (false)
#else
uint16_t suit_index_of(const struct mst_suit_manifest *m, unsigned place);
bool suit_is_dependency(const struct mst_suit_manifest *m, unsigned place);
#endif

/* ---- suit_auth.c */
mst_err suit_authenticate(struct mst_suit *s, struct mst_suit_manifest *m,
    const struct mst_suit_policy *policy) MST_MUST_USE;
mst_err suit_sequence_check(struct mst_suit *s, const struct mst_suit_manifest *m) MST_MUST_USE;
mst_err suit_record_of(struct mst_suit *s, const struct mst_suit_manifest *m, mst_span *identity,
    struct mst_suit_record *record) MST_MUST_USE;
/* The first 32 bytes of the manifest's digest. */
void suit_digest32(const struct mst_suit_manifest *m, uint8_t out[32]);
/* Of a refusal that is not of a command. */
mst_err suit_refuse(
    struct mst_suit *s, const struct mst_suit_manifest *m, int32_t section, mst_err e);

/* ---- suit_commands.c: the table of commands */
enum suit_argument {
	SUIT_ARG_POLICY,
	SUIT_ARG_INDEX,
	SUIT_ARG_ALTERNATIVES,
	SUIT_ARG_SEQUENCE,
	SUIT_ARG_PARAMETERS,
	SUIT_ARG_MULTIPLE,
	SUIT_ARG_COPY,
};
enum suit_command_flag {
	SUIT_CONDITION = 1,
	SUIT_SHARED_OK = 2, /* may stand in the shared sequence */
	SUIT_STORES = 4, /* changes what a component holds */
	SUIT_RIGHT = 8, /* needs a right (sheet 20) */
	SUIT_RECALLED = 16, /* what it said before a cut counts, not what it would say now, */
	SUIT_STILL = 32, /* but where it succeeded it must do so still */
};
struct suit_act;
typedef mst_err (*suit_fn)(struct suit_act *a);
struct suit_command {
	uint8_t code;
	uint8_t argument; /* enum suit_argument */
	uint8_t flags;
	uint8_t need; /* 1 + place of the function in struct mst_suit_platform; 0: none */
	suit_fn run; /* NULL: the interpreter does it itself */
};
const struct suit_command *suit_command_find(int64_t code);
bool suit_command_supported(const struct mst_suit_platform *p, const struct suit_command *c);
/* The next row; NULL after the last. Start with NULL. */
const struct suit_command *suit_command_next(const struct suit_command *c);

/* ---- suit_params.c: the table of parameters */
/* One value: taken from c and checked for its key. */
void suit_param_check(struct suit_cur *c, int64_t key);
bool suit_param_known(int64_t key);
/* The n-th known key; 0 after the last. */
int suit_param_key(unsigned n);
/* Where it is kept; NULL: nowhere in this build. */
const uint8_t **suit_param_at(struct mst_suit_slot *slot, int64_t key);
/* The value, encoded; NULL: not set. */
const uint8_t *suit_param(const struct suit_act *a, int64_t key);
mst_err suit_version_read(mst_span encoded, int64_t *comparison, int64_t *ints, size_t *count);
mst_err suit_wait_read(mst_span encoded, struct mst_suit_wait *out);

/* ---- suit_scan.c */
mst_err suit_scan(struct mst_suit *s, const struct mst_suit_manifest *m) MST_MUST_USE;

/* ---- suit_acl.c */
#define SUIT_BIT_SOURCE 0
#define SUIT_BIT_KEEP 62
#define SUIT_BIT_CUSTOM 63
enum suit_right { SUIT_RIGHT_COMMAND, SUIT_RIGHT_PARAMETER };
bool suit_allowed(const struct mst_suit *s, const struct mst_suit_manifest *m, mst_span id,
    enum suit_right kind, unsigned bit);

/* ---- suit_exec.c */
enum suit_outcome { SUIT_OK, SUIT_SOFT, SUIT_FAILED, SUIT_ABORTED };
#ifdef MUSTER_SUIT_MCU
#define SUIT_MEASURED 64 /* a SHA-256 and a size */
#else
#define SUIT_MEASURED 96
#endif

/* One command on one component. */
struct suit_act {
	struct mst_suit *s;
	const struct mst_suit_manifest *m;
	struct mst_suit_slot *slot;
	const struct suit_command *command; /* NULL: custom */
	const uint8_t *code, *argument; /* where they stand */
	uint8_t place;
	uint8_t how; /* of the event */
	bool soft; /* it may fail without consequence */
#ifndef MUSTER_SUIT_BOOT
	uint8_t measured_count;
	struct mst_buf measured;
	uint8_t measured_store[SUIT_MEASURED];
#endif
};
/* One section of one manifest, its shared sequence first. */
mst_err suit_section_run(
    struct mst_suit *s, const struct mst_suit_manifest *m, int32_t section) MST_MUST_USE;
#ifdef MUSTER_SUIT_BOOT
#define suit_trace(a, result) ((void)0)
#else
void suit_trace(const struct suit_act *a, mst_err result);
#endif

#ifndef MUSTER_SUIT_BOOT
void suit_measure_uint(struct suit_act *a, int key, uint64_t value);
void suit_measure_bytes(struct suit_act *a, int key, mst_span value);
void suit_measure_digest(struct suit_act *a, int32_t alg, mst_span digest);
void suit_measure_version(struct suit_act *a, const int64_t *ints, size_t count);
#endif

/* ---- suit_condition.c, suit_um.c */
mst_err suit_identity(struct suit_act *a);
mst_err suit_image_match(struct suit_act *a);
/* The digest of len bytes of the component, read back from storage; appended. st is lent. */
mst_err suit_hash(struct suit_act *a, union mst_suit_digest_state *st, int32_t alg, uint64_t len,
    struct mst_buf *out) MST_MUST_USE;
mst_err suit_image_not_match(struct suit_act *a);
mst_err suit_component_slot(struct suit_act *a);
mst_err suit_check_content(struct suit_act *a);
mst_err suit_abort(struct suit_act *a);
mst_err suit_use_before(struct suit_act *a);
mst_err suit_battery(struct suit_act *a);
mst_err suit_authorized(struct suit_act *a);
mst_err suit_version(struct suit_act *a);
mst_err suit_wait(struct suit_act *a);

/* ---- suit_directive.c, suit_store.c */
mst_err suit_invoke(struct suit_act *a);
mst_err suit_copy(struct suit_act *a);
mst_err suit_fetch(struct suit_act *a);
mst_err suit_write(struct suit_act *a);
mst_err suit_swap(struct suit_act *a);
/* The component is written, by this manifest: nothing is known of its content any more. */
void suit_written(struct suit_act *a);
/* 0 the root, else 1 + place in s->dependency. */
uint8_t suit_number(const struct mst_suit *s, const struct mst_suit_manifest *m);

/* ---- suit_journal.c */
#ifndef MUSTER_SUIT_BOOT
void suit_journal_begin(struct mst_suit *s);
/* Before a directive that stores: *skip when it was done before the cut; *offset where its
 * payload goes on. */
mst_err suit_journal_ahead(struct suit_act *a, bool *skip) MST_MUST_USE;
mst_err suit_journal_progress(struct suit_act *a, uint64_t offset) MST_MUST_USE;
mst_err suit_journal_done(struct suit_act *a) MST_MUST_USE;
mst_err suit_journal_end(struct mst_suit *s, mst_err e) MST_MUST_USE;
/* What a condition said before the cut; false: it is to be asked now. */
bool suit_journal_recall(struct suit_act *a, mst_err *said);
void suit_journal_say(struct suit_act *a, mst_err said);

/* ---- suit_dependency.c */
mst_err suit_dependency_integrity(struct suit_act *a);
mst_err suit_dependency_is(struct suit_act *a);
mst_err suit_dependency_process(struct suit_act *a);
mst_err suit_dependency_match(struct suit_act *a);
mst_err suit_unlink(struct suit_act *a);
/* Integrity held in this context, or (sheet 14) is checked now because the rules allow it. */
mst_err suit_dependency_ready(struct suit_act *a, struct mst_suit_manifest **out) MST_MUST_USE;
/* At the end of a section: each dependency ran its own (TD 5.1). */
mst_err suit_dependencies_ran(
    struct mst_suit *s, const struct mst_suit_manifest *m, int32_t section) MST_MUST_USE;
void suit_dependencies_forget(struct mst_suit *s, const struct mst_suit_slot *slot);
#endif

/* The sections of a procedure, in order; 0 ends. */
const uint8_t *suit_procedure_sections(enum mst_suit_procedure procedure);

#endif
