/* SPDX-License-Identifier: Apache-2.0 */
/* Descriptions to envelopes, and published envelopes beside them. */
#ifndef UNIT_FW_SUPPORT_FW_H
#define UNIT_FW_SUPPORT_FW_H

#include "host/suit/suit_author.h"
#include "host/suit/suit_description.h"

/* The bytes of MUSTER_VECTORS/suit/NAME; absent with a printed line when it is not there. */
mst_span fw_vector(struct arena *a, const char *name);

/* Files that a description under test may name: "NAME" is looked up here. */
struct fw_file {
	const char *name;
	mst_span bytes;
};
/* Description to envelope; files ended by a NULL name, or NULL. */
mst_err fw_build(
    struct arena *a, const char *text, const struct fw_file *files, mst_span *envelope);
/* The same, which must not be refused. */
mst_span fw_must(struct arena *a, const char *text, const struct fw_file *files);
/* A usual good description: one image at slot/0, shared, install, validate. */
extern const char fw_good[];
extern const struct fw_file fw_good_files[];

#endif
