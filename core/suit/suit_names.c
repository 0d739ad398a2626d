/* SPDX-License-Identifier: Apache-2.0 */
/* Words for people, and the sequence walker for tools. Devices do not link it. */
#include "core/suit/suit_impl.h"

struct name {
	int16_t key;
	const char *name;
};

static const struct name sections[] = {
	{ -3, "manifest" },
	{ -2, "authentication-wrapper" },
	{ -1, "envelope" },
	{ 1, "manifest-version" },
	{ 2, "sequence-number" },
	{ 3, "common" },
	{ 4, "reference-uri" },
	{ 5, "manifest-component-id" },
	{ 6, "set-version" },
	{ 7, "validate" },
	{ 8, "load" },
	{ 9, "invoke" },
	{ 14, "coswid" },
	{ 15, "dependency-resolution" },
	{ 16, "payload-fetch" },
	{ 18, "candidate-verification" },
	{ 20, "install" },
	{ 23, "text" },
	{ 24, "uninstall" },
};
static const struct name commands[] = {
	{ 1, "condition-vendor-identifier" },
	{ 2, "condition-class-identifier" },
	{ 3, "condition-image-match" },
	{ 4, "condition-use-before" },
	{ 5, "condition-component-slot" },
	{ 6, "condition-check-content" },
	{ 7, "condition-dependency-integrity" },
	{ 8, "condition-is-dependency" },
	{ 11, "directive-process-dependency" },
	{ 12, "directive-set-component-index" },
	{ 14, "condition-abort" },
	{ 15, "directive-try-each" },
	{ 18, "directive-write" },
	{ 19, "directive-set-parameters" },
	{ 20, "directive-override-parameters" },
	{ 21, "directive-fetch" },
	{ 22, "directive-copy" },
	{ 23, "directive-invoke" },
	{ 24, "condition-device-identifier" },
	{ 25, "condition-image-not-match" },
	{ 26, "condition-minimum-battery" },
	{ 27, "condition-update-authorized" },
	{ 28, "condition-version" },
	{ 29, "directive-wait" },
	{ 31, "directive-swap" },
	{ 32, "directive-run-sequence" },
	{ 33, "directive-unlink" },
	{ 34, "directive-override-multiple" },
	{ 35, "directive-copy-params" },
};
static const struct name parameters[] = {
	{ 1, "vendor-identifier" },
	{ 2, "class-identifier" },
	{ 3, "image-digest" },
	{ 4, "use-before" },
	{ 5, "component-slot" },
	{ 12, "strict-order" },
	{ 13, "soft-failure" },
	{ 14, "image-size" },
	{ 18, "content" },
	{ 19, "encryption-info" },
	{ 21, "uri" },
	{ 22, "source-component" },
	{ 23, "invoke-args" },
	{ 24, "device-identifier" },
	{ 25, "fetch-arguments" },
	{ 26, "minimum-battery" },
	{ 27, "update-priority" },
	{ 28, "version" },
	{ 29, "wait-info" },
	{ 30, "component-metadata" },
};

static const char *
find(const struct name *names, size_t count, int64_t key)
{
	for (size_t i = 0; i < count; i++)
		if (names[i].key == key)
			return names[i].name;
	return NULL;
}

const char *
mst_suit_section_name(int64_t key)
{
	return find(sections, sizeof sections / sizeof sections[0], key);
}

const char *
mst_suit_command_name(int64_t code)
{
	return find(commands, sizeof commands / sizeof commands[0], code);
}

const char *
mst_suit_parameter_name(int64_t key)
{
	return find(parameters, sizeof parameters / sizeof parameters[0], key);
}

bool
mst_suit_command_is_condition(int64_t code)
{
	const struct suit_command *c = suit_command_find(code);

	return c != NULL && (c->flags & SUIT_CONDITION) != 0;
}

bool
mst_suit_command_has_policy(int64_t code)
{
	const struct suit_command *c = suit_command_find(code);

	return c != NULL && c->argument == SUIT_ARG_POLICY;
}

void
mst_suit_walk_init(struct mst_suit_walk *w, mst_span sequence)
{
	struct suit_cur c;

	suit_cur_init(&c, sequence);
	w->sequence = sequence;
	w->left = (size_t)suit_take(&c, MAJOR_ARRAY);
	w->at = (size_t)(c.at - sequence.ptr);
	if (c.e == MST_OK && (w->left == 0 || w->left % 2 != 0))
		c.e = MST_E_SUIT_COMMANDS;
	w->e = c.e;
}

bool
mst_suit_walk_next(struct mst_suit_walk *w, struct mst_suit_step *step)
{
	struct suit_cur c;

	if (w->e != MST_OK)
		return false;
	suit_cur_init(&c, mst_span_of(w->sequence.ptr + w->at, w->sequence.len - w->at));
	if (w->left == 0) {
		w->e = suit_end(&c);
		return false;
	}
	step->offset = w->at;
	step->code = suit_int(&c);
	step->argument = suit_item(&c);
	w->e = c.e;
	w->left -= 2;
	w->at = (size_t)(c.at - w->sequence.ptr);
	return c.e == MST_OK;
}
