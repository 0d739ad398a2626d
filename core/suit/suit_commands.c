/* SPDX-License-Identifier: Apache-2.0 */
/* The commands (sheet 7): one row each. Adding one is a row here and a function. */
#include <stddef.h>
#include <string.h>

#include "core/suit/suit_impl.h"

#define FN_SIZE sizeof(bool (*)(void *, int64_t))
#define NEED(member) (1 + (offsetof(struct mst_suit_platform, member) / FN_SIZE))
#define CONDITION (SUIT_CONDITION | SUIT_SHARED_OK)
#define NOW (CONDITION | SUIT_RECALLED | SUIT_STILL)
#define STORE (SUIT_STORES | SUIT_RIGHT)

static const struct suit_command commands[] = {
	{ MST_SUIT_CMD_VENDOR, SUIT_ARG_POLICY, CONDITION, NEED(identity), suit_identity },
	{ MST_SUIT_CMD_CLASS, SUIT_ARG_POLICY, CONDITION, NEED(identity), suit_identity },
	{ MST_SUIT_CMD_IMAGE_MATCH, SUIT_ARG_POLICY, CONDITION | SUIT_RECALLED, NEED(read),
	    suit_image_match },
	{ MST_SUIT_CMD_SLOT, SUIT_ARG_POLICY, CONDITION | SUIT_RECALLED, NEED(slot),
	    suit_component_slot },
	{ MST_SUIT_CMD_SET_INDEX, SUIT_ARG_INDEX, SUIT_SHARED_OK, 0, NULL },
	{ MST_SUIT_CMD_ABORT, SUIT_ARG_POLICY, CONDITION, 0, suit_abort },
	{ MST_SUIT_CMD_TRY_EACH, SUIT_ARG_ALTERNATIVES, SUIT_SHARED_OK, 0, NULL },
	{ MST_SUIT_CMD_SET_PARAMETERS, SUIT_ARG_PARAMETERS, SUIT_SHARED_OK, 0, NULL },
	{ MST_SUIT_CMD_OVERRIDE, SUIT_ARG_PARAMETERS, SUIT_SHARED_OK, 0, NULL },
	{ MST_SUIT_CMD_COPY, SUIT_ARG_POLICY, STORE, NEED(begin), suit_copy },
	{ MST_SUIT_CMD_INVOKE, SUIT_ARG_POLICY, SUIT_RIGHT, NEED(invoke), suit_invoke },
	{ MST_SUIT_CMD_DEVICE, SUIT_ARG_POLICY, CONDITION, NEED(identity), suit_identity },
	{ MST_SUIT_CMD_RUN_SEQUENCE, SUIT_ARG_SEQUENCE, SUIT_SHARED_OK, 0, NULL },
#ifndef MUSTER_SUIT_BOOT
	{ MST_SUIT_CMD_CHECK_CONTENT, SUIT_ARG_POLICY, CONDITION | SUIT_RECALLED, NEED(read),
	    suit_check_content },
	{ MST_SUIT_CMD_USE_BEFORE, SUIT_ARG_POLICY, NOW, NEED(now), suit_use_before },
	{ MST_SUIT_CMD_DEPENDENCY_INTEGRITY, SUIT_ARG_POLICY, CONDITION, NEED(read),
	    suit_dependency_integrity },
	{ MST_SUIT_CMD_IS_DEPENDENCY, SUIT_ARG_POLICY, CONDITION, 0, suit_dependency_is },
	{ MST_SUIT_CMD_PROCESS_DEPENDENCY, SUIT_ARG_POLICY, 0, NEED(read),
	    suit_dependency_process },
	{ MST_SUIT_CMD_WRITE, SUIT_ARG_POLICY, STORE, NEED(begin), suit_write },
	{ MST_SUIT_CMD_FETCH, SUIT_ARG_POLICY, STORE, NEED(begin), suit_fetch },
	{ MST_SUIT_CMD_IMAGE_NOT_MATCH, SUIT_ARG_POLICY, CONDITION | SUIT_RECALLED, NEED(read),
	    suit_image_not_match },
	{ MST_SUIT_CMD_BATTERY, SUIT_ARG_POLICY, NOW, NEED(battery), suit_battery },
	{ MST_SUIT_CMD_AUTHORIZED, SUIT_ARG_POLICY, NOW, NEED(authorized), suit_authorized },
	{ MST_SUIT_CMD_VERSION, SUIT_ARG_POLICY, CONDITION | SUIT_RECALLED, NEED(version),
	    suit_version },
	{ MST_SUIT_CMD_WAIT, SUIT_ARG_POLICY, 0, NEED(wait), suit_wait },
	{ MST_SUIT_CMD_SWAP, SUIT_ARG_POLICY, STORE, NEED(swap), suit_swap },
	{ MST_SUIT_CMD_UNLINK, SUIT_ARG_POLICY, STORE, NEED(unlink), suit_unlink },
	{ MST_SUIT_CMD_OVERRIDE_MULTIPLE, SUIT_ARG_MULTIPLE, 0, 0, NULL },
	{ MST_SUIT_CMD_COPY_PARAMS, SUIT_ARG_COPY, 0, 0, NULL },
#endif
};
#define COMMANDS (sizeof commands / sizeof commands[0])

const struct suit_command *
suit_command_find(int64_t code)
{
	unsigned want = (uint64_t)code <= UINT8_MAX ? (unsigned)code : 0;

	for (size_t i = 0; i < COMMANDS; i++)
		if (commands[i].code == want)
			return &commands[i];
	return NULL;
}

const struct suit_command *
suit_command_next(const struct suit_command *c)
{
	if (c == NULL)
		return commands;
	return c + 1 == commands + COMMANDS ? NULL : c + 1;
}

/* Is the function of this row not NULL? Members of the platform after ctx are all functions. */
bool
suit_command_supported(const struct mst_suit_platform *p, const struct suit_command *c)
{
	static const uint8_t none[FN_SIZE];

	_Static_assert(sizeof(void *) == FN_SIZE, "functions are counted like pointers");
	return c->need == 0 ||
	       memcmp((const uint8_t *)p + (c->need - 1U) * FN_SIZE, none, FN_SIZE) != 0;
}
