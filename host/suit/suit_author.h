/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The author's side of SUIT (draft-ietf-suit-manifest-37, trust-domains,
 * update-management): a manifest under construction, its deterministic CBOR,
 * and the envelope around it, taken apart and put together again. The device's
 * side is include/muster/suit.h; nothing here is believed by a device.
 *
 * A manifest is written from the outside in: suit_author_new(), components,
 * a section, commands in it, parameters behind an override. Calls latch their
 * first error as the CBOR writer does; suit_author_build() tells. Everything
 * lies in the arena, and so do the texts and bytes handed in: they are not
 * copied, they must live as long.
 */
#ifndef HOST_SUIT_SUIT_AUTHOR_H
#define HOST_SUIT_SUIT_AUTHOR_H

#include "host/suit_envelope.h"

/* --- a manifest under construction --- */

struct suit_author;
struct suit_seq; /* a command sequence of it */

/* NULL when out of memory. The digest algorithm (COSE number) is SHA-256 until set. */
struct suit_author *suit_author_new(struct arena *a);
void suit_author_digest(struct suit_author *m, int64_t alg);
/* M 8.4.2; 0 until set. */
void suit_author_number(struct suit_author *m, uint64_t sequence_number);
void suit_author_reference(struct suit_author *m, mst_span uri);
/* TD 5.1: where the root manifest is kept. */
void suit_author_component_id(struct suit_author *m, const mst_span *segments, size_t count);
/* UM: [+int]. */
void suit_author_set_version(struct suit_author *m, const int64_t *version, size_t count);
/* The concise-swid-tag, encoded (UM 7). */
void suit_author_coswid(struct suit_author *m, mst_span tag);

/* The next component; its index. */
unsigned suit_author_component(struct suit_author *m, const mst_span *segments, size_t count);
/* TD 5.2.2: index of the dependency; count 0: no prefix. */
void suit_author_dependency(
    struct suit_author *m, unsigned index, const mst_span *prefix, size_t count);

/*
 * The sequence of a section: 7 validate, 8 load, 9 invoke, 15
 * dependency-resolution, 16 payload-fetch, 18 candidate-verification, 20
 * install, 24 uninstall, or 4 for the shared sequence of common. Made at the
 * first call, the same one later. Never NULL.
 */
#define SUIT_SHARED 4
struct suit_seq *suit_author_section(struct suit_author *m, int64_t key);
/* One that stands in no section yet: an argument of try-each or run-sequence. */
struct suit_seq *suit_author_sequence(struct suit_author *m);

/* A command whose argument is a reporting policy (0..15). */
void suit_put(struct suit_seq *s, int64_t code, unsigned policy);
/* A command with any argument: one encoded item. */
void suit_put_raw(struct suit_seq *s, int64_t code, mst_span item);
/* set-component-index: one, several, or all (count 0). */
void suit_put_index(struct suit_seq *s, const unsigned *index, size_t count);
/* override-parameters (20) or set-parameters (19); the suit_param_ calls that follow fill it. */
void suit_put_parameters(struct suit_seq *s, int64_t code);
/* override-multiple (34): for this index; several in turn make one command. */
void suit_put_multiple(struct suit_seq *s, unsigned index);
void suit_param_uint(struct suit_seq *s, int64_t key, uint64_t value);
void suit_param_int(struct suit_seq *s, int64_t key, int64_t value);
void suit_param_bytes(struct suit_seq *s, int64_t key, mst_span value);
void suit_param_text(struct suit_seq *s, int64_t key, mst_span value);
void suit_param_bool(struct suit_seq *s, int64_t key, int value);
void suit_param_raw(struct suit_seq *s, int64_t key, mst_span item);
/* image-digest or any other that is a SUIT_Digest: wrapped in a byte string. */
void suit_param_digest(struct suit_seq *s, int64_t key, int64_t alg, mst_span digest);
enum suit_try_end { SUIT_TRY_MUST, SUIT_TRY_MAY }; /* MAY: null as the last alternative */
void suit_put_try(
    struct suit_seq *s, struct suit_seq *const *alternatives, size_t count, enum suit_try_end end);
void suit_put_run(struct suit_seq *s, struct suit_seq *inner);

/* Text (M 8.4.4): component NULL and count 0 for what is said of the manifest itself. */
void suit_author_text(struct suit_author *m, mst_span lang, const mst_span *component, size_t count,
    int64_t key, mst_span text);
/* A severable element (15, 16, 18, 20, 23, 14) becomes a digest in the manifest and stands beside
 * it. MST_E_FW_SEVERABLE at build when there is no such element. */
void suit_author_sever(struct suit_author *m, int64_t key);
/* An integrated payload or dependency (M 8.5). */
void suit_author_integrate(struct suit_author *m, mst_span uri, mst_span bytes);

/*
 * The envelope, tagged 107, its authentication wrapper with the digest and no
 * block: ready for signing. MST_E_FW_*, MST_E_CBOR_UTF8, MST_E_NOMEM;
 * suit_author_why() has words.
 */
MST_MUST_USE mst_err suit_author_build(struct suit_author *m, mst_span *envelope);

#endif
