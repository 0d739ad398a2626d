/* SPDX-License-Identifier: Apache-2.0 */
/* What a manifest under construction holds; suit_author.c and suit_build.c only. */
#ifndef HOST_SUIT_SUIT_AUTHOR_IMPL_H
#define HOST_SUIT_SUIT_AUTHOR_IMPL_H

#include "host/suit/suit_author.h"
#include "host/suit_cbor.h"

struct author_id {
	mst_span encoded; /* [* bstr] */
	struct author_id *next;
};

struct author_dependency {
	unsigned index;
	struct author_id *prefix; /* NULL: none */
	struct author_dependency *next;
};

struct author_set { /* of parameters */
	unsigned index; /* of override-multiple */
	struct cb_pairs params;
	struct author_set *next;
};

enum author_form { FORM_ITEM, FORM_PARAMETERS, FORM_MULTIPLE, FORM_TRY, FORM_RUN };

struct author_command {
	int64_t code;
	enum author_form form;
	mst_span item; /* ITEM */
	struct author_set *set; /* PARAMETERS, MULTIPLE */
	struct suit_seq **inner; /* TRY, RUN */
	size_t inner_count;
	bool may; /* TRY: null at the end */
	struct author_command *next;
};

struct suit_seq {
	struct suit_author *m;
	struct author_command *first, **tail, *last;
	bool open; /* is being built: one that runs itself has no end */
};

struct author_section {
	int64_t key;
	struct suit_seq *seq;
	struct author_section *next;
};

struct author_about {
	mst_span id; /* encoded component id; absent: the manifest */
	struct cb_pairs texts;
	struct author_about *next;
};
struct author_lang {
	mst_span tag;
	struct author_about *about;
	struct author_lang *next;
};

struct author_sever {
	int64_t key;
	struct author_sever *next;
};
struct author_payload {
	mst_span uri, bytes;
	struct author_payload *next;
};

struct suit_author {
	struct arena *a;
	mst_err err;
	int64_t alg;
	uint64_t number;
	mst_span reference, set_version, coswid;
	struct author_id *component_id, *component, **component_tail;
	unsigned component_count;
	struct author_dependency *dependency;
	struct author_section *section;
	struct author_lang *lang;
	struct author_sever *sever;
	struct author_payload *payload;
};

void author_fail(struct suit_author *m, mst_err e);
void *author_new(struct suit_author *m, size_t size);
/* [alg, digest] */
mst_span author_digest(struct arena *a, int64_t alg, mst_span digest, mst_err *e);

#endif
