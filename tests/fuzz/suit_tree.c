/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz/suit_tree.h"

#include <stdlib.h>
#include <string.h>

#include "crypto/fake/suit_fake.h"

#define NODES 4096
#define DEPTH 40

const struct mst_suit_key fuzz_suit_key[FUZZ_SUIT_KEYS] = {
	{ .usage = MST_SUIT_USE_SIGN_MANIFEST,
	    .alg = MST_SUIT_ES256,
	    .kid = { (const uint8_t *)"k", 1 },
	    .material = { (const uint8_t *)"the key of the fuzzed device, which signs.", 42 } },
	{ .usage = MST_SUIT_USE_KEK,
	    .alg = MST_SUIT_A128KW,
	    .kid = { (const uint8_t *)"kek", 3 },
	    .material = { (const uint8_t *)"kek of the group", 16 } },
	{ .usage = MST_SUIT_USE_MAC_MANIFEST,
	    .alg = MST_SUIT_HMAC256,
	    .authority = 1,
	    .kid = { (const uint8_t *)"m", 1 },
	    .material = { (const uint8_t *)"a mac key of 32 bytes, of course", 32 } },
};

enum kind {
	HEAD,
	STRING,
	NEST,
	WRAP,
	RAW
}; /* a number or simple; string; array/map/tag; bstr of CBOR */
struct node {
	enum kind kind;
	uint8_t major;
	uint64_t value;
	const uint8_t *ptr; /* of strings; in text */
	size_t len;
	struct node *child, *next; /* of NEST and WRAP */
};

static struct node pool[NODES];
static size_t used;
static uint8_t text[1 << 18];
static size_t text_used;

static struct node *
new_node(enum kind kind, unsigned major, uint64_t value)
{
	struct node *n;

	if (used == NODES)
		return NULL;
	n = &pool[used++];
	*n = (struct node){ .kind = kind, .major = (uint8_t)major, .value = value };
	return n;
}

static const uint8_t *
keep(const uint8_t *bytes, size_t len)
{
	uint8_t *at = text + text_used;

	if (len > sizeof text - text_used)
		return NULL;
	if (len > 0)
		memmove(at, bytes, len);
	text_used += len;
	return at;
}

/* ---- Reading --------------------------------------------------------------------------- */

struct in {
	const uint8_t *at, *end;
	unsigned depth;
};

static struct node *read_node(struct in *in);

static struct node *
read_children(struct in *in, struct node *n, uint64_t count)
{
	struct node **last = &n->child;

	for (; count > 0; count--) {
		if ((*last = read_node(in)) == NULL)
			return NULL;
		last = &(*last)->next;
	}
	return n;
}

static struct node *
read_string(struct in *in, unsigned major, uint64_t len)
{
	struct in inner = { in->at, in->at + len, in->depth + 1 };
	size_t before = used;
	struct node *n = new_node(STRING, major, 0), *child;

	if (n == NULL)
		return NULL;
	n->ptr = in->at;
	n->len = (size_t)len;
	in->at += len;
	/* CBOR within, if it is a container or string of definite length to its end */
	if (major == 2 && len > 1 && in->depth < DEPTH && *inner.at >> 5 >= 2 &&
	    *inner.at >> 5 <= 6 && (child = read_node(&inner)) != NULL && inner.at == inner.end &&
	    child->kind >= NEST) {
		n->kind = WRAP;
		n->child = child;
	} else
		used = before + 1;
	return n;
}

static struct node *
read_node(struct in *in)
{
	unsigned major, info, bytes;
	uint64_t v;
	struct node *n;

	if (in->at == in->end || ++in->depth > DEPTH)
		return NULL;
	major = *in->at >> 5;
	info = *in->at++ & 31;
	v = info;
	if (info >= 24) {
		if (info > 27)
			return NULL;
		bytes = 1u << (info - 24);
		if (bytes > (size_t)(in->end - in->at))
			return NULL;
		for (v = 0; bytes > 0; bytes--)
			v = v << 8 | *in->at++;
	}
	if (major == 2 || major == 3) {
		if (v > (size_t)(in->end - in->at))
			return NULL;
		n = read_string(in, major, v);
	} else if (major >= 4 && major <= 6) {
		if (v > NODES && major != 6)
			return NULL;
		n = new_node(NEST, major, v);
		if (n != NULL)
			n = read_children(in, n, major == 4 ? v : major == 5 ? 2 * v : 1);
	} else {
		n = new_node(HEAD, major, v);
		if (n != NULL && major == 7 && info >= 24) { /* floats: as they are */
			n->kind = RAW;
			n->len = (size_t)info;
		}
	}
	in->depth--;
	return n;
}

/* ---- Writing --------------------------------------------------------------------------- */

struct out {
	uint8_t *ptr;
	size_t len, cap;
	bool full;
};

static void
put(struct out *o, const void *bytes, size_t len)
{
	if (o->full || len > o->cap - o->len) {
		o->full = true;
		return;
	}
	if (len > 0)
		memcpy(o->ptr + o->len, bytes, len);
	o->len += len;
}

static void
put_head(struct out *o, unsigned major, uint64_t v)
{
	uint8_t h[9];
	unsigned n = v < 24 ? 0 : v <= 0xff ? 1 : v <= 0xffff ? 2 : v <= 0xffffffff ? 4 : 8;

	h[0] = (uint8_t)(major << 5 | (n == 0      ? (unsigned)v
	                                  : n == 1 ? 24u
	                                  : n == 2 ? 25u
	                                  : n == 4 ? 26u
	                                           : 27u));
	for (unsigned i = 0; i < n; i++)
		h[1 + i] = (uint8_t)(v >> (8 * (n - 1 - i)));
	put(o, h, 1 + n);
}

static void
write_node(struct out *o, const struct node *n, unsigned depth)
{
	size_t count = 0, at;
	struct out inner;

	if (depth > DEPTH) {
		o->full = true;
		return;
	}
	switch (n->kind) {
	case HEAD: put_head(o, n->major, n->value); return;
	case RAW:
		put(o, &(uint8_t){ (uint8_t)((unsigned)n->major << 5 | n->len) }, 1);
		for (unsigned k = 1u << (n->len - 24); k > 0; k--)
			put(o, &(uint8_t){ (uint8_t)(n->value >> (8 * (k - 1))) }, 1);
		return;
	case STRING:
		put_head(o, n->major, n->len);
		put(o, n->ptr, n->len);
		return;
	case NEST:
		for (const struct node *c = n->child; c != NULL; c = c->next)
			count++;
		put_head(o, n->major, n->major == 4 ? count : n->major == 5 ? count / 2 : n->value);
		for (const struct node *c = n->child; c != NULL; c = c->next)
			if (n->major != 5 || c->next != NULL || count % 2 == 0 || c != n->child)
				write_node(o, c, depth + 1);
		return;
	case WRAP: break;
	}
	at = o->len; /* twice: its length is not known before */
	inner = *o;
	write_node(&inner, n->child, depth + 1);
	if (inner.full) {
		o->full = true;
		return;
	}
	count = inner.len - at;
	put_head(o, 2, count);
	write_node(o, n->child, depth + 1);
}

/* ---- Signing --------------------------------------------------------------------------- */

/* The value of a key in a map; NULL. */
static struct node *
find(const struct node *map, uint64_t key)
{
	for (struct node *k = map->child; k != NULL && k->next != NULL; k = k->next->next)
		if (k->kind == HEAD && k->major == 0 && k->value == key)
			return k->next;
	return NULL;
}

static void
hash_node(const struct node *n, uint8_t md[32])
{
	static uint8_t scratch[1 << 17];
	struct out o = { scratch, 0, sizeof scratch, false };
	mst_span all;

	write_node(&o, n, 0);
	all = mst_span_of(scratch, o.len);
	fake_sha256(&all, 1, md);
}

/* Wherever these 32 bytes stood, the new ones stand. */
static void
replace(struct node *n, const uint8_t *old, const uint8_t *now)
{
	for (; n != NULL; n = n->next) {
		if (n->kind == STRING && n->len == 32 && memcmp(n->ptr, old, 32) == 0)
			n->ptr = now;
		if (n->child != NULL)
			replace(n->child, old, now);
	}
}

/* [ -16, digest ]: its digest becomes that of what; *old is what it was. */
static const uint8_t *
set_digest(struct node *array, const struct node *what, uint8_t old[32])
{
	struct node *d = array->kind == NEST && array->major == 4 && array->child != NULL
	                     ? array->child->next
	                     : NULL;
	uint8_t md[32];

	if (d == NULL || d->kind != STRING || d->len != 32)
		return NULL;
	memcpy(old, d->ptr, 32);
	hash_node(what, md);
	d->ptr = keep(md, 32);
	return d->ptr;
}

static struct node *
inside(struct node *n)
{
	if (n != NULL && n->kind == WRAP)
		n = n->child;
	if (n != NULL && n->kind == NEST && n->major == 6)
		n = n->child;
	return n;
}

/* The signature over the wrapper's digest, in its first block. */
static void
sign_block(struct node *block, const struct node *digest)
{
	static uint8_t protected_header[64], payload[128];
	struct out h = { protected_header, 0, sizeof protected_header, false };
	struct out p = { payload, 0, sizeof payload, false };
	struct mst_suit_pieces tbs = { .count = 0 };
	uint8_t sig[MST_SUIT_SIGNATURE_MAX];
	struct mst_buf b = MST_BUF(sig);
	struct node *array = inside(block), *s;
	struct out t = { NULL, 0, 0, false };
	static uint8_t structure[512];

	if (array == NULL || array->kind != NEST || array->child == NULL ||
	    array->child->next == NULL || array->child->next->next == NULL ||
	    (s = array->child->next->next->next) == NULL)
		return;
	write_node(&h, array->child, 0);
	write_node(&p, digest, 0);
	if (h.full || p.full)
		return;
	t.ptr = structure;
	t.cap = sizeof structure;
	put(&t, "\x84\x6aSignature1", 12);
	put(&t, h.ptr, h.len);
	put(&t, "\x40", 1);
	put(&t, p.ptr, p.len);
	tbs.piece[0] = mst_span_of(t.ptr, t.len);
	tbs.count = 1;
	if (t.full || fake_suit_sign(&fuzz_suit_key[0], MST_SUIT_ES256, &tbs, &b) != MST_OK)
		return;
	s->kind = STRING;
	s->major = 2;
	s->child = NULL;
	s->len = b.len;
	s->ptr = keep(b.ptr, b.len);
}

static void
sign_envelope(struct node *envelope, unsigned depth)
{
	struct node *map = inside(envelope), *auth, *manifest, *body, *declared;
	const uint8_t *now;
	uint8_t old[32];

	if (depth > 4 || map == NULL || map->kind != NEST || map->major != 5)
		return;
	auth = find(map, 2);
	manifest = find(map, 3);
	if (auth == NULL || manifest == NULL || (auth = inside(auth)) == NULL ||
	    auth->kind != NEST || auth->child == NULL || auth->child->kind != WRAP)
		return;
	body = inside(manifest);
	for (struct node *k = map->child; k != NULL && k->next != NULL; k = k->next->next) {
		struct node *v = k->next, *inner, *theirs;

		if (k->kind == STRING && k->major == 3 && v->kind == WRAP) { /* a dependency? */
			inner = inside(v);
			theirs = inner != NULL && inner->kind == NEST && inner->major == 5
			             ? inside(find(inner, 2))
			             : NULL;
			if (theirs == NULL || theirs->child == NULL ||
			    theirs->child->kind != WRAP || theirs->child->child->child == NULL ||
			    theirs->child->child->child->next == NULL ||
			    theirs->child->child->child->next->len != 32)
				continue;
			memcpy(old, theirs->child->child->child->next->ptr, 32);
			sign_envelope(v, depth + 1);
			now = theirs->child->child->child->next->ptr;
			if (body != NULL && now != NULL)
				replace(body, old, now);
		} else if (k->kind == HEAD && body != NULL && body->kind == NEST &&
		           (declared = find(body, k->value)) != NULL && k->value > 3 &&
		           declared->kind == NEST)
			(void)set_digest(declared, v, old);
	}
	if (set_digest(auth->child->child, manifest, old) != NULL && auth->child->next != NULL)
		sign_block(auth->child->next, auth->child);
}

/* ---- Changing -------------------------------------------------------------------------- */

static unsigned state;

static unsigned
below(unsigned n)
{
	state = state * 1103515245u + 12345u;
	return n == 0 ? 0 : (state >> 8) % n;
}

static const uint64_t numbers[] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 14, 15, 16, 18, 19,
	20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 255, 256, 65535, 65536, 300,
	UINT32_MAX, (uint64_t)UINT32_MAX + 1, INT64_MAX, UINT64_MAX };

static struct node *
copy_node(const struct node *n, unsigned depth)
{
	struct node *c = new_node(n->kind, n->major, n->value), **last;

	if (c == NULL || depth > DEPTH)
		return NULL;
	c->ptr = n->ptr;
	c->len = n->len;
	last = &c->child;
	for (const struct node *k = n->child; k != NULL; k = k->next) {
		if ((*last = copy_node(k, depth + 1)) == NULL)
			return NULL;
		last = &(*last)->next;
	}
	return c;
}

/* A command and its argument. */
static struct node *
new_pair(size_t nodes)
{
	static const uint8_t codes[] = { 1, 2, 3, 4, 5, 6, 7, 8, 11, 12, 14, 18, 21, 22, 23, 24, 25,
		26, 27, 28, 29, 31, 33 };
	struct node *code, *argument;
	uint8_t pick = codes[below(sizeof codes)];

	code = new_node(HEAD, 0, pick);
	argument = below(4) == 0 ? copy_node(&pool[below((unsigned)nodes)], 0)
	           : pick == 12  ? new_node(HEAD, 0, below(4))
	                         : new_node(HEAD, 0, below(16));
	if (code == NULL || argument == NULL)
		return NULL;
	code->next = argument;
	return code;
}

static size_t
children(const struct node *n)
{
	size_t count = 0;

	for (const struct node *c = n->child; c != NULL; c = c->next)
		count++;
	return count;
}

/* The place where the i-th child hangs. */
static struct node **
place(struct node *n, size_t i)
{
	struct node **at = &n->child;

	while (i-- > 0 && *at != NULL)
		at = &(*at)->next;
	return at;
}

static void
change_list(struct node *n, size_t nodes)
{
	size_t count = children(n), step = n->major == 5 || count % 2 == 0 ? 2 : 1, i;
	struct node **at, *moved, *tail;

	if (n->major == 6)
		return;
	i = count == 0 ? 0 : below((unsigned)(count / step + 1)) * step;
	at = place(n, i);
	switch (below(6)) {
	case 0: /* take out */
		for (size_t k = 0; k < step && *at != NULL; k++)
			*at = (*at)->next;
		return;
	case 1: /* again */
		if (*at == NULL || (moved = copy_node(*at, 0)) == NULL)
			return;
		tail = moved;
		if (step == 2 && (*at)->next != NULL) {
			if ((moved->next = copy_node((*at)->next, 0)) == NULL)
				return;
			tail = moved->next;
		}
		tail->next = *at;
		*at = moved;
		return;
	case 2: /* to the front */
		if (*at == NULL || i == 0 || (step == 2 && (*at)->next == NULL))
			return;
		moved = *at;
		tail = step == 2 ? moved->next : moved;
		*at = tail->next;
		tail->next = n->child;
		n->child = moved;
		return;
	case 3:
	case 4: /* a command */
		if ((moved = new_pair(nodes)) == NULL)
			return;
		moved->next->next = *at;
		*at = moved;
		return;
	default: /* something from elsewhere */
		if ((moved = copy_node(&pool[below((unsigned)nodes)], 0)) == NULL)
			return;
		moved->next = *at;
		*at = moved;
	}
}

static void
change_string(struct node *n, size_t (*mutate)(uint8_t *, size_t, size_t))
{
	uint8_t bytes[256];
	size_t len = n->len < sizeof bytes ? n->len : sizeof bytes;

	if (len > 0)
		memcpy(bytes, n->ptr, len);
	if (mutate != NULL)
		len = mutate(bytes, len, sizeof bytes);
	else if (len > 0)
		bytes[below((unsigned)len)] ^= (uint8_t)(1u << below(8));
	n->ptr = keep(bytes, len);
	n->len = n->ptr == NULL ? 0 : len;
	n->kind = STRING;
	n->child = NULL;
}

static void
change(struct node *n, size_t nodes, size_t (*mutate)(uint8_t *, size_t, size_t))
{
	struct node *other;

	if (below(12) == 0) { /* another thing altogether */
		other = copy_node(&pool[below((unsigned)nodes)], 0);
		if (other != NULL) {
			other->next = n->next;
			*n = *other;
		}
		return;
	}
	switch (n->kind) {
	case HEAD:
		if (n->major == 7)
			n->value = 20 + below(4);
		else if (below(3) == 0)
			n->value += below(2) == 0 ? 1 : (uint64_t)-1;
		else
			n->value = numbers[below(sizeof numbers / sizeof numbers[0])];
		if (below(16) == 0 && n->major < 2)
			n->major ^= 1;
		return;
	case STRING: change_string(n, mutate); return;
	case NEST: change_list(n, nodes); return;
	case WRAP:
		if (below(8) == 0)
			n->major = 2, n->kind = STRING, n->ptr = keep((const uint8_t *)"", 0),
			n->len = 0;
		else
			change(n->child, nodes, mutate);
		return;
	case RAW: n->value++; return;
	}
}

static void
encode_key(const struct node *k, struct out *o)
{
	o->len = 0;
	write_node(o, k, 0);
}

/* Keys in order, none twice; but for one map in some. */
static void
sort_maps(struct node *n, unsigned depth)
{
	uint8_t x[128], y[128];
	bool again = true;

	if (depth > DEPTH)
		return;
	for (struct node *c = n->child; c != NULL; c = c->next)
		sort_maps(c, depth + 1);
	if (n->kind != NEST || n->major != 5 || below(400) == 0)
		return;
	if (children(n) % 2 != 0)
		n->child = n->child->next;
	while (again) {
		again = false;
		for (struct node **at = &n->child; *at != NULL && (*at)->next->next != NULL;) {
			struct node *a = *at, *b = a->next->next;
			struct out p = { x, 0, sizeof x, false }, q = { y, 0, sizeof y, false };
			int d;

			encode_key(a, &p);
			encode_key(b, &q);
			d = memcmp(x, y, p.len < q.len ? p.len : q.len);
			if (d == 0 && p.len == q.len) { /* the later one goes */
				a->next->next = b->next->next;
				continue;
			}
			if (d > 0 || (d == 0 && p.len > q.len)) {
				a->next->next = b->next->next;
				b->next->next = a;
				*at = b;
				again = true;
			}
			at = &(*at)->next->next;
		}
	}
}

static struct node *
read_all(const uint8_t *envelope, size_t len)
{
	struct in in = { NULL, NULL, 0 };
	struct node *root;

	used = text_used = 0;
	in.at = keep(envelope, len);
	if (in.at == NULL)
		return NULL;
	in.end = in.at + len;
	root = read_node(&in);
	return root != NULL && in.at == in.end ? root : NULL;
}

static size_t
write_all(const struct node *root, uint8_t *envelope, size_t cap)
{
	struct out o = { envelope, 0, cap, false };

	write_node(&o, root, 0);
	return o.full ? 0 : o.len;
}

size_t
suit_tree_resign(uint8_t *envelope, size_t len, size_t cap)
{
	struct node *root = read_all(envelope, len);

	if (root == NULL)
		return 0;
	sign_envelope(root, 0);
	return write_all(root, envelope, cap);
}

size_t
suit_tree_mutate(uint8_t *envelope, size_t len, size_t cap, unsigned seed,
    size_t (*mutate)(uint8_t *data, size_t size, size_t max))
{
	struct node *root = read_all(envelope, len);
	static uint8_t result[1 << 17];
	size_t nodes, n;

	if (root == NULL)
		return 0;
	state = seed;
	nodes = used;
	for (unsigned times = 1 + below(3); times > 0; times--)
		change(&pool[below((unsigned)nodes)], nodes, mutate);
	sort_maps(root, 0);
	sign_envelope(root, 0);
	n = write_all(root, result, cap < sizeof result ? cap : sizeof result);
	if (n > 0)
		memcpy(envelope, result, n);
	return n;
}
