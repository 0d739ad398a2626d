/* SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>
#include <stdio.h>

#include "suit/support_forge.h"

#define SCOPE(name, array, around)                                                                 \
	const struct edn_scope name = { array, sizeof array / sizeof array[0], around }

/* What every envelope has; one component, installed by fetching it. */
static const struct edn_word envelope[] = {
	{ "envelope", "107($map)" }, { "map", "{2: $auth 3: $manifest $env}" }, { "env", "" },
	{ "auth", "<<[$digest $blocks]>>" }, { "digest", "<<[$dalg $dbytes]>>" }, { "dalg", "-16" },
	{ "dbytes", "hash($dalg $manifest)" }, { "blocks", "$block" },
	{ "block", "<<18([$prot {$unprot} null $sig])>>" }, { "prot", "<<{1: $alg}>>" },
	{ "alg", "-7" }, { "unprot", "4: b'k1'" }, { "key", "'k1'" },
	{ "sig", "sign($key ['Signature1' $prot h'' $digest])" },
	{ "manifest", "<<$manifestmap>>" },
	{ "manifestmap",
	    "{$m1 $m2 $m3 $m4 $m5 $m6 $m7 $m8 $m9 $m14 $m15 $m16 $m18 $m20 $m23 $m24}" },
	{ "m1", "1: 1" }, { "m2", "2: $seq" }, { "seq", "5" }, { "m3", "3: $common" },
	{ "common", "<<$commonmap>>" }, { "commonmap", "{$deps 2: [$components] 4: $shared}" },
	{ "deps", "" }, { "shared", "<<[$share]>>" }, { "m4", "" }, { "m5", "" }, { "m6", "" },
	{ "m7", "" }, { "m8", "" }, { "m9", "" }, { "m14", "" }, { "m15", "" }, { "m16", "" },
	{ "m18", "" }, { "m20", "" }, { "m23", "" }, { "m24", "" },
	/* the device's */
	{ "vendor", "h'a0a1a2a3a4a5a6a7a8a9aaabacadaeaf'" },
	{ "class", "h'c0c1c2c3c4c5c6c7c8c9cacbcccdcecf'" },
	{ "deviceid", "h'd0d1d2d3d4d5d6d7d8d9dadbdcdddedf'" }, { "ids", "1: $vendor 2: $class" },
	{ "dev.vendor", "h'a0a1a2a3a4a5a6a7a8a9aaabacadaeaf'" },
	{ "dev.class", "h'c0c1c2c3c4c5c6c7c8c9cacbcccdcecf'" },
	{ "dev.deviceid", "h'd0d1d2d3d4d5d6d7d8d9dadbdcdddedf'" },
	{ "dev.run", "0" }, /* enum mst_suit_procedure */
	{ "dev.need", "0" }, /* authorities that must have signed the root */
	{ "dev.depneed", "0" }, { "dev.of", "0" }, /* bits of authorities that count; 0: all */
	{ "dev.rules", "0" }, { "dev.time", "1000" }, /* null: none */
	{ "dev.battery", "50" }, { "dev.authorized", "true" }, { "dev.version", "[1 2 3]" },
	{ "dev.slot", "1" }, { "dev.wait", "true" }, /* do the events hold? */
	{ "dev.number", "null" }, /* confirmed last; null: none */
	{ "dev.digest", "bytes(32 0)" }, /* its digest */
	{ "dev.without", "" }, /* texts: functions that this device lacks */
	{ "dev.acl", "null" }, /* or [[authorities, [prefix], commands, parameters], ...] */
	{ "dev.a", "null" }, /* what the components hold; null: nothing */
	{ "dev.b", "null" }, { "dev.c", "null" }, { "dev.d", "null" }, { "dev.capacity", "2048" },
	{ "dev.endless", "false" }, { "dev.cut", "null" },
	{ "payload1", "null" }, /* at coap://x/1 */
	{ "payload2", "null" }, /* at coap://x/2 */
	{ "payload3", "null" }, /* at coap://x/3 */
};
SCOPE(base, envelope, NULL);

static const struct edn_word one[] = {
	{ "components", "[b'a']" },
	{ "image", "b'An image of version two, of some length.'" },
	{ "imgdigest", "<<[-16 hashof(-16 $image)]>>" },
	{ "imgsize", "sizeof($image)" },
	{ "imgparams", "3: $imgdigest 14: $imgsize" },
	{ "share", "20 {$ids $imgparams} 1 15 2 15" },
	{ "m7", "7: <<[$validate]>>" },
	{ "validate", "3 15" },
	{ "m9", "9: <<[$invoke]>>" },
	{ "invoke", "23 2" },
	{ "m20", "20: <<[$install]>>" },
	{ "install", "20 {21: $uri} 21 15 3 15" },
	{ "uri", "'coap://x/1'" },
	{ "payload1", "$image" },
};
SCOPE(forge_one, one, &base);

static const struct edn_word three[] = {
	{ "components", "[b'a'] [b'b'] [b'c']" },
	{ "image", "b'The application, in its version two.'" },
	{ "image2", "b'The radio, which has a version of its own.'" },
	{ "p0", "3: <<[-16 hashof(-16 $image)]>> 14: sizeof($image)" },
	{ "p1", "3: <<[-16 hashof(-16 $image2)]>> 14: sizeof($image2)" },
	{ "share", "12 true 20 {$ids} 1 15 2 15 12 0 20 {$p0} 12 1 20 {$p1} 12 2 20 {$p0}" },
	{ "m7", "7: <<[$validate]>>" },
	{ "validate", "12 true 3 15" },
	{ "m9", "9: <<[$invoke]>>" },
	{ "invoke", "12 0 23 2" },
	{ "m16", "16: <<[$fetch]>>" },
	{ "fetch", "12 0 20 {21: 'coap://x/1'} 21 15 3 15" },
	{ "m20", "20: <<[$install]>>" },
	{ "install", "12 1 20 {21: 'coap://x/2'} 21 15 3 15 12 2 20 {22: 0} 22 15 3 15" },
	{ "payload1", "$image" },
	{ "payload2", "$image2" },
};
SCOPE(forge_three, three, &base);

/* M 7: the image for the slot that is free, by try-each; this device writes slot 1. */
static const struct edn_word ab[] = {
	{ "components", "[b'a']" },
	{ "image", "b'An image that is linked for slot zero.'" },
	{ "image2", "b'An image that is linked for the slot of number one.'" },
	{ "p0", "5: 0 3: <<[-16 hashof(-16 $image)]>> 14: sizeof($image)" },
	{ "s0", "3: <<[-16 hashof(-16 $image)]>> 5: 0 14: sizeof($image)" },
	{ "s1", "3: <<[-16 hashof(-16 $image2)]>> 5: 1 14: sizeof($image2)" },
	{ "share", "20 {$ids} 1 15 2 15 15 [<<[20 {$s0} 5 5]>> <<[20 {$s1} 5 5]>>]" },
	{ "m7", "7: <<[$validate]>>" },
	{ "validate", "3 15" },
	{ "m9", "9: <<[$invoke]>>" },
	{ "invoke", "23 2" },
	{ "m20", "20: <<[$install]>>" },
	{ "install", "15 [<<[20 {5: 0 21: 'coap://x/1'} 5 5]>> <<[20 {5: 1 21: 'coap://x/2'} 5 "
	             "5]>>] 21 15 3 15" },
	{ "payload1", "$image" },
	{ "payload2", "$image2" },
};
SCOPE(forge_ab, ab, &base);

/*
 * A dependent (k1) whose dependency (k2, its envelope integrated) installs a
 * component of its own. TD 5: index = number of components, with a prefix.
 */
static const struct edn_word dep[] = {
	{ "components", "[b'a']" },
	{ "deps", "1: {1: {1: [b'd']}}" },
	{ "image", "b'The dependent and its image.'" },
	{ "p0", "3: <<[-16 hashof(-16 $image)]>> 14: sizeof($image)" },
	{ "depenvelope", "sub(dep $envelope)" },
	{ "depdigest", "sub(dep $digest)" },
	{ "env", "'#dep': <<$depenvelope>>" },
	{ "share", "12 0 20 {$ids $p0} 1 15 2 15 12 1 20 {3: $depdigest}" },
	{ "m7", "7: <<[$validate]>>" },
	{ "validate", "12 0 3 15 12 1 7 15 11 15" },
	{ "m9", "9: <<[$invoke]>>" },
	{ "invoke", "12 1 7 15 11 15 12 0 23 2" },
	{ "m15", "15: <<[$resolve]>>" },
	{ "resolve", "12 1 20 {21: '#dep'} 21 15 7 15" },
	{ "m20", "20: <<[$install]>>" },
	{ "install", "12 1 7 15 11 15 12 0 20 {21: 'coap://x/1'} 21 15 3 15" },
	{ "payload1", "$image" },
	{ "payload2", "sub(dep $image)" },
	/* the dependency's own */
	{ "dep.components", "[b'b']" },
	{ "dep.deps", "" },
	{ "dep.env", "" },
	{ "dep.key", "'k2'" },
	{ "dep.unprot", "4: b'k2'" },
	{ "dep.image", "b'The image of the dependency.'" },
	{ "dep.p0", "3: <<[-16 hashof(-16 $image)]>> 14: sizeof($image)" },
	{ "dep.share", "20 {$ids $p0} 1 15 2 15" },
	{ "dep.m7", "7: <<[$validate]>>" },
	{ "dep.validate", "3 15" },
	{ "dep.m20", "20: <<[$install]>>" },
	{ "dep.install", "20 {21: 'coap://x/2'} 21 15 3 15" },
};
SCOPE(forge_dep, dep, &base);

static const struct edn_word severed[] = {
	{ "m20", "20: $d20" },
	{ "d20", "[-16 hash(-16 $s20)]" },
	{ "s20", "<<[$install]>>" },
	{ "m23", "23: $d23" },
	{ "d23", "[-16 hash(-16 $s23)]" },
	{ "s23", "<<$text>>" },
	{ "text", "{'en': {1: 'An update' [b'a']: {1: 'Example' 6: '2'}}}" },
	{ "env", "$e16 20: $s20 23: $s23" },
	{ "e16", "" },
};
SCOPE(forge_severed, severed, &forge_one);

/* FE: the content is written from the manifest, A128KW and A128GCM. */
static const struct edn_word encw[] = {
	{ "kek", "b'kek of the group'" },
	{ "cek", "b'cek cek cek cek '" },
	{ "iv", "b'twelve bytes'" },
	{ "encinfo", "<<96([$l0prot {$l0un} null [$recipients]])>>" },
	{ "l0prot", "<<{1: $calg}>>" },
	{ "calg", "1" },
	{ "l0un", "5: $iv" },
	{ "recipients", "[$rprot {$run} $wrapped]" },
	{ "rprot", "h''" },
	{ "run", "1: -3 4: b'kek'" },
	{ "wrapped", "wrap($kek $cek)" },
	{ "cipher", "gcm($cek $iv $image ['Encrypt' $l0prot h''])" },
	{ "install", "20 {18: $cipher 19: $encinfo} 18 15 3 15" },
};
SCOPE(forge_encw, encw, &forge_one);

/* FE: fetched into a place for ciphertext (digest over it), then copied; ECDH-ES and A128CTR. */
static const struct edn_word ence[] = {
	{ "components", "[b'a'] [b'b']" },
	{ "cek", "b'cek cek cek cek '" },
	{ "iv", "b'iv of 16 bytes !'" },
	{ "encinfo", "<<96([$l0prot {$l0un} null [$recipients]])>>" },
	{ "l0prot", "h''" },
	{ "calg", "-65534" },
	{ "l0un", "1: $calg 5: $iv" },
	{ "recipients", "[$rprot {$run} $wrapped]" },
	{ "rprot", "<<{1: -29}>>" },
	{ "run", "4: b'device' -1: pub(eph)" },
	{ "kekinfo",
	    "[-3 [null null null] [null null null] [128 $rprot b'SUIT Payload Encryption']]" },
	{ "wrapped", "wrap(kek(h'' $kekinfo) $cek)" },
	{ "cipher", "ctr($cek $iv $image)" },
	{ "share", "12 true 20 {$ids} 1 15 2 15 12 0 20 {$imgparams} "
	           "12 1 20 {3: <<[-16 hashof(-16 $cipher)]>> 14: sizeof($cipher)}" },
	{ "validate", "12 0 3 15" },
	{ "invoke", "12 0 23 2" },
	{ "install", "12 1 20 {21: $uri} 21 15 3 15 12 0 20 {19: $encinfo 22: 1} 22 15 3 15" },
	{ "payload1", "$cipher" },
};
SCOPE(forge_ence, ence, &forge_one);

struct edn_bytes
forge(const struct edn_scope *within, const struct edn_word *words, size_t count, const char *name)
{
	struct edn_scope scope = { words, count, within };
	char text[48];

	snprintf(text, sizeof text, "$%s", name);
	return edn_encode(&scope, text);
}
