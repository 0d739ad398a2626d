/* SPDX-License-Identifier: Apache-2.0 */
/* The usual cases (suit-manifest 7, trust-domains 8, firmware-encryption 10) as descriptions. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "host/file.h"
#include "host/suit/suit_description.h"
#include "host/suit/suit_value.h"
#include "muster/cbor.h"

bool
suit_template_find(const char *word, enum suit_template *out)
{
	static const char *const words[] = { "image", "ab", "components", "dependency", "encrypted",
		"integrated" };

	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		if (strcmp(words[i], word) == 0) {
			*out = (enum suit_template)i;
			return true;
		}
	return false;
}

struct writer {
	struct arena *a;
	const struct suit_case *c;
	char *text;
	mst_err e;
};

static void put(struct writer *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void
put(struct writer *w, const char *fmt, ...)
{
	char line[16384]; /* encryption-info of eight devices, in hex */
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof line, fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof line) {
		suit_author_say("a value is too long for a template");
		w->e = MST_E_FW_VALUE;
		return;
	}
	w->text = arena_printf(w->a, "%s%s", w->text != NULL ? w->text : "", line);
	if (w->text == NULL)
		w->e = MST_E_NOMEM;
}

/* What stands between the quotes of libconfuse: backslash, quote and dollar escaped. */
static const char *
escaped(struct writer *w, const char *s)
{
	struct mst_buf b = arena_buf(w->a, strlen(s) * 2 + 1);
	char *out;

	if (b.cap == 0) {
		w->e = MST_E_NOMEM;
		return "";
	}
	for (; *s != '\0'; s++) {
		if ((unsigned char)*s < 0x20) {
			suit_author_say("a control character stands in a value");
			w->e = MST_E_FW_VALUE;
		}
		if (strchr("\"\\$", *s) != NULL)
			b.ptr[b.len++] = '\\';
		b.ptr[b.len++] = (uint8_t)*s;
	}
	out = arena_str(w->a, mst_buf_span(&b));
	return out != NULL ? out : "";
}

/* A word of a command: quoted where it holds blanks or quotes. */
static const char *
word(struct writer *w, const char *s)
{
	char *out;

	if (strpbrk(s, " \t'\"") == NULL)
		return escaped(w, s);
	if (strchr(s, '\'') != NULL && strchr(s, '"') != NULL) {
		suit_author_say("both kinds of quotes stand in %s", s);
		w->e = MST_E_FW_VALUE;
	}
	out = arena_printf(w->a, strchr(s, '\'') != NULL ? "\\\"%s\\\"" : "'%s'", escaped(w, s));
	return out != NULL ? out : "";
}

/* "slot/hex:00" as { "slot", "hex:00" } */
static void
put_id(struct writer *w, const char *id)
{
	bool first = true;

	put(w, "{");
	while (*id != '\0') {
		size_t n = strcspn(id, "/");
		const char *one = arena_printf(w->a, "%.*s", (int)n, id);

		if (one != NULL)
			put(w, "%s \"%s\"", first ? "" : ",", escaped(w, one));
		first = false;
		id += n + (id[n] == '/');
	}
	put(w, " }");
}

static void
put_component(struct writer *w, const char *name, const char *id)
{
	put(w, "component \"%s\" { id = ", name);
	put_id(w, id);
	put(w, " }\n");
}

static void
put_head(struct writer *w)
{
	put(w, "sequence-number = %llu\n", (unsigned long long)w->c->number);
	if (w->c->reference != NULL)
		put(w, "reference-uri = \"%s\"\n", escaped(w, w->c->reference));
	if (w->c->text != NULL)
		put(w, "text \"en\" { update-description = \"%s\" }\n", escaped(w, w->c->text));
}

/* The file as words of override-parameters (M 7.2). */
static void
put_image(struct writer *w, const char *file)
{
	const char *path = arena_printf(w->a, "file:%s", file);

	if (path != NULL)
		put(w, "image-digest=%s image-size=%s", word(w, path), word(w, path));
}

static void
put_identity(struct writer *w)
{
	put(w, "vendor-id=%s class-id=%s", word(w, w->c->vendor), word(w, w->c->device_class));
}

#define CHECKS "    \"vendor-identifier\", \"class-identifier\""

/* M 7.1, 7.3: compatibility, download, and trusted invocation. */
static void
image(struct writer *w)
{
	put_component(w, "image", w->c->image[0].component);
	put(w, "shared = {\n    \"override-parameters ");
	put_identity(w);
	put(w, " ");
	put_image(w, w->c->image[0].file);
	put(w, "\",\n" CHECKS "\n}\n");
	put(w,
	    "install = {\n    \"override-parameters uri=%s\",\n    \"fetch\", \"image-match\"\n}\n",
	    word(w, w->c->image[0].uri));
	put(w, "validate = { \"image-match\" }\n");
	if (w->c->invoke == SUIT_INVOKE_FIRST)
		put(w, "invoke = { \"invoke\" }\n");
}

/* M 7.5 */
static void
integrated(struct writer *w)
{
	image(w);
	put(w, "payload \"%s\" { file = \"%s\" }\n", escaped(w, w->c->image[0].uri),
	    escaped(w, w->c->image[0].file));
}

/* M 7.7: which image, the slot tells. */
static void
ab(struct writer *w)
{
	put_component(w, "image", w->c->image[0].component);
	for (size_t i = 0; i < w->c->images; i++) {
		put(w,
		    "sequence \"slot-%zu\" { do = {\n    \"override-parameters "
		    "component-slot=%zu\",\n    \"component-slot policy=5\",\n    "
		    "\"override-parameters ",
		    i, i);
		put_image(w, w->c->image[i].file);
		put(w, "\"\n} }\n");
		put(w,
		    "sequence \"from-%zu\" { do = {\n    \"override-parameters "
		    "component-slot=%zu\",\n    \"component-slot policy=5\",\n    "
		    "\"override-parameters uri=%s\"\n} }\n",
		    i, i, word(w, w->c->image[i].uri));
	}
	put(w, "shared = {\n    \"override-parameters ");
	put_identity(w);
	put(w, "\",\n    \"try-each");
	for (size_t i = 0; i < w->c->images; i++)
		put(w, " slot-%zu", i);
	put(w, "\",\n" CHECKS "\n}\ninstall = {\n    \"try-each");
	for (size_t i = 0; i < w->c->images; i++)
		put(w, " from-%zu", i);
	put(w, "\",\n    \"fetch\", \"image-match\"\n}\nvalidate = { \"image-match\" }\n");
	if (w->c->invoke == SUIT_INVOKE_FIRST)
		put(w, "invoke = { \"invoke\" }\n");
}

/* M example 5 */
static void
components(struct writer *w)
{
	size_t n = w->c->images;

	for (size_t i = 0; i < n; i++)
		put_component(w, arena_printf(w->a, "image-%zu", i), w->c->image[i].component);
	put(w, "shared = {\n");
	for (size_t i = 0; i < n; i++) {
		put(w, "    \"set-component-index image-%zu\",\n    \"override-parameters ", i);
		if (i == 0) {
			put_identity(w);
			put(w, " ");
		}
		put_image(w, w->c->image[i].file);
		put(w, "\"%s\n", i == 0 ? ",\n" CHECKS "," : i + 1 < n ? "," : "");
	}
	put(w, "}\ninstall = {\n");
	for (size_t i = 0; i < n; i++)
		put(w,
		    "    \"set-component-index image-%zu\",\n    \"override-parameters "
		    "uri=%s\",\n    \"fetch\", \"image-match\"%s\n",
		    i, word(w, w->c->image[i].uri), i + 1 < n ? "," : "");
	put(w, "}\nvalidate = {\n");
	for (size_t i = 0; i < n; i++)
		put(w, "    \"set-component-index image-%zu\", \"image-match\"%s\n", i,
		    i + 1 < n ? "," : "");
	put(w, "}\n");
	if (w->c->invoke == SUIT_INVOKE_FIRST)
		put(w, "invoke = { \"set-component-index image-0\", \"invoke\" }\n");
}

/* FE 10.2: fetched as ciphertext, checked, copied through the cipher, checked again. */
static void
encrypted(struct writer *w)
{
	const char *staging = w->c->images > 1
	                          ? w->c->image[1].component
	                          : arena_printf(w->a, "%s/encrypted", w->c->image[0].component);

	put_component(w, "image", w->c->image[0].component);
	put_component(w, "staging", staging != NULL ? staging : "");
	put(w, "shared = {\n    \"set-component-index image\",\n    \"override-parameters ");
	put_identity(w);
	put(w, " ");
	put_image(w, w->c->image[0].file);
	put(w,
	    "\",\n" CHECKS ",\n    \"set-component-index staging\",\n    \"override-parameters ");
	put_image(w, w->c->ciphertext);
	put(w,
	    "\"\n}\npayload-fetch = {\n    \"set-component-index staging\",\n    "
	    "\"override-parameters uri=%s\",\n    \"fetch\", \"image-match\"\n}\n",
	    word(w, w->c->image[0].uri));
	put(w,
	    "install = {\n    \"set-component-index image\",\n    \"override-parameters "
	    "source-component=staging encryption-info=%s\",\n    \"copy\", \"image-match\"\n}\n",
	    word(w, w->c->encryption_info));
	put(w, "validate = { \"set-component-index image\", \"image-match\" }\n");
	if (w->c->invoke == SUIT_INVOKE_FIRST)
		put(w, "invoke = { \"set-component-index image\", \"invoke\" }\n");
}

/* Which sections a manifest has, one bit each. */
static uint32_t
sections_of(mst_span manifest)
{
	struct mst_cbor_reader r;
	uint32_t has = 0;
	int64_t key;

	mst_cbor_init(&r, manifest);
	mst_cbor_map(&r);
	while (mst_cbor_key(&r, &key)) {
		if (suit_is_section(key))
			has |= 1u << key;
		mst_cbor_skip(&r);
	}
	return mst_cbor_end(&r) == MST_OK ? has : 0;
}

#define PROCESS                                                                                    \
	"    \"set-component-index dependency\", \"dependency-integrity\", \"process-dependency\""

/* TD 8.1; TD 5.1: what the dependency has, its dependent must have. */
static void
dependency(struct writer *w)
{
	struct suit_envelope *env = arena_alloc(w->a, sizeof *env);
	const char *file = word(w, arena_printf(w->a, "manifest:%s", w->c->dependency));
	const char *size = word(w, arena_printf(w->a, "file:%s", w->c->dependency));
	bool own = w->c->images > 0;
	uint32_t has;
	mst_span bytes;

	if (env == NULL || w->e != MST_OK ||
	    (w->e = file_read(w->a, w->c->dependency, SUIT_ENVELOPE_MAX, &bytes)) != MST_OK) {
		suit_author_say("%s", file_why());
		return;
	}
	if ((w->e = suit_envelope_read(bytes, env)) != MST_OK)
		return;
	has = sections_of(env->manifest);
	if (own)
		put_component(w, "image", w->c->image[0].component);
	put(w, "dependency \"dependency\" { prefix = ");
	put_id(w, w->c->dependency_id);
	put(w, " }\nshared = {\n");
	if (own) {
		put(w, "    \"set-component-index image\",\n    \"override-parameters ");
		put_identity(w);
		put(w, " ");
		put_image(w, w->c->image[0].file);
		put(w, "\",\n" CHECKS ",\n");
	}
	/* for procedures that do not resolve: parameters end with each of them */
	put(w,
	    "    \"set-component-index dependency\",\n    \"override-parameters "
	    "image-digest=%s\"\n}\n",
	    file);
	put(w,
	    "dependency-resolution = {\n    \"set-component-index dependency\",\n    "
	    "\"override-parameters image-size=%s uri=%s\",\n    \"fetch\", \"image-match\"%s\n}\n",
	    size, word(w, w->c->dependency_uri),
	    (has & 1u << 15) != 0 ? ", \"dependency-integrity\", \"process-dependency\"" : "");
	for (int64_t key = 7; key <= 24; key++) {
		const struct suit_word *s = suit_word(SUIT_LIST_MANIFEST, key);
		bool mine = own && (key == 20 || key == 7);

		if (key == 15 || s == NULL || !suit_is_section(key) ||
		    (!mine && (has & 1u << key) == 0))
			continue;
		put(w, "%s = {\n", s->name);
		if ((has & 1u << key) != 0)
			put(w, PROCESS "%s\n", mine ? "," : "");
		if (mine && key == 20)
			put(w,
			    "    \"set-component-index image\", \"override-parameters uri=%s\",\n"
			    "    \"fetch\", \"image-match\"\n",
			    word(w, w->c->image[0].uri));
		else if (mine)
			put(w, "    \"set-component-index image\", \"image-match\"\n");
		put(w, "}\n");
	}
	if (w->c->dependency_uri[0] == '#')
		put(w, "payload \"%s\" { file = \"%s\" }\n", escaped(w, w->c->dependency_uri),
		    escaped(w, w->c->dependency));
}

static mst_err
missing(const char *what)
{
	suit_author_say("this template needs %s", what);
	return MST_E_FW_VALUE;
}

static mst_err
complete(const struct suit_case *c)
{
	bool images = c->which != SUIT_TEMPLATE_DEPENDENCY || c->images > 0;

	if (images && (c->vendor == NULL || c->device_class == NULL))
		return missing("--vendor and --class");
	if (images && c->images == 0)
		return missing("--image");
	for (size_t i = 0; i < c->images; i++) {
		bool staging = c->which == SUIT_TEMPLATE_ENCRYPTED && i == 1;

		if (c->image[i].component == NULL || c->image[i].component[0] == '\0')
			return missing("--component for each --image");
		if (!staging && (c->image[i].file == NULL || c->image[i].uri == NULL))
			return missing("--image and --uri, as many of one as of the other");
	}
	if ((c->which == SUIT_TEMPLATE_AB || c->which == SUIT_TEMPLATE_COMPONENTS) && c->images < 2)
		return missing("two images or more");
	if (c->which == SUIT_TEMPLATE_INTEGRATED && c->image[0].uri[0] != '#')
		return missing("--uri \"#name\": the payload's name in the envelope");
	if (c->which == SUIT_TEMPLATE_ENCRYPTED &&
	    (c->ciphertext == NULL || c->encryption_info == NULL))
		return missing("--encrypt-for and --ciphertext");
	if (c->which == SUIT_TEMPLATE_DEPENDENCY &&
	    (c->dependency == NULL || c->dependency_uri == NULL || c->dependency_id == NULL))
		return missing("--dependency, --dependency-uri and --dependency-id");
	return MST_OK;
}

mst_err
suit_template_text(struct arena *a, const struct suit_case *c, const char **text)
{
	struct writer w = { .a = a, .c = c };

	if ((w.e = complete(c)) != MST_OK)
		return w.e;
	put_head(&w);
	switch (c->which) {
	case SUIT_TEMPLATE_IMAGE: image(&w); break;
	case SUIT_TEMPLATE_AB: ab(&w); break;
	case SUIT_TEMPLATE_COMPONENTS: components(&w); break;
	case SUIT_TEMPLATE_DEPENDENCY: dependency(&w); break;
	case SUIT_TEMPLATE_ENCRYPTED: encrypted(&w); break;
	case SUIT_TEMPLATE_INTEGRATED: integrated(&w); break;
	}
	if (w.e == MST_OK)
		*text = w.text;
	return w.e;
}
