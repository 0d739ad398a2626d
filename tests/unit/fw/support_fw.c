/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit/fw/support_fw.h"

mst_span
fw_vector(struct arena *a, const char *name)
{
	const char *base = getenv("MUSTER_VECTORS");
	struct mst_buf b = arena_buf(a, 65536);
	char path[PATH_MAX];
	FILE *f;

	snprintf(path, sizeof path, "%s/suit/%s",
	    base != NULL ? base : MUSTER_SOURCE_DIR "/../shared/vectors", name);
	f = fopen(path, "rb");
	if (f == NULL) {
		print_message("no suit/%s at MUSTER_VECTORS or beside the checkout\n", name);
		return MST_NONE;
	}
	b.len = fread(b.ptr, 1, b.cap, f);
	fclose(f);
	return mst_buf_span(&b);
}

static mst_err
read_file(void *ctx, struct arena *a, const char *path, mst_span *out)
{
	(void)a;
	for (const struct fw_file *f = ctx; f != NULL && f->name != NULL; f++)
		if (strcmp(f->name, path) == 0) {
			*out = f->bytes;
			return MST_OK;
		}
	suit_author_say("open %s: not there", path);
	return MST_E_NOT_FOUND;
}

mst_err
fw_build(struct arena *a, const char *text, const struct fw_file *files, mst_span *envelope)
{
	struct suit_description d = {
		.name = "test.fw", .read = read_file, .ctx = (void *)(uintptr_t)files
	};
	struct suit_author *m;
	mst_err e = suit_description_parse(a, &d, text, &m);

	return e != MST_OK ? e : suit_author_build(m, envelope);
}

mst_span
fw_must(struct arena *a, const char *text, const struct fw_file *files)
{
	mst_span out = MST_NONE;
	mst_err e = fw_build(a, text, files, &out);

	if (e != MST_OK)
		fail_msg("%s: %s", mst_err_info(e)->name, suit_author_why());
	return out;
}

const char fw_good[] = "sequence-number = 7\n"
                       "component \"app\" { id = { \"slot\", \"hex:00\" } }\n"
                       "shared = {\n"
                       "  \"override-parameters vendor-id=dns:example.com "
                       "class-id=class:example.com/lamp image-digest=file:app.bin "
                       "image-size=file:app.bin\",\n"
                       "  \"vendor-identifier\", \"class-identifier\" }\n"
                       "install = { \"override-parameters uri=https://example.com/app.bin\",\n"
                       "  \"fetch\", \"image-match\" }\n"
                       "validate = { \"image-match\" }\n";
const struct fw_file fw_good_files[] = {
	{ "app.bin", { (const uint8_t *)"firmware of a lamp", 18 } },
	{ NULL, { NULL, 0 } },
};
