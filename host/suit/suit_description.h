/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A manifest described in the configuration syntax. Muster(1) has the whole;
 * in short:
 *
 *	sequence-number = 7
 *	component "app" { id = { "slot", "hex:00" } }
 *	shared = {
 *		"override-parameters vendor-id=dns:example.com class-id=class:example.com/lamp
 *		    image-digest=file:app.bin image-size=file:app.bin",
 *		"vendor-identifier", "class-identifier"
 *	}
 *	install = { "override-parameters uri=https://example.com/app.bin", "fetch", "image-match" }
 *	validate = { "image-match" }
 *
 * Commands and parameters have their registered names (host/suit_words.c); a
 * number below -256 is a custom one. Sequences of try-each and run-sequence
 * are named: sequence "slot-a" { do = { ... } }.
 */
#ifndef HOST_SUIT_SUIT_DESCRIPTION_H
#define HOST_SUIT_SUIT_DESCRIPTION_H

#include "host/suit/suit_author.h"

struct suit_description {
	const char *name; /* of the file, for messages */
	const char *folder; /* what its paths are relative to; NULL: where the program runs */
	/* NULL: file_read() */
	mst_err (*read)(void *ctx, struct arena *a, const char *path, mst_span *out);
	void *ctx;
};

/*
 * Text (NUL behind it) to a model, ready to be built. MST_E_FW_DESCRIPTION,
 * _VALUE, _REFERENCE with "file:line: words" in suit_author_why(), or what
 * reading a file that it names says.
 */
MST_MUST_USE mst_err suit_description_parse(
    struct arena *a, const struct suit_description *d, const char *text, struct suit_author **out);

/* --- descriptions of the usual cases --- */

enum suit_template {
	SUIT_TEMPLATE_IMAGE, /* one image: M 7.1 to 7.3 */
	SUIT_TEMPLATE_AB, /* one of two images, by slot: M 7.7 */
	SUIT_TEMPLATE_COMPONENTS, /* several images: M example 5 */
	SUIT_TEMPLATE_DEPENDENCY, /* and a manifest of another authority: TD 8.1 */
	SUIT_TEMPLATE_ENCRYPTED, /* one image, fetched as ciphertext: FE 10 */
	SUIT_TEMPLATE_INTEGRATED, /* the payload in the envelope: M 7.5 */
};
#define SUIT_TEMPLATE_IMAGES_MAX 8
struct suit_case {
	enum suit_template which;
	uint64_t number;
	const char *vendor, *device_class; /* value_uuid() forms */
	const char *reference; /* NULL: none */
	const char *text; /* description for people; NULL: none */
	struct {
		const char *component; /* segments between '/', value_bytes() forms */
		const char *file; /* the image, as the device will hold it */
		const char *uri;
	} image[SUIT_TEMPLATE_IMAGES_MAX];
	size_t images;
	const char *dependency, *dependency_uri, *dependency_id; /* DEPENDENCY: envelope, where */
	/* ENCRYPTED: the ciphertext's file, and encryption-info in one */
	const char *ciphertext, *encryption_info;
	enum { SUIT_INVOKE_NOT, SUIT_INVOKE_FIRST } invoke;
};
/* The words "image", "ab", "components", "dependency", "encrypted", "integrated". */
bool suit_template_find(const char *word, enum suit_template *out);
/* A description, in the arena. MST_E_FW_VALUE: something that this case needs is missing. */
MST_MUST_USE mst_err suit_template_text(
    struct arena *a, const struct suit_case *c, const char **text);

#endif
