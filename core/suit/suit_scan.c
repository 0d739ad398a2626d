/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The whole manifest before anything of it is executed (sheet 12): every command
 * of every sequence is known, supported, well-formed, in its place, names indices
 * that exist, and is allowed to the signer. What passes here can fail later only
 * for what the device finds, never for how it is written.
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
	bool vendor, class; /* conditions seen on the shared sequence's own level */
	bool encrypted; /* some content may be longer than what is stored of it */
	bool loose; /* strict-order is false from here on */
	uint32_t targets, sources; /* places, since it is */
	uint8_t source[MST_SUIT_COMPONENTS_MAX]; /* 1 + place that was last set, by place */
};

/* Where the scan stands: a command, and the places it applies to. */
struct spot {
	const uint8_t *code;
	int64_t number;
	uint32_t mask;
	enum suit_kind kind;
	unsigned depth;
};

static mst_err scan_sequence(
    struct scan *x, mst_span sequence, uint32_t mask, enum suit_kind kind, unsigned depth);

static mst_err
refuse(const struct scan *x, const struct spot *p, mst_err e)
{
	struct mst_suit_refusal *r = &x->s->refusal;
	unsigned place = 0;

	if (e == MST_OK || r->err != MST_OK)
		return e;
	(void)suit_refuse(x->s, x->m, x->section, e);
	r->offset = (uint32_t)(p->code - x->base);
	r->command = p->number;
	while (place < x->m->count && (p->mask >> place & 1) == 0)
		place++;
	if (place < x->m->count)
		r->component = suit_index_of(x->m, place);
	return e;
}

static uint32_t
all_places(const struct mst_suit_manifest *m)
{
	return m->count == 0 ? 0 : UINT32_MAX >> (32 - m->count);
}

static void
take_index(const struct scan *x, struct suit_cur *c, uint32_t *mask)
{
	unsigned place;

	if (!suit_place(x->m, suit_take(c, MAJOR_UINT), &place))
		suit_fail(c, MST_E_SUIT_INDEX);
	if (c->e == MST_OK)
		*mask |= UINT32_C(1) << place;
}

/* uint / true / [+ uint] */
static mst_err
scan_index(const struct scan *x, struct suit_cur *c, uint32_t *mask)
{
	uint64_t n;

	*mask = 0;
	if (suit_peek(c) == MAJOR_UINT)
		take_index(x, c, mask);
	else if (suit_peek(c) == MAJOR_ARRAY) {
		n = suit_take(c, MAJOR_ARRAY);
		if (n == 0)
			suit_fail(c, MST_E_SUIT_COMMAND_ARGUMENT);
		for (; n > 0 && c->e == MST_OK; n--)
			take_index(x, c, mask);
	} else if (!suit_bool(c))
		suit_fail(c, MST_E_SUIT_COMMAND_ARGUMENT);
	else if ((*mask = all_places(x->m)) == 0)
		suit_fail(c, MST_E_SUIT_INDEX);
	return c->e == MST_E_SUIT_CBOR_TYPE ? MST_E_SUIT_COMMAND_ARGUMENT : c->e;
}

static mst_err
allowed(const struct scan *x, uint32_t mask, enum suit_right kind, uint64_t bit)
{
	for (unsigned place = 0; place < x->m->count; place++)
		if ((mask >> place & 1) != 0 && x->s->rules->acl != NULL &&
		    !suit_allowed(x->s, x->m, suit_place_id(x->m, place), kind, bit))
			return MST_E_SUIT_ACL;
	return MST_OK;
}

/*
 * Sheet 20: what merely compares needs no right, in the root. What a dependency
 * sets persists in its dependent (TD 5.4): it needs a right for all of it, or it
 * could say what the components of others must match.
 */
static bool
needs_right(const struct scan *x, int64_t key)
{
	return x->m->depth > 0 || key == MST_SUIT_PARAM_CONTENT ||
	       key == MST_SUIT_PARAM_ENCRYPTION || key == MST_SUIT_PARAM_URI ||
	       key == MST_SUIT_PARAM_SOURCE || key == MST_SUIT_PARAM_INVOKE_ARGS ||
	       key == MST_SUIT_PARAM_FETCH_ARGS || key == MST_SUIT_PARAM_METADATA;
}

static mst_err
scan_source(struct scan *x, const struct spot *p, uint64_t index)
{
	unsigned place;

	if (!suit_place(x->m, index, &place))
		return MST_E_SUIT_INDEX;
	for (unsigned i = 0; i < x->m->count; i++)
		if ((p->mask >> i & 1) != 0)
			x->source[i] = (uint8_t)(place + 1);
	return allowed(x, UINT32_C(1) << place, SUIT_RIGHT_COMMAND, MST_SUIT_ACL_SOURCE);
}

/* Storage room (sheet 12): where no alternative can say otherwise. */
static mst_err
scan_size(const struct scan *x, const struct spot *p, uint64_t size)
{
	struct mst_suit_component_info info;
	const struct mst_suit_platform *pf = x->s->platform;
	mst_err e;

	for (unsigned i = 0; i < x->m->components && p->depth == 0 && x->ours; i++) {
		if ((p->mask >> i & 1) == 0 || suit_is_dependency(x->m, i))
			continue;
		if ((e = pf->info(pf->ctx, x->s->slot[x->m->slot[i]].handle, &info)) != MST_OK)
			return e;
		if (size > info.capacity)
			return MST_E_SUIT_CAPACITY;
	}
	return MST_OK;
}

static mst_err
scan_custom_parameter(const struct scan *x, const struct spot *p, struct suit_cur *c, int64_t key)
{
	const struct mst_suit_platform *pf = x->s->platform;
	unsigned kind;

	if (key >= CUSTOM_BELOW)
		return MST_E_SUIT_PARAMETER_UNKNOWN;
	if (x->section == MST_SUIT_COMMON) /* M 8.4.8: MUST NOT be used in the shared sequence */
		return MST_E_SUIT_COMMAND_PLACE;
	kind = suit_peek(c);
	if (kind == MAJOR_OTHER)
		(void)suit_bool(c);
	else if (kind <= MAJOR_TEXT)
		(void)suit_item(c);
	else
		return MST_E_SUIT_PARAMETER_VALUE;
	if (c->e != MST_OK)
		return c->e;
	if (pf->custom_parameter_known == NULL || pf->custom_parameter == NULL ||
	    !pf->custom_parameter_known(pf->ctx, key))
		return MST_E_SUIT_PARAMETER_UNSUPPORTED;
	return allowed(x, p->mask, SUIT_RIGHT_PARAMETER, MST_SUIT_ACL_CUSTOM);
}

/* Keys below 24 are one byte. */
static bool
is_next(const struct suit_cur *c, uint8_t key)
{
	return c->at != c->end && *c->at == key;
}

static mst_err
scan_parameter(struct scan *x, const struct spot *p, struct suit_cur *c, int64_t key)
{
	const uint8_t *value = c->at;
	mst_err e = MST_OK;

	if (!suit_param_known(key))
		return scan_custom_parameter(x, p, c, key);
	suit_param_check(c, key);
	if (c->e != MST_OK)
		return c->e;
	if (key == MST_SUIT_PARAM_SOFT_FAILURE && p->kind == SUIT_TOP)
		return MST_E_SUIT_SOFT_FAILURE; /* M 8.4.8.14 */
	if (key == MST_SUIT_PARAM_STRICT_ORDER) {
		x->loose = *value == (0xe0 | OTHER_FALSE);
		x->targets = x->sources = 0;
	}
	if (key == MST_SUIT_PARAM_SOURCE)
		e = scan_source(x, p, suit_value(value).arg);
	if (key == MST_SUIT_PARAM_ENCRYPTION)
		x->encrypted = true;
	/* an encrypted content is longer than what is stored of it */
	if (key == MST_SUIT_PARAM_SIZE || (key == MST_SUIT_PARAM_CONTENT && !x->encrypted &&
	                                      !is_next(c, MST_SUIT_PARAM_ENCRYPTION)))
		e = scan_size(x, p, suit_value(value).arg);
	if (e == MST_OK && needs_right(x, key))
		e = allowed(x, p->mask, SUIT_RIGHT_PARAMETER, MST_SUIT_ACL_COMMAND(key));
	return e;
}

/* { + key => value } */
static mst_err
scan_parameters(struct scan *x, const struct spot *p, struct suit_cur *c)
{
	struct suit_map m;
	int64_t key;
	mst_err e;

	if (suit_peek(c) != MAJOR_MAP)
		return MST_E_SUIT_COMMAND_ARGUMENT;
	suit_map_init(&m, c);
	if (m.left == 0)
		suit_fail(c, MST_E_SUIT_COMMAND_ARGUMENT);
	while (suit_map_int(&m, &key))
		if ((e = scan_parameter(x, p, c, key)) != MST_OK)
			return e;
	return c->e;
}

#ifndef MUSTER_SUIT_BOOT
/* 34: { + index => { + key => value } }; 35: { + index => [ + key ] } */
static mst_err
scan_multiple(struct scan *x, struct spot *p, struct suit_cur *c, enum suit_argument kind)
{
	uint32_t mask = p->mask;
	struct suit_map m;
	uint64_t n;
	int64_t index;
	unsigned place;
	mst_err e;

	if (suit_peek(c) != MAJOR_MAP)
		return MST_E_SUIT_COMMAND_ARGUMENT;
	suit_map_init(&m, c);
	if (m.left == 0)
		suit_fail(c, MST_E_SUIT_COMMAND_ARGUMENT);
	while (suit_map_int(&m, &index)) {
		if (index < 0 || !suit_place(x->m, (uint64_t)index, &place))
			return MST_E_SUIT_INDEX;
		if (kind == SUIT_ARG_MULTIPLE) {
			p->mask = UINT32_C(1) << place; /* and so it stays at the last one */
			if ((e = scan_parameters(x, p, c)) != MST_OK)
				return e;
			continue;
		}
		if ((n = suit_take(c, MAJOR_ARRAY)) == 0)
			suit_fail(c, MST_E_SUIT_COMMAND_ARGUMENT);
		for (; n > 0 && c->e == MST_OK; n--) {
			int64_t key = suit_int(c);
			if (c->e == MST_OK && !suit_param_known(key))
				return MST_E_SUIT_PARAMETER_UNKNOWN;
			if (c->e == MST_OK && needs_right(x, key) &&
			    (e = allowed(x, mask, SUIT_RIGHT_PARAMETER,
			         MST_SUIT_ACL_COMMAND(key))) != MST_OK)
				return e;
		}
	}
	return c->e == MST_E_SUIT_CBOR_TYPE ? MST_E_SUIT_COMMAND_ARGUMENT : c->e;
}
#endif

/* [ 2* bstr .cbor sequence, ? null ] */
static mst_err
scan_alternatives(struct scan *x, const struct spot *p, struct suit_cur *c)
{
	uint64_t n = suit_take(c, MAJOR_ARRAY);
	unsigned sequences = 0;
	mst_span alternative;
	mst_err e;

	if (c->e != MST_OK)
		return c->e == MST_E_SUIT_CBOR_TYPE ? MST_E_SUIT_COMMAND_ARGUMENT : c->e;
	if (n > MST_SUIT_ALTERNATIVES_MAX)
		return MST_E_SUIT_ALTERNATIVES;
	for (; n > 0; n--) {
		if (n == 1 && c->at != c->end && *c->at == (0xe0 | OTHER_NULL)) {
			c->at++;
			break;
		}
		alternative = suit_bytes(c);
		if (c->e != MST_OK)
			return c->e == MST_E_SUIT_CBOR_TYPE ? MST_E_SUIT_COMMAND_ARGUMENT : c->e;
		if ((e = scan_sequence(x, alternative, p->mask, SUIT_TRY, p->depth + 1)) != MST_OK)
			return e;
		sequences++;
	}
	return sequences < 2 ? MST_E_SUIT_ALTERNATIVES : c->e;
}

static mst_err
scan_run(struct scan *x, const struct spot *p, struct suit_cur *c)
{
	mst_span sequence = suit_bytes(c);

	if (c->e != MST_OK)
		return c->e == MST_E_SUIT_CBOR_TYPE ? MST_E_SUIT_COMMAND_ARGUMENT : c->e;
	return scan_sequence(x, sequence, p->mask, SUIT_RUN, p->depth + 1);
}

/* swap writes to its source, too. */
static mst_err
scan_swap(const struct scan *x, const struct spot *p)
{
	uint32_t sources = 0;

	for (unsigned i = 0; i < x->m->count; i++)
		if ((p->mask >> i & 1) != 0 && x->source[i] != 0)
			sources |= UINT32_C(1) << (x->source[i] - 1);
	return allowed(x, sources, SUIT_RIGHT_COMMAND, MST_SUIT_ACL_COMMAND(MST_SUIT_CMD_SWAP));
}

/* M 6.7: no component is target and source where the order is free. */
static mst_err
scan_order(struct scan *x, const struct spot *p, const struct suit_command *cmd)
{
	mst_err e;

	if (cmd->code == MST_SUIT_CMD_SWAP && (e = scan_swap(x, p)) != MST_OK)
		return e;
	if (!x->loose || (cmd->flags & SUIT_STORES) == 0)
		return MST_OK;
	x->targets |= p->mask;
	for (unsigned i = 0; i < x->m->count; i++)
		if ((p->mask >> i & 1) != 0 && x->source[i] != 0 &&
		    (cmd->code == MST_SUIT_CMD_COPY || cmd->code == MST_SUIT_CMD_SWAP))
			x->sources |= UINT32_C(1) << (x->source[i] - 1);
	return (x->targets & x->sources) != 0 ? MST_E_SUIT_STRICT_ORDER : MST_OK;
}

static mst_err
scan_policy(
    struct scan *x, const struct spot *p, struct suit_cur *c, const struct suit_command *cmd)
{
	uint64_t policy = suit_take(c, MAJOR_UINT);
	mst_err e;

	if (c->e != MST_OK)
		return c->e == MST_E_SUIT_CBOR_TYPE ? MST_E_SUIT_COMMAND_ARGUMENT : c->e;
	if (policy > POLICY_MAX)
		return MST_E_SUIT_REPORTING_POLICY;
	if (x->m->count == 0 && cmd->code != MST_SUIT_CMD_ABORT)
		return MST_E_SUIT_INDEX; /* nothing that it could apply to */
	if (x->section == MST_SUIT_COMMON && p->depth == 0) {
		x->vendor = x->vendor || cmd->code == MST_SUIT_CMD_VENDOR;
		x->class = x->class || cmd->code == MST_SUIT_CMD_CLASS;
	}
	if ((cmd->flags & SUIT_RIGHT) != 0 && (e = allowed(x, p->mask, SUIT_RIGHT_COMMAND,
	                                           MST_SUIT_ACL_COMMAND(cmd->code))) != MST_OK)
		return e;
	return scan_order(x, p, cmd);
}

static mst_err
scan_custom(const struct scan *x, const struct spot *p, struct suit_cur *c)
{
	const struct mst_suit_platform *pf = x->s->platform;
	unsigned kind = suit_peek(c);

	if (p->number >= CUSTOM_BELOW)
		return suit_command_find(p->number) == NULL ? MST_E_SUIT_COMMAND_UNKNOWN
		                                            : MST_E_SUIT_COMMAND_UNSUPPORTED;
	if (x->section == MST_SUIT_COMMON) /* M 6.2: no custom commands in the shared sequence */
		return MST_E_SUIT_COMMAND_PLACE;
	if (kind > MAJOR_TEXT && (kind != MAJOR_OTHER || *c->at != (0xe0 | OTHER_NULL)))
		return MST_E_SUIT_COMMAND_ARGUMENT;
	(void)suit_item(c);
	if (c->e != MST_OK)
		return c->e;
	if (x->ours && (pf->custom_known == NULL || pf->custom == NULL ||
	                   !pf->custom_known(pf->ctx, p->number)))
		return MST_E_SUIT_COMMAND_UNSUPPORTED;
	return allowed(x, p->mask, SUIT_RIGHT_COMMAND, MST_SUIT_ACL_CUSTOM);
}

/* One command with its argument; p->mask becomes what applies to the next one. */
static mst_err
scan_command(struct scan *x, struct spot *p, struct suit_cur *c)
{
	const struct suit_command *cmd = suit_command_find(p->number);

	if (cmd == NULL)
		return scan_custom(x, p, c);
	if (x->section == MST_SUIT_COMMON && (cmd->flags & SUIT_SHARED_OK) == 0)
		return MST_E_SUIT_COMMAND_PLACE;
	if (x->ours && !suit_command_supported(x->s->platform, cmd))
		return MST_E_SUIT_COMMAND_UNSUPPORTED;
	switch ((enum suit_argument)cmd->argument) {
	case SUIT_ARG_POLICY:
		if (x->ours && cmd->code == MST_SUIT_CMD_FETCH &&
		    x->s->platform->fetch_open == NULL)
			return MST_E_SUIT_COMMAND_UNSUPPORTED;
		return scan_policy(x, p, c, cmd);
	case SUIT_ARG_INDEX: return scan_index(x, c, &p->mask);
	case SUIT_ARG_ALTERNATIVES: return scan_alternatives(x, p, c);
	case SUIT_ARG_SEQUENCE: return scan_run(x, p, c);
	case SUIT_ARG_PARAMETERS: return scan_parameters(x, p, c);
#ifndef MUSTER_SUIT_BOOT
	case SUIT_ARG_MULTIPLE:
	case SUIT_ARG_COPY: return scan_multiple(x, p, c, (enum suit_argument)cmd->argument);
#else
	case SUIT_ARG_MULTIPLE:
	case SUIT_ARG_COPY:
#endif
	case SUIT_ARG_CUSTOM: break;
	}
	return MST_E_SUIT_COMMAND_UNSUPPORTED;
}

/* M 6.2, 6.7: what a sequence must begin with, and what must not follow. */
static mst_err
scan_place(const struct scan *x, const struct spot *p, bool first)
{
	bool selects =
	    p->number == MST_SUIT_CMD_SET_INDEX || p->number == MST_SUIT_CMD_OVERRIDE_MULTIPLE;

	if (first && p->depth == 0 && x->m->count > 1 && !selects)
		return MST_E_SUIT_INDEX_FIRST;
	if (!first && p->kind == SUIT_RUN && x->loose && p->number == MST_SUIT_CMD_SET_INDEX)
		return MST_E_SUIT_STRICT_ORDER;
	return MST_OK;
}

static mst_err
scan_sequence(struct scan *x, mst_span sequence, uint32_t mask, enum suit_kind kind, unsigned depth)
{
	struct spot p = { .mask = mask, .kind = kind, .depth = depth, .code = sequence.ptr };
	bool first = true;
	struct suit_cur c;
	uint64_t n;
	mst_err e;

	if (depth > MST_SUIT_NESTING_MAX)
		return MST_E_SUIT_NESTING;
	suit_cur_init(&c, sequence);
	if (suit_peek(&c) != MAJOR_ARRAY || (n = suit_take(&c, MAJOR_ARRAY)) == 0 || n % 2 != 0)
		return refuse(x, &p, c.e != MST_OK ? c.e : MST_E_SUIT_COMMANDS);
	for (; n > 0; n -= 2, first = false) {
		p.code = c.at;
		p.number = suit_int(&c);
		if (c.e != MST_OK)
			return refuse(
			    x, &p, c.e == MST_E_SUIT_CBOR_TYPE ? MST_E_SUIT_COMMANDS : c.e);
		if ((e = scan_place(x, &p, first)) != MST_OK ||
		    (e = scan_command(x, &p, &c)) != MST_OK)
			return refuse(x, &p, e);
	}
	return refuse(x, &p, suit_end(&c));
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
	if (!suit_allowed(s, m, m->component_id, SUIT_RIGHT_COMMAND, MST_SUIT_ACL_KEEP))
		return MST_E_SUIT_ACL;
#ifndef MUSTER_SUIT_BOOT
	if (s->platform->keep == NULL)
		return MST_OK;
	if ((e = s->platform->component(s->platform->ctx, m->component_id, &keep)) != MST_OK)
		return e;
	for (unsigned i = 0; i < m->count; i++)
		if (s->slot[m->slot[i]].handle == keep) /* it would replace what it installs */
			return MST_E_SUIT_COMPONENT_TWICE;
#else
	(void)keep;
	(void)e;
#endif
	return MST_OK;
}

mst_err
suit_scan(struct mst_suit *s, const struct mst_suit_manifest *m)
{
#ifdef MUSTER_SUIT_BOOT
	/* A bootloader runs these and no others; it does not know the commands of the rest. */
	static const uint8_t sections[] = { 7, 8, 9 };
#else
	static const uint8_t sections[] = { 15, 16, 18, 20, 7, 8, 9, 24 };
#endif
	struct scan x = { .s = s, .m = m, .ours = true };
	mst_err e;

	if ((e = suit_refuse(s, m, MST_SUIT_COMPONENT_ID, scan_keep(s, m))) != MST_OK)
		return e;
	if ((e = scan_section(&x, MST_SUIT_COMMON)) != MST_OK)
		return e;
	/* sheet 5: vendor and class, for root manifests */
	if (m->depth == 0 && (!x.vendor || !x.class) &&
	    (s->rules->rules & MST_SUIT_RULE_NO_CLASS_CHECK) == 0)
		return suit_refuse(s, m, MST_SUIT_COMMON, MST_E_SUIT_NO_CLASS_CHECK);
	for (size_t i = 0; i < sizeof sections; i++) {
		x.ours = is_ours(s->rules, sections[i]);
		if ((e = scan_section(&x, sections[i])) != MST_OK)
			return e;
	}
	return MST_OK;
}
