/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The whole manifest before anything of it is executed (sheet 12): every command
 * of every sequence is known, supported, well-formed, in its place, names indices
 * that exist, and is allowed to the signer. What passes here can fail later only
 * for what the device finds, never for how it is written.
 *
 * What is wrong is latched in the cursor, and the innermost place keeps it.
 */
#include <string.h>

#include "core/suit/suit_impl.h"

#define CUSTOM_BELOW (-256)
#define POLICY_MAX 15 /* M 8.4.7: bits 0 to 3 */

struct scan {
	struct mst_suit *s;
	const struct mst_suit_manifest *m;
	const uint8_t *base; /* of the section's array */
	int32_t section; /* MST_SUIT_COMMON: the shared sequence */
	bool ours; /* a section that this processor runs */
	uint8_t seen; /* by code: conditions on the shared sequence's own level */
	bool encrypted; /* some content may be longer than what is stored of it */
	bool loose; /* strict-order is false from here on */
	uint32_t targets, sources; /* places, since it is */
	uint8_t source[MST_SUIT_COMPONENTS_MAX]; /* 1 + place that was last set, by place */
};

/* Where the scan stands: a command, and the places it applies to. */
struct spot {
	struct suit_cur c;
	const uint8_t *code;
	int64_t number;
	uint32_t mask;
	uint8_t kind; /* enum suit_kind */
	uint8_t depth;
};

static mst_err scan_sequence(
    struct scan *x, mst_span sequence, uint32_t mask, enum suit_kind kind, unsigned depth);

static mst_err
refuse(const struct scan *x, const struct spot *p)
{
	struct mst_suit_refusal *r = &x->s->refusal;
	unsigned place = 0;

	if (p->c.e == MST_OK || r->err != MST_OK)
		return p->c.e;
	(void)suit_refuse(x->s, x->m, x->section, p->c.e);
	r->offset = (uint32_t)(p->code - x->base);
	r->command = p->number;
	while (place < x->m->count && (p->mask >> place & 1) == 0)
		place++;
	if (place < x->m->count)
		r->component = suit_index_of(x->m, place);
	return p->c.e;
}

/* The place of an index; latched when there is none. */
static unsigned
take_place(const struct scan *x, struct suit_cur *c)
{
	unsigned place = 0;
	uint64_t index = suit_take(c, MAJOR_UINT);

	if (c->e == MST_OK && !suit_place(x->m, index, &place))
		suit_fail(c, MST_E_SUIT_INDEX);
	return place;
}

/* uint / true / [+ uint] */
static void
scan_index(const struct scan *x, struct spot *p)
{
	struct suit_cur *c = &p->c;
	size_t n = 1;

	p->mask = 0;
	if (suit_peek(c) == MAJOR_OTHER) {
		if (!suit_bool(c))
			suit_fail(c, MST_E_SUIT_COMMAND_ARGUMENT);
		if (x->m->count == 0)
			suit_fail(c, MST_E_SUIT_INDEX);
		else
			p->mask = UINT32_MAX >> (32 - x->m->count);
		return;
	}
	if (suit_peek(c) == MAJOR_ARRAY && (n = suit_count(c, MAJOR_ARRAY)) == 0)
		suit_fail(c, MST_E_SUIT_COMMAND_ARGUMENT);
	for (; n > 0 && c->e == MST_OK; n--)
		p->mask |= UINT32_C(1) << take_place(x, c);
}

#ifdef MUSTER_SUIT_BOOT
/* One signer may do everything (model 1): a bootloader with a list is refused (suit_auth.c). */
#define allow(x, c, mask, kind, bit) ((void)0)
#define needs_right(x, key) (false)
#define scan_size(x, p, size) ((void)0)
#else
static void
allow(const struct scan *x, struct suit_cur *c, uint32_t mask, enum suit_right kind, unsigned bit)
{
	if (x->s->rules->acl == NULL || c->e != MST_OK)
		return;
	for (unsigned place = 0; place < x->m->count; place++)
		if ((mask >> place & 1) != 0 &&
		    !suit_allowed(x->s, x->m, x->s->slot[x->m->slot[place]].id, kind, bit))
			suit_fail(c, MST_E_SUIT_ACL);
}

/*
 * Sheet 20: what merely compares needs no right, in the root. What a dependency
 * sets persists in its dependent (TD 5.4): it needs a right for all of it, or it
 * could say what the components of others must match.
 */
static bool
needs_right(const struct scan *x, int64_t key)
{
	const uint32_t acting =
	    UINT32_C(1) << MST_SUIT_PARAM_CONTENT | UINT32_C(1) << MST_SUIT_PARAM_ENCRYPTION |
	    UINT32_C(1) << MST_SUIT_PARAM_URI | UINT32_C(1) << MST_SUIT_PARAM_SOURCE |
	    UINT32_C(1) << MST_SUIT_PARAM_INVOKE_ARGS | UINT32_C(1) << MST_SUIT_PARAM_FETCH_ARGS |
	    UINT32_C(1) << MST_SUIT_PARAM_METADATA;

	return x->m->depth > 0 || (acting >> key & 1) != 0;
}

/* Storage room (sheet 12): where no alternative can say otherwise. */
static void
scan_size(const struct scan *x, struct spot *p, uint64_t size)
{
	struct mst_suit_component_info info;
	const struct mst_suit_platform *pf = x->s->platform;
	mst_err e;

	for (unsigned i = 0; i < x->m->components && p->depth == 0 && x->ours; i++) {
		if ((p->mask >> i & 1) == 0 || suit_is_dependency(x->m, i))
			continue;
		e = pf->info(pf->ctx, x->s->slot[x->m->slot[i]].handle, &info);
		if (e == MST_OK && size > info.capacity)
			e = MST_E_SUIT_CAPACITY;
		suit_fail(&p->c, e);
	}
}
#endif

static void
scan_source(struct scan *x, struct spot *p, const uint8_t *value)
{
	struct suit_cur c = { value, p->c.at, MST_OK };
	unsigned place = take_place(x, &c);

	suit_fail(&p->c, c.e);
	for (unsigned i = 0; i < x->m->count; i++)
		if ((p->mask >> i & 1) != 0)
			x->source[i] = (uint8_t)(place + 1);
	allow(x, &p->c, UINT32_C(1) << place, SUIT_RIGHT_COMMAND, SUIT_BIT_SOURCE);
}

/* int / bool / tstr / bstr, of those that the device knows */
static void
scan_custom_parameter(const struct scan *x, struct spot *p, int64_t key)
{
	struct suit_cur *c = &p->c;

	if (key >= CUSTOM_BELOW)
		suit_fail(c, MST_E_SUIT_PARAMETER_UNKNOWN);
	if (x->section == MST_SUIT_COMMON) /* M 8.4.8: MUST NOT be used in the shared sequence */
		suit_fail(c, MST_E_SUIT_COMMAND_PLACE);
#ifdef MUSTER_SUIT_BOOT
	suit_fail(c, MST_E_SUIT_PARAMETER_UNSUPPORTED);
#else
	const struct mst_suit_platform *pf = x->s->platform;

	if (suit_peek(c) == MAJOR_OTHER)
		(void)suit_bool(c);
	else if (suit_peek(c) <= MAJOR_TEXT)
		(void)suit_item(c);
	else
		suit_fail(c, MST_E_SUIT_PARAMETER_VALUE);
	if (pf->custom_parameter_known == NULL || pf->custom_parameter == NULL ||
	    !pf->custom_parameter_known(pf->ctx, key))
		suit_fail(c, MST_E_SUIT_PARAMETER_UNSUPPORTED);
	allow(x, c, p->mask, SUIT_RIGHT_PARAMETER, SUIT_BIT_CUSTOM);
#endif
}

static void
scan_parameter(struct scan *x, struct spot *p, int64_t key)
{
	struct suit_cur *c = &p->c;
	const uint8_t *value = c->at;

	if (!suit_param_known(key)) {
		scan_custom_parameter(x, p, key);
		return;
	}
	suit_param_check(c, key);
	if (c->e != MST_OK)
		return;
	if (key == MST_SUIT_PARAM_SOFT_FAILURE && p->kind == SUIT_TOP)
		suit_fail(c, MST_E_SUIT_SOFT_FAILURE); /* M 8.4.8.14 */
	if (key == MST_SUIT_PARAM_STRICT_ORDER) {
		x->loose = *value == (0xe0 | OTHER_FALSE);
		x->targets = x->sources = 0;
	}
	if (key == MST_SUIT_PARAM_SOURCE)
		scan_source(x, p, value);
	if (key == MST_SUIT_PARAM_ENCRYPTION)
		x->encrypted = true;
	/* an encrypted content is longer than what is stored of it; its info has the next key */
	if (key == MST_SUIT_PARAM_SIZE ||
	    (key == MST_SUIT_PARAM_CONTENT && !x->encrypted &&
	        (c->at == c->end || *c->at != MST_SUIT_PARAM_ENCRYPTION)))
		scan_size(x, p, suit_value_arg(value));
	if (needs_right(x, key))
		allow(x, c, p->mask, SUIT_RIGHT_PARAMETER, (unsigned)key);
}

/* The head of a map that is not empty. */
static void
open_map(struct suit_map *m, struct suit_cur *c)
{
	suit_map_init(m, c);
	if (m->left == 0)
		suit_fail(c, MST_E_SUIT_COMMAND_ARGUMENT);
}

/* { + key => value } */
static void
scan_parameters(struct scan *x, struct spot *p)
{
	struct suit_map m;
	int64_t key;

	open_map(&m, &p->c);
	while (suit_map_int(&m, &key))
		scan_parameter(x, p, key);
}

#ifndef MUSTER_SUIT_BOOT
/* [ + key ] */
static void
scan_keys(const struct scan *x, struct spot *p)
{
	struct suit_cur *c = &p->c;
	size_t n = suit_count(c, MAJOR_ARRAY);
	int64_t key;

	if (n == 0)
		suit_fail(c, MST_E_SUIT_COMMAND_ARGUMENT);
	for (; n > 0 && c->e == MST_OK; n--) {
		key = suit_int(c);
		if (!suit_param_known(key))
			suit_fail(c, MST_E_SUIT_PARAMETER_UNKNOWN);
		else if (needs_right(x, key))
			allow(x, c, p->mask, SUIT_RIGHT_PARAMETER, (unsigned)key);
	}
}

/* 34: { + index => { + key => value } }; 35: { + index => [ + key ] } */
static void
scan_multiple(struct scan *x, struct spot *p, enum suit_argument kind)
{
	struct suit_map m;
	int64_t index;
	unsigned place;

	open_map(&m, &p->c);
	while (suit_map_int(&m, &index)) {
		if (index < 0 || !suit_place(x->m, (uint64_t)index, &place))
			suit_fail(&p->c, MST_E_SUIT_INDEX);
		else if (kind == SUIT_ARG_MULTIPLE) {
			p->mask = UINT32_C(1) << place; /* and so it stays at the last one */
			scan_parameters(x, p);
		} else
			scan_keys(x, p);
	}
}
#endif

static void
scan_nested(struct scan *x, struct spot *p, enum suit_kind kind)
{
	mst_span sequence = suit_bytes(&p->c);

	if (p->c.e == MST_OK)
		suit_fail(&p->c, scan_sequence(x, sequence, p->mask, kind, p->depth + 1U));
}

/* [ 2* bstr .cbor sequence, ? null ] */
static void
scan_alternatives(struct scan *x, struct spot *p)
{
	struct suit_cur *c = &p->c;
	size_t n = suit_count(c, MAJOR_ARRAY), least = 2;

	if (n > MST_SUIT_ALTERNATIVES_MAX)
		suit_fail(c, MST_E_SUIT_ALTERNATIVES);
	for (size_t i = 1; i <= n && c->e == MST_OK; i++) {
		if (i == n && c->at != c->end && *c->at == (0xe0 | OTHER_NULL)) {
			c->at++;
			least = 3;
		} else
			scan_nested(x, p, SUIT_TRY);
	}
	if (n < least)
		suit_fail(c, MST_E_SUIT_ALTERNATIVES);
}

/* M 6.7: no component is target and source where the order is free. swap writes to both. */
static void
scan_order(struct scan *x, struct spot *p, unsigned code)
{
	uint32_t sources = 0;

	if (code == MST_SUIT_CMD_COPY || code == MST_SUIT_CMD_SWAP)
		for (unsigned i = 0; i < x->m->count; i++)
			if ((p->mask >> i & 1) != 0 && x->source[i] != 0)
				sources |= UINT32_C(1) << (x->source[i] - 1);
	if (code == MST_SUIT_CMD_SWAP)
		allow(x, &p->c, sources, SUIT_RIGHT_COMMAND, MST_SUIT_CMD_SWAP);
	x->targets |= p->mask;
	x->sources |= sources;
	if (x->loose && (x->targets & x->sources) != 0)
		suit_fail(&p->c, MST_E_SUIT_STRICT_ORDER);
}

static void
scan_policy(struct scan *x, struct spot *p, const struct suit_command *cmd)
{
	struct suit_cur *c = &p->c;

	if (suit_take(c, MAJOR_UINT) > POLICY_MAX)
		suit_fail(c, MST_E_SUIT_REPORTING_POLICY);
	if (x->m->count == 0 && cmd->code != MST_SUIT_CMD_ABORT)
		suit_fail(c, MST_E_SUIT_INDEX); /* nothing that it could apply to */
	if (x->section == MST_SUIT_COMMON && p->depth == 0 && cmd->code <= MST_SUIT_CMD_CLASS)
		x->seen |= cmd->code; /* 1 and 2 */
	if ((cmd->flags & SUIT_RIGHT) != 0)
		allow(x, c, p->mask, SUIT_RIGHT_COMMAND, cmd->code);
	if ((cmd->flags & SUIT_STORES) != 0)
		scan_order(x, p, cmd->code);
}

/* bstr / tstr / int / nil, of those that the device knows */
static void
scan_custom(const struct scan *x, struct spot *p)
{
	struct suit_cur *c = &p->c;

	if (p->number >= CUSTOM_BELOW)
		suit_fail(c, MST_E_SUIT_COMMAND_UNKNOWN);
	if (x->section == MST_SUIT_COMMON) /* M 6.2: no custom commands in the shared sequence */
		suit_fail(c, MST_E_SUIT_COMMAND_PLACE);
#ifdef MUSTER_SUIT_BOOT
	suit_fail(c, MST_E_SUIT_COMMAND_UNSUPPORTED);
#else
	const struct mst_suit_platform *pf = x->s->platform;

	if (suit_peek(c) > MAJOR_TEXT && (c->at == c->end || *c->at != (0xe0 | OTHER_NULL)))
		suit_fail(c, MST_E_SUIT_COMMAND_ARGUMENT);
	(void)suit_item(c);
	if (x->ours && (pf->custom_known == NULL || pf->custom == NULL ||
	                   !pf->custom_known(pf->ctx, p->number)))
		suit_fail(c, MST_E_SUIT_COMMAND_UNSUPPORTED);
	allow(x, c, p->mask, SUIT_RIGHT_COMMAND, SUIT_BIT_CUSTOM);
#endif
}

/* One command's argument; p->mask becomes what applies to the next one. */
static void
scan_command(struct scan *x, struct spot *p)
{
	const struct suit_command *cmd = suit_command_find(p->number);

	if (cmd == NULL) {
		scan_custom(x, p);
		return;
	}
	if (x->section == MST_SUIT_COMMON && (cmd->flags & SUIT_SHARED_OK) == 0)
		suit_fail(&p->c, MST_E_SUIT_COMMAND_PLACE);
	if (x->ours && !suit_command_supported(x->s->platform, cmd))
		suit_fail(&p->c, MST_E_SUIT_COMMAND_UNSUPPORTED);
	switch ((enum suit_argument)cmd->argument) {
	case SUIT_ARG_POLICY: scan_policy(x, p, cmd); break;
	case SUIT_ARG_INDEX: scan_index(x, p); break;
	case SUIT_ARG_ALTERNATIVES: scan_alternatives(x, p); break;
	case SUIT_ARG_SEQUENCE: scan_nested(x, p, SUIT_RUN); break;
	case SUIT_ARG_PARAMETERS:
		if (suit_peek(&p->c) != MAJOR_MAP)
			suit_fail(&p->c, MST_E_SUIT_COMMAND_ARGUMENT);
		scan_parameters(x, p);
		return;
	case SUIT_ARG_MULTIPLE:
	case SUIT_ARG_COPY:
#ifndef MUSTER_SUIT_BOOT
		scan_multiple(x, p, (enum suit_argument)cmd->argument);
#endif
		break;
	}
	/* what a sequence within refused keeps its name */
	if (p->c.e == MST_E_SUIT_CBOR_TYPE && x->s->refusal.err == MST_OK)
		p->c.e = MST_E_SUIT_COMMAND_ARGUMENT;
}

/* M 6.2, 6.7: what a sequence must begin with, and what must not follow. */
static void
scan_place(const struct scan *x, struct spot *p, bool first)
{
	if (first && p->depth == 0 && x->m->count > 1 && p->number != MST_SUIT_CMD_SET_INDEX &&
	    p->number != MST_SUIT_CMD_OVERRIDE_MULTIPLE)
		suit_fail(&p->c, MST_E_SUIT_INDEX_FIRST);
	if (!first && p->kind == SUIT_RUN && x->loose && p->number == MST_SUIT_CMD_SET_INDEX)
		suit_fail(&p->c, MST_E_SUIT_STRICT_ORDER);
}

static mst_err
scan_sequence(struct scan *x, mst_span sequence, uint32_t mask, enum suit_kind kind, unsigned depth)
{
	struct spot p;
	size_t n, left;

	if (depth > MST_SUIT_NESTING_MAX)
		return MST_E_SUIT_NESTING;
	p.mask = mask;
	p.kind = (uint8_t)kind;
	p.depth = (uint8_t)depth;
	p.code = sequence.ptr;
	p.number = 0;
	suit_cur_init(&p.c, sequence);
	n = left = suit_peek(&p.c) == MAJOR_ARRAY ? suit_count(&p.c, MAJOR_ARRAY) : 0;
	if (n == 0 || n % 2 != 0)
		suit_fail(&p.c, MST_E_SUIT_COMMANDS);
	for (; left > 0 && p.c.e == MST_OK; left -= 2) {
		p.code = p.c.at;
		p.number = suit_int(&p.c);
		if (p.c.e != MST_OK) {
			p.c.e = p.c.e == MST_E_SUIT_CBOR_TYPE ? MST_E_SUIT_COMMANDS : p.c.e;
			break;
		}
		scan_place(x, &p, left == n);
		scan_command(x, &p);
	}
	return suit_end(&p.c) == MST_OK ? MST_OK : refuse(x, &p);
}

/* Sheet 12: severed elements that are here were compared with their digest already. */
static mst_err
scan_section(struct scan *x, int32_t section)
{
	bool severed = false;
	mst_span sequence =
	    section == MST_SUIT_COMMON ? suit_shared(x->m) : suit_section(x->m, section, &severed);

	if (sequence.ptr == NULL)
		return MST_OK;
	x->section = section;
	x->base = sequence.ptr;
	x->targets = x->sources = 0;
	x->loose = false;
	/* sheet 5: the start index of each sequence is 0 */
	return scan_sequence(x, sequence, x->m->count == 0 ? 0 : 1, SUIT_TOP, 0);
}

#ifdef MUSTER_SUIT_BOOT
#define is_ours(r, section) (true)
#define scan_keep(s, m) (MST_OK)
#else
static bool
is_ours(const struct mst_suit_rules *r, int32_t section)
{
	const uint8_t *p;

	if (r->procedures == 0)
		return true;
	for (unsigned i = 0; i <= MST_SUIT_UNINSTALLATION; i++)
		for (p = suit_procedure_sections((enum mst_suit_procedure)i);
		     (r->procedures >> i & 1) != 0 && *p != 0; p++)
			if (*p == section)
				return true;
	return false;
}

/* Where the root manifest is to be kept (TD 5.2.1: ignored in dependencies). */
static mst_err
scan_keep(const struct mst_suit *s, const struct mst_suit_manifest *m)
{
	mst_suit_handle keep;
	mst_err e;

	if (m->depth > 0 || m->component_id.ptr == NULL)
		return MST_OK;
	if (!suit_allowed(s, m, m->component_id, SUIT_RIGHT_COMMAND, SUIT_BIT_KEEP))
		return MST_E_SUIT_ACL;
	if (s->platform->keep == NULL)
		return MST_OK;
	if ((e = s->platform->component(s->platform->ctx, m->component_id, &keep)) != MST_OK)
		return e;
	for (unsigned i = 0; i < m->count; i++)
		if (s->slot[m->slot[i]].handle == keep) /* it would replace what it installs */
			return MST_E_SUIT_COMPONENT_TWICE;
	return MST_OK;
}
#endif

mst_err
suit_scan(struct mst_suit *s, const struct mst_suit_manifest *m)
{
#ifdef MUSTER_SUIT_BOOT
	/* A bootloader runs these and no others; it does not know the commands of the rest. */
	static const uint8_t sections[] = { 7, 8, 9 };
#else
	static const uint8_t sections[] = { 15, 16, 18, 20, 7, 8, 9, 24 };
#endif
	struct scan x;
	mst_err e;

	memset(&x, 0, sizeof x);
	x.s = s;
	x.m = m;
	x.ours = true;
	if ((e = suit_refuse(s, m, MST_SUIT_COMPONENT_ID, scan_keep(s, m))) != MST_OK)
		return e;
	e = scan_section(&x, MST_SUIT_COMMON);
	/* sheet 5: vendor and class, for root manifests */
	if (e == MST_OK && m->depth == 0 && x.seen != (MST_SUIT_CMD_VENDOR | MST_SUIT_CMD_CLASS) &&
	    (s->rules->rules & MST_SUIT_RULE_NO_CLASS_CHECK) == 0)
		e = suit_refuse(s, m, MST_SUIT_COMMON, MST_E_SUIT_NO_CLASS_CHECK);
	for (size_t i = 0; i < sizeof sections && e == MST_OK; i++) {
		x.ours = is_ours(s->rules, sections[i]);
		e = scan_section(&x, sections[i]);
	}
	return e;
}
