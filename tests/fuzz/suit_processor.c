/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The processor on a device in memory, with crypto/fake behind it and a mutator
 * that signs again (suit_tree.c). What must hold whatever the envelope says:
 * refused by the check, nothing was touched; made valid, its digest or its very
 * bytes stand in what was signed, or it was decrypted; written, the access list
 * allows it; the record is written by confirm alone; no state of the crypto is
 * left open. The first bytes of the input are the device:
 *
 *	0 flags	1 slot	2 time	3 the source stops after	4 crypto fails at
 *	5 storage fails at	6 procedure	7 confirmed number
 *	8-15 a forged journal: done, state, section, command, component, offset
 *	16,17 length of the envelope, the envelope, length of payload 1, payloads
 */
#include <stdlib.h>
#include <string.h>

#include "crypto/fake/suit_fake.h"
#include "fuzz/suit_tree.h"
#include "muster/suit.h"

#define HEAD_LEN 18
#define COMPONENTS 4
#define CAPACITY 512
#define MUST(condition) ((condition) ? (void)0 : abort())

enum flag {
	HAS_TIME = 1,
	AUTHORIZED = 2,
	EVENTS_HOLD = 4,
	FORGED_JOURNAL = 8,
	HAS_ACL = 16,
	STRICT = 32,
	NO_CLASS = 64,
	HOLDS_SOMETHING = 128,
};

struct component {
	uint8_t bytes[CAPACITY];
	struct mst_suit_component_info info;
	bool valid;
};

static struct device {
	struct component c[COMPONENTS];
	const uint8_t *config;
	mst_span payload[2], reading;
	size_t at, served;
	unsigned touched, changes, records;
	bool confirming, invoking, cuts;
	mst_span envelope;
	struct mst_suit_journal journal;
	bool journalled;
	struct mst_suit_record record;
	uint8_t arena[4096], block[160];
	struct fake_suit fake;
} d;

static bool
is(enum flag f)
{
	return (d.config[0] & f) != 0;
}

/* Storage fails at the n-th change. */
static mst_err
change(mst_suit_handle c)
{
	MUST(c < COMPONENTS);
	MUST(!is(HAS_ACL) || c == 0);
	d.touched++;
	return ++d.changes == d.config[5] ? MST_E_SUIT_WRITE : MST_OK;
}

static mst_err
component(void *ctx, mst_span id, mst_suit_handle *handle)
{
	(void)ctx;
	if (id.len != 3 || id.ptr[0] != 0x81 || id.ptr[1] != 0x41 || id.ptr[2] < 'a' ||
	    id.ptr[2] >= 'a' + COMPONENTS)
		return MST_E_SUIT_COMPONENT_UNKNOWN;
	*handle = (mst_suit_handle)(id.ptr[2] - 'a');
	return MST_OK;
}

static mst_err
info(void *ctx, mst_suit_handle c, struct mst_suit_component_info *out)
{
	(void)ctx;
	MUST(c < COMPONENTS);
	*out = d.c[c].info;
	return MST_OK;
}

static mst_err
read_bytes(void *ctx, mst_suit_handle c, uint64_t offset, uint8_t *out, size_t len)
{
	(void)ctx;
	MUST(c < COMPONENTS && offset <= CAPACITY && len <= CAPACITY - offset);
	memcpy(out, d.c[c].bytes + offset, len);
	return MST_OK;
}

static mst_err
begin(void *ctx, mst_suit_handle c, uint64_t size, uint64_t *offset)
{
	mst_err e = change(c);
	struct component *k = &d.c[c];

	(void)ctx;
	if (e != MST_OK || (size != UINT64_MAX && size > CAPACITY))
		return e != MST_OK ? e : MST_E_SUIT_CAPACITY;
	if (*offset > k->info.size || k->info.state != MST_SUIT_HOLDS_NOTHING)
		*offset = 0;
	k->info.size = *offset;
	k->info.state = MST_SUIT_HOLDS_NOTHING;
	k->valid = false;
	return MST_OK;
}

static mst_err
write_bytes(void *ctx, mst_suit_handle c, mst_span block)
{
	mst_err e = change(c);
	struct component *k = &d.c[c];

	(void)ctx;
	if (e != MST_OK)
		return e;
	MUST(block.len <= CAPACITY - k->info.size); /* the processor knows the capacity */
	memcpy(k->bytes + k->info.size, block.ptr, block.len);
	k->info.size += block.len;
	return MST_OK;
}

static mst_err
end(void *ctx, mst_suit_handle c, mst_span metadata)
{
	mst_err e = change(c);

	(void)ctx;
	(void)metadata;
	if (e == MST_OK)
		d.c[c].info.state = MST_SUIT_HOLDS;
	return e;
}

static void
drop(void *ctx, mst_suit_handle c)
{
	(void)ctx;
	MUST(c < COMPONENTS);
	d.c[c].info.state = MST_SUIT_HOLDS_NOTHING;
	d.c[c].info.size = 0;
	d.c[c].valid = false;
}

static mst_err
swap(void *ctx, mst_suit_handle a, mst_suit_handle b)
{
	struct component keep;
	mst_err e = change(a);

	(void)ctx;
	if (e != MST_OK || (e = change(b)) != MST_OK)
		return e;
	keep = d.c[a];
	d.c[a] = d.c[b];
	d.c[b] = keep;
	d.c[a].valid = d.c[b].valid = false;
	return MST_OK;
}

static bool
stands_in(mst_span all, const uint8_t *what, size_t len)
{
	return len == 0 || memmem(all.ptr, all.len, what, len) != NULL;
}

/* Nothing becomes valid that nobody signed for. */
static mst_err
finalise(void *ctx, mst_suit_handle c)
{
	struct component *k = &d.c[c];
	mst_span all = mst_span_of(k->bytes, (size_t)k->info.size);
	mst_span arena = mst_span_of(d.arena, sizeof d.arena);
	mst_err e = change(c);
	uint8_t md[32];

	(void)ctx;
	if (e != MST_OK)
		return e;
	MUST(k->info.state == MST_SUIT_HOLDS);
	fake_sha256(&all, 1, md);
	MUST(stands_in(d.envelope, md, 32) || stands_in(arena, md, 32) ||
	     stands_in(d.envelope, all.ptr, all.len) || stands_in(arena, all.ptr, all.len) ||
	     stands_in(d.envelope, (const uint8_t *)"\xd8\x60\x84", 3));
	k->valid = true;
	return MST_OK;
}

static mst_err
fetch_open(void *ctx, const struct mst_suit_fetch *fetch, uint64_t *offset)
{
	(void)ctx;
	if (!mst_span_eq(fetch->uri, MST_LIT("coap://x/1")) &&
	    !mst_span_eq(fetch->uri, MST_LIT("coap://x/2")))
		return MST_E_SUIT_FETCH;
	MUST(*offset <= CAPACITY);
	d.reading = d.payload[fetch->uri.ptr[9] - '1'];
	d.at = (size_t)*offset;
	return MST_OK;
}

static mst_err
fetch_read(void *ctx, struct mst_buf *block)
{
	size_t n = block->cap - block->len, left = d.at < d.reading.len ? d.reading.len - d.at : 0;

	(void)ctx;
	if (n > left)
		n = left;
	if (n > 7)
		n = 7;
	if (d.cuts && d.config[3] != 0 && d.served + n > d.config[3])
		return MST_E_SUIT_INTERRUPTED;
	if (n > 0)
		memcpy(block->ptr + block->len, d.reading.ptr + d.at, n);
	block->len += n;
	d.at += n;
	d.served += n;
	return MST_OK;
}

static void
fetch_close(void *ctx)
{
	(void)ctx;
}

static mst_span
identity(void *ctx, mst_suit_handle c, enum mst_suit_identity kind, unsigned n)
{
	static const uint8_t ids[3][17] = { "vendor vendor ve", "class class clas",
		"device device de" };

	(void)ctx;
	MUST(c < COMPONENTS);
	return n == 0 ? mst_span_of(ids[kind], 16) : MST_NONE;
}

static mst_err
slot(void *ctx, mst_suit_handle c, uint64_t *out)
{
	(void)ctx;
	MUST(c < COMPONENTS);
	*out = d.config[1];
	return MST_OK;
}

static mst_err
version(void *ctx, mst_suit_handle c, int64_t *ints, size_t *count)
{
	(void)ctx;
	MUST(c < COMPONENTS);
	ints[0] = 1;
	ints[1] = d.config[1];
	*count = 2;
	return MST_OK;
}

static mst_err
now(void *ctx, uint64_t *seconds)
{
	(void)ctx;
	*seconds = d.config[2];
	return is(HAS_TIME) ? MST_OK : MST_E_SUIT_NO_TIME;
}

static mst_err
battery(void *ctx, uint64_t *mwh)
{
	(void)ctx;
	*mwh = d.config[2];
	return MST_OK;
}

static mst_err
authorized(void *ctx, mst_suit_handle c, int64_t priority)
{
	(void)ctx;
	(void)c;
	(void)priority;
	return is(AUTHORIZED) ? MST_OK : MST_E_SUIT_NOT_AUTHORIZED;
}

static mst_err
wait_for(void *ctx, mst_suit_handle c, const struct mst_suit_wait *events)
{
	(void)ctx;
	(void)c;
	MUST(events->has != 0);
	return is(EVENTS_HOLD) ? MST_OK : MST_E_SUIT_WAIT;
}

static mst_err
invoke(void *ctx, mst_suit_handle c, mst_span arguments)
{
	(void)ctx;
	MUST(c < COMPONENTS && (!is(HAS_ACL) || c == 0));
	MUST(stands_in(d.envelope, arguments.ptr, arguments.len) ||
	     stands_in(mst_span_of(d.arena, sizeof d.arena), arguments.ptr, arguments.len));
	d.touched++;
	return MST_OK;
}

static bool
custom_known(void *ctx, int64_t code)
{
	(void)ctx;
	return code == -300;
}

static mst_err
custom(void *ctx, mst_suit_handle c, int64_t code, mst_span argument)
{
	(void)ctx;
	MUST(c < COMPONENTS && code == -300 && argument.len > 0 && argument.len <= d.envelope.len);
	MUST(!is(HAS_ACL) || c == 0);
	return argument.ptr[0] == 0xf6 ? MST_E_SUIT_CUSTOM : MST_OK;
}

static mst_err
custom_parameter(void *ctx, mst_suit_handle c, int64_t key, mst_span value)
{
	(void)ctx;
	MUST(c < COMPONENTS && key == -300 && value.len > 0 && value.len <= d.envelope.len);
	return MST_OK;
}

static mst_err
record_read(void *ctx, mst_span who, struct mst_suit_record *out)
{
	(void)ctx;
	MUST(who.len > 0);
	*out = d.record;
	return MST_OK;
}

static mst_err
record_write(void *ctx, mst_span who, const struct mst_suit_record *record)
{
	(void)ctx;
	MUST(who.len > 0 && d.confirming);
	MUST(!d.record.known || record->number >= d.record.number);
	d.record = *record;
	d.records++;
	return MST_OK;
}

static mst_err
journal_read(void *ctx, struct mst_suit_journal *out)
{
	(void)ctx;
	if (!d.journalled)
		return MST_E_SUIT_JOURNAL;
	*out = d.journal;
	return MST_OK;
}

static mst_err
journal_write(void *ctx, const struct mst_suit_journal *journal)
{
	(void)ctx;
	d.journal = *journal;
	d.journalled = true;
	return MST_OK;
}

static mst_err
journal_erase(void *ctx)
{
	(void)ctx;
	d.journalled = false;
	return MST_OK;
}

static mst_err
references(void *ctx, mst_suit_handle c, mst_span by, unsigned *count)
{
	(void)ctx;
	MUST(c < COMPONENTS && by.len == 32);
	*count = 0;
	return MST_OK;
}

static mst_err
link_to(void *ctx, mst_suit_handle c, mst_span by)
{
	(void)ctx;
	MUST(c < COMPONENTS && by.len == 32);
	return MST_OK;
}

static mst_err
unlink_from(void *ctx, mst_suit_handle c, mst_span by, unsigned *left)
{
	(void)ctx;
	MUST(by.len == 32);
	*left = 0;
	return change(c);
}

static mst_err
erase(void *ctx, mst_suit_handle c)
{
	mst_err e = change(c);

	if (e == MST_OK)
		drop(ctx, c);
	return e;
}

static mst_err
keep(void *ctx, mst_suit_handle c, mst_span envelope)
{
	(void)ctx;
	MUST(c < COMPONENTS && envelope.ptr == d.envelope.ptr && !is(HAS_ACL));
	d.touched++;
	return MST_OK;
}

static struct mst_suit_collector collector;

static void
trace(void *ctx, const struct mst_suit_event *event)
{
	(void)ctx;
	MUST(event->component == MST_SUIT_NO_INDEX || event->handle < COMPONENTS);
	MUST(event->depth <= MST_SUIT_DEPTH_MAX && event->measured_count <= event->measured.len);
	mst_suit_collect(&collector, event);
}

static const struct mst_suit_platform platform = { .component = component,
	.info = info,
	.read = read_bytes,
	.begin = begin,
	.write = write_bytes,
	.end = end,
	.drop = drop,
	.swap = swap,
	.finalise = finalise,
	.fetch_open = fetch_open,
	.fetch_read = fetch_read,
	.fetch_close = fetch_close,
	.identity = identity,
	.slot = slot,
	.version = version,
	.now = now,
	.battery = battery,
	.authorized = authorized,
	.wait = wait_for,
	.invoke = invoke,
	.custom_known = custom_known,
	.custom = custom,
	.custom_parameter_known = custom_known,
	.custom_parameter = custom_parameter,
	.record_read = record_read,
	.record_write = record_write,
	.journal_read = journal_read,
	.journal_write = journal_write,
	.journal_erase = journal_erase,
	.references = references,
	.link = link_to,
	.unlink = unlink_from,
	.erase = erase,
	.keep = keep,
	.trace = trace };

/* Parse, check, run; the report of what happened. */
static void
play(enum mst_suit_procedure procedure, bool cuts)
{
	static const struct mst_suit_keys keys = { fuzz_suit_key, FUZZ_SUIT_KEYS };
	static const struct mst_suit_acl acl = { 1, { (const uint8_t *)"\x81\x41\x61", 3 },
		~MST_SUIT_ACL_KEEP, MST_SUIT_ACL_ALL };
	struct mst_suit_crypto crypto = fake_suit_crypto(&d.fake);
	struct mst_suit_rules rules = { .domain = MST_LIT("x"), .journal_every = 16 };
	uint8_t records[512], report[2048];
	struct mst_suit_report read_back;
	struct mst_buf out = MST_BUF(report);
	struct mst_suit s = {
		.platform = &platform, .crypto = &crypto, .keys = &keys, .rules = &rules
	};
	struct mst_suit_envelope envelope;
	struct mst_suit_manifest m;
	mst_err e;

	rules.rules = (is(STRICT) ? MST_SUIT_RULE_STRICT_DEPENDENCIES : 0u) |
	              (is(NO_CLASS) ? MST_SUIT_RULE_NO_CLASS_CHECK : 0u);
	if (is(HAS_ACL)) {
		rules.acl = &acl;
		rules.acl_count = 1;
	}
	s.block = MST_BUF(d.block);
	s.arena = MST_BUF(d.arena);
	memset(d.arena, 0, sizeof d.arena);
	d.touched = d.changes = d.records = 0;
	d.served = 0;
	d.cuts = cuts;
	d.fake =
	    (struct fake_suit){ .fail_at = cuts ? d.config[4] : 0, .fail_with = MST_E_INTERNAL };
	collector = (struct mst_suit_collector){ .store = MST_BUF(records) };
	if (mst_suit_envelope_parse(d.envelope, &envelope) != MST_OK)
		return;
	if (is(FORGED_JOURNAL) && cuts) {
		struct mst_suit_digest_claim claim;

		if (mst_suit_digest_parse(envelope.digest, &claim) == MST_OK)
			memcpy(d.journal.digest, claim.digest.ptr, 32);
		d.journal.state = (uint32_t)(d.config[8] | d.config[9] << 8);
		d.journal.section = d.config[10];
		d.journal.command = d.config[11];
		d.journal.component = d.config[12];
		d.journal.offset = d.config[13] == 255 ? UINT64_MAX : d.config[13];
		d.journalled = true;
	}
	e = mst_suit_check(&s, &envelope, &m);
	MUST(e == MST_OK || (s.refusal.err == e && d.touched == 0));
	MUST(d.fake.open == 0);
	if (e != MST_OK)
		return;
	MUST(m.authorities != 0);
	e = mst_suit_run(&s, &m, procedure);
	MUST(e == MST_OK || s.refusal.err == e);
	MUST(d.fake.open == 0);
	MUST(d.records == 0);
	MUST(s.steps <= MST_SUIT_STEPS_MAX + 1);
	if (e != MST_OK && d.config[5] == 0)
		for (unsigned i = 0; i < COMPONENTS; i++) /* what was valid before may still be */
			MUST(!d.c[i].valid || d.c[i].info.state != MST_SUIT_HOLDS_NOTHING);
	/* what is reported can be read, and is no success unless it was one */
	if (mst_suit_report_build(&(struct mst_suit_report_content){ .envelope = &envelope,
	                              .collector = &collector,
	                              .result = e,
	                              .refusal = &s.refusal },
	        &out) == MST_OK) {
		MUST(mst_suit_report_parse(mst_buf_span(&out), &read_back) == MST_OK);
		MUST(!read_back.success || e == MST_OK);
	}
	if (e != MST_OK || cuts)
		return;
	d.confirming = true;
	if (mst_suit_confirm(&s, &m) == MST_OK)
		MUST(d.record.known && d.record.number == m.sequence_number);
	d.confirming = false;
	MUST(d.fake.open == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *exact;
	size_t len, left, one;

	if (size < HEAD_LEN)
		return 0;
	memset(&d, 0, sizeof d);
	d.config = data;
	left = size - HEAD_LEN;
	len = (size_t)(data[16] << 8 | data[17]);
	if (len > left)
		len = left;
	exact = malloc(len + 1); /* exact size: an over-read is seen by the sanitizer */
	if (exact == NULL)
		abort();
	exact = realloc(exact, len != 0 ? len : 1);
	memcpy(exact, data + HEAD_LEN, len);
	d.envelope = mst_span_of(exact, len);
	left -= len;
	one = left > 0 ? data[HEAD_LEN + len] : 0;
	if (left > 0)
		left--;
	if (one > left)
		one = left;
	if (size > HEAD_LEN + len) {
		d.payload[0] = mst_span_of(data + HEAD_LEN + len + 1, one);
		d.payload[1] = mst_span_of(data + HEAD_LEN + len + 1 + one, left - one);
	}
	d.record.known = data[7] != 0;
	d.record.number = data[7];
	for (unsigned i = 0; i < COMPONENTS; i++) {
		d.c[i].info.capacity = CAPACITY;
		if (!is(HOLDS_SOMETHING) || d.payload[i % 2].len > CAPACITY)
			continue;
		d.c[i].info.state = MST_SUIT_HOLDS;
		d.c[i].info.size = d.payload[i % 2].len;
		if (d.payload[i % 2].len > 0)
			memcpy(d.c[i].bytes, d.payload[i % 2].ptr, d.payload[i % 2].len);
	}
	play((enum mst_suit_procedure)(data[6] % 6), true);
	play((enum mst_suit_procedure)(data[6] % 6), false);
	play(MST_SUIT_INVOCATION, false);
	free(exact);
	return 0;
}

#ifdef MUSTER_FUZZING
/* Mostly the envelope, signed again; sometimes the device or the payloads. */
size_t
LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed)
{
	static uint8_t made[1 << 16], rest[1 << 16];
	size_t len, after, n;

	if (size < HEAD_LEN || max < HEAD_LEN + 64 || seed % 16 == 0)
		return LLVMFuzzerMutate(data, size, max);
	if (seed % 16 < 3) {
		data[seed / 16 % 16] = (uint8_t)(seed >> 9);
		return size;
	}
	len = (size_t)(data[16] << 8 | data[17]);
	if (len > size - HEAD_LEN)
		len = size - HEAD_LEN;
	after = size - HEAD_LEN - len;
	if (after > sizeof rest || len > sizeof made)
		return LLVMFuzzerMutate(data, size, max);
	memcpy(made, data + HEAD_LEN, len);
	memcpy(rest, data + HEAD_LEN + len, after);
	n = suit_tree_mutate(made, len, sizeof made, seed / 16, LLVMFuzzerMutate);
	if (n == 0 || n > 0xffff || HEAD_LEN + n + after > max)
		return LLVMFuzzerMutate(data, size, max);
	data[16] = (uint8_t)(n >> 8);
	data[17] = (uint8_t)n;
	memcpy(data + HEAD_LEN, made, n);
	memcpy(data + HEAD_LEN + n, rest, after);
	return HEAD_LEN + n + after;
}
#endif
