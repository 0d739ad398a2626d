/* SPDX-License-Identifier: Apache-2.0 */
/* fw sign, countersign, digest, attach, encrypt, keygen: what needs keys. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <sys/stat.h>

#include "cli/cmd_fw.h"
#include "host/file.h"
#include "host/suit/suit_keys.h"
#include "host/suit/suit_lint.h"
#include "host/suit/suit_sign.h"
#include "host/suit_words.h"

#define IMAGE_BYTES (1u << 30)

int
fw_algorithm(struct cli *c, int32_t *alg)
{
	const char *word = cli_option(c, "algorithm");
	const struct suit_word *w;

	if (word == NULL)
		return CLI_OK;
	if ((w = suit_word_find(SUIT_LIST_ALGORITHM, mst_span_str(word))) == NULL)
		return cli_fail(c, CLI_USAGE,
		    "--algorithm %s is not known: es256, ed25519, hss-lms, hmac-256 ... to sign; "
		    "a128gcm, a128ctr ... to encrypt",
		    word);
	*alg = (int32_t)w->number;
	return CLI_OK;
}

int
fw_open_keys(struct cli *c, const char *option, fw_opener open, struct fw_keys *k)
{
	const char *text, *word;
	mst_span kid;
	mst_err e;

	k->count = 0;
	while ((text = cli_option_at(c, option, k->count)) != NULL) {
		if (k->count == FW_KEYS_MAX)
			return cli_fail(c, CLI_USAGE, "at most %d --%s", FW_KEYS_MAX, option);
		if ((e = suit_key_named(c->a, text, &kid, &word)) != MST_OK ||
		    (e = open(c->a, word, &k->key[k->count])) != MST_OK)
			return fw_refuse(c, e);
		if (kid.ptr != NULL)
			k->key[k->count].kid = kid;
		k->count++;
	}
	return CLI_OK;
}

void
fw_close_keys(struct fw_keys *k)
{
	for (size_t i = 0; i < k->count; i++)
		suit_key_close(&k->key[i]);
	k->count = 0;
}

/* Each --cert belongs to the key that it certifies. */
static int
certify(struct cli *c, struct fw_keys *l)
{
	const char *path;

	for (size_t n = 0; (path = cli_option_at(c, "cert", n)) != NULL; n++) {
		mst_err e = MST_E_KEY_MISMATCH;

		for (size_t i = 0; e == MST_E_KEY_MISMATCH && i < l->count; i++)
			e = suit_key_certify(c->a, &l->key[i], path);
		if (e != MST_OK)
			return fw_refuse(c, e);
	}
	return CLI_OK;
}

/* --- sign, countersign --- */

/* What devices would refuse is not signed; who signs has looked (M 8.3, RFC 9124 MFST.CHECK). */
static int
judge(struct cli *c, const struct suit_envelope *env)
{
	struct suit_lint_want want = { .before = MST_NONE };
	struct suit_lint lint;
	mst_span bytes;
	mst_err e;

	if ((e = suit_envelope_covers(env)) != MST_OK ||
	    (e = suit_envelope_write(c->a, env, &bytes)) != MST_OK ||
	    (e = suit_lint(c->a, bytes, &want, &lint)) != MST_OK)
		return fw_refuse(c, e);
	if (lint.errors == 0)
		return CLI_OK;
	fw_print_findings(c, stderr, &lint);
	return cli_refuse(c, MST_E_FW_LINT, "it is not signed");
}

static int
add_blocks(struct cli *c, struct suit_envelope *env, const struct fw_keys *keys)
{
	const char *form = cli_option(c, "form");
	struct suit_signing s = { .form = SUIT_SIGN_EACH };
	int code = fw_algorithm(c, &s.alg);
	mst_err e;

	if (code != CLI_OK)
		return code;
	if (form != NULL && strcmp(form, "sign") == 0)
		s.form = SUIT_SIGN_TOGETHER;
	else if (form != NULL && strcmp(form, "mac") == 0)
		s.form = SUIT_SIGN_MAC_FOR;
	else if (form != NULL && strcmp(form, "sign1") != 0 && strcmp(form, "mac0") != 0)
		return cli_fail(c, CLI_USAGE, "--form is sign1, sign, mac0 or mac");
	s.keys = keys->key;
	s.count = keys->count;
	if ((e = suit_sign(c->a, &s, env)) != MST_OK)
		return fw_refuse(c, e);
	return CLI_OK;
}

static int
sign(struct cli *c, bool counter)
{
	const char *form = cli_option(c, "form");
	fw_opener open =
	    form != NULL && strcmp(form, "mac") == 0 ? suit_key_public : suit_key_private;
	struct suit_envelope *env;
	struct fw_keys keys;
	int code = fw_envelope(c, c->argv[0], &env);

	if (code != CLI_OK)
		return code;
	if (cli_option(c, "key") == NULL)
		return cli_fail(c, CLI_USAGE, "with which key? give --key KEY");
	if (counter && env->block_count == 0)
		return cli_refuse(c, MST_E_NOT_FOUND,
		    "nobody has signed this envelope: muster fw sign is for the first");
	if (!counter && env->block_count > 0 && !cli_flag(c, "replace"))
		return cli_refuse(c, MST_E_CONFLICT,
		    "it is signed: muster fw countersign adds to that, --replace drops it");
	if (!counter)
		env->block_count = 0;
	if ((code = judge(c, env)) != CLI_OK)
		return code;
	code = fw_open_keys(c, "key", open, &keys);
	if (code == CLI_OK)
		code = certify(c, &keys);
	if (code == CLI_OK)
		code = add_blocks(c, env, &keys);
	fw_close_keys(&keys);
	return code == CLI_OK ? fw_write_envelope(c, env) : code;
}

int
fw_sign(struct cli *c)
{
	return sign(c, false);
}

int
fw_countersign(struct cli *c)
{
	return sign(c, true);
}

const struct cli_option fw_sign_options[] = {
	{ "key", "[KID=]KEY",
	    "a PEM file, pkcs11:..., hss:PATH, secret:PATH or cose:PATH; may be given several "
	    "times" },
	{ "cert", "FILE",
	    "the certificate of a --key, with its chain, in PEM: goes with the signature, for "
	    "devices that have its anchor; may be given several times" },
	{ "algorithm", "WORD",
	    "es256, esp256, ed25519, eddsa, es384, es512, hss-lms, hmac-256 ...; else the key's "
	    "usual "
	    "one" },
	{ "form", "WORD",
	    "sign1 or mac0: a block for each key (default); sign: one COSE_Sign of all; mac: one "
	    "COSE_Mac for the holders of these secrets" },
	{ "replace", NULL, "sign: drop the blocks that are there" },
	{ "out", "FILE", "the new envelope; - is standard output" },
	{ NULL, NULL, NULL },
};

/* --- offline: digest, attach --- */

static int
print_digest(struct cli *c, const struct suit_envelope *env, mst_span tbs)
{
	struct suit_digest_texts t;
	mst_err e = suit_sign_texts(c->a, env, tbs, &t);

	if (e != MST_OK)
		return fw_refuse(c, e);
	if (c->json)
		return cli_print_json(
		    c, json_pack("{s:s,s:s,s:s,s:s}", "digest", t.digest, "payload", t.payload,
		           "tbs", t.tbs, "tbs_sha256", t.tbs_sha256));
	printf("digest      %s\npayload     %s\ntbs         %s\ntbs sha256  %s\n", t.digest,
	    t.payload, t.tbs, t.tbs_sha256);
	return CLI_OK;
}

int
fw_digest(struct cli *c)
{
	struct suit_envelope *env;
	int32_t alg = 0;
	mst_span tbs;
	int code;
	mst_err e;

	if ((code = fw_algorithm(c, &alg)) != CLI_OK ||
	    (code = fw_envelope(c, c->argv[0], &env)) != CLI_OK || (code = judge(c, env)) != CLI_OK)
		return code;
	if (alg == 0)
		return cli_fail(
		    c, CLI_USAGE, "for which signature? give --algorithm es256 or another");
	if ((e = cose_author_tbs(c->a, alg, env->digest, &tbs)) != MST_OK)
		return cli_refuse(c, e, "--algorithm is one of signatures");
	if (cli_option(c, "out") != NULL)
		return fw_write(c, tbs);
	return print_digest(c, env, tbs);
}

const struct cli_option fw_digest_options[] = {
	{ "algorithm", "WORD", "of the signature that will be made elsewhere: es256, ed25519 ..." },
	{ "out", "FILE", "the bytes to be signed; - is standard output" },
	{ NULL, NULL, NULL },
};

static int
make_block(struct cli *c, const struct suit_key *anchor, mst_span *block)
{
	const char *file = cli_option(c, "block"), *signature = cli_option(c, "signature");
	mst_span bytes;
	int32_t alg = 0;
	int code;
	mst_err e;

	if ((file == NULL) == (signature == NULL))
		return cli_fail(c, CLI_USAGE, "give --signature FILE, or --block FILE");
	if ((code = fw_algorithm(c, &alg)) != CLI_OK ||
	    (code = fw_read(c, file != NULL ? file : signature, &bytes)) != CLI_OK)
		return code;
	if (file != NULL) {
		*block = bytes;
		return CLI_OK;
	}
	e = suit_sign_block(c->a, anchor, alg, bytes, block);
	return e == MST_OK ? CLI_OK : fw_refuse(c, e);
}

int
fw_attach(struct cli *c)
{
	struct suit_envelope *env;
	struct fw_keys anchors;
	mst_span block;
	int code;
	mst_err e = MST_OK;

	if ((code = fw_envelope(c, c->argv[0], &env)) != CLI_OK || (code = judge(c, env)) != CLI_OK)
		return code;
	if (cli_option(c, "anchor") == NULL)
		return cli_fail(c, CLI_USAGE,
		    "whose signature? give --anchor KEY: what does not verify is not attached");
	code = fw_open_keys(c, "anchor", suit_key_public, &anchors);
	if (code == CLI_OK)
		code = make_block(c, &anchors.key[0], &block);
	if (code == CLI_OK && (e = suit_envelope_attach(env, block)) != MST_OK)
		code = fw_refuse(c, e);
	if (code == CLI_OK && !suit_key_verifies(c->a, &anchors.key[0], env->digest, block))
		code = cli_refuse(c, MST_E_COSE_SIGNATURE, "nothing is attached");
	fw_close_keys(&anchors);
	return code == CLI_OK ? fw_write_envelope(c, env) : code;
}

const struct cli_option fw_attach_options[] = {
	{ "signature", "FILE", "raw, or of ECDSA in DER as most tools write it" },
	{ "block", "FILE", "instead: a whole COSE_Sign1, COSE_Sign, COSE_Mac0 or COSE_Mac" },
	{ "anchor", "[KID=]KEY", "the public key that verifies it; KID becomes the block's" },
	{ "algorithm", "WORD", "the one that was given to fw digest; else the key's usual one" },
	{ "out", "FILE", "the new envelope; - is standard output" },
	{ NULL, NULL, NULL },
};

/* --- encrypt --- */

static int
encrypt(struct cli *c, const struct fw_keys *whom, mst_span image)
{
	int32_t alg = MST_SUIT_A128GCM;
	mst_span info, ciphertext;
	int code = fw_algorithm(c, &alg);
	mst_err e;

	if (code != CLI_OK)
		return code;
	if ((e = suit_encrypt(c->a, alg, whom->key, whom->count, image, &ciphertext, &info)) !=
	    MST_OK)
		return fw_refuse(c, e);
	/* info last: whoever finds it finds its ciphertext, too */
	if ((code = fw_write_file(c, cli_option(c, "out"), ciphertext)) != CLI_OK)
		return code;
	return fw_write_file(c, cli_option(c, "info"), info);
}

int
fw_encrypt(struct cli *c)
{
	struct fw_keys whom;
	mst_span image;
	int code;
	mst_err e;

	if (cli_option(c, "for") == NULL)
		return cli_fail(c, CLI_USAGE, "for whom? give --for KEY of each device or group");
	if (cli_option(c, "out") == NULL || cli_option(c, "info") == NULL)
		return cli_fail(c, CLI_USAGE,
		    "where to? give --out FILE for the ciphertext and --info FILE for how to "
		    "decrypt it");
	if ((e = file_read(c->a, c->argv[0], IMAGE_BYTES, &image)) != MST_OK)
		return cli_refuse(c, e, file_why());
	code = fw_open_keys(c, "for", suit_key_public, &whom);
	if (code == CLI_OK)
		code = encrypt(c, &whom, image);
	fw_close_keys(&whom);
	return code;
}

const struct cli_option fw_encrypt_options[] = {
	{ "for", "[KID=]KEY",
	    "a device's public key or certificate (P-256, X25519), or secret:PATH of 16 or 32 "
	    "bytes; "
	    "up to 8" },
	{ "algorithm", "WORD",
	    "a128gcm (default), a256gcm, chacha20-poly1305, a128ctr or a256ctr" },
	{ "out", "FILE", "the ciphertext: what devices fetch" },
	{ "info", "FILE", "parameter encryption-info, for encryption-info=file:FILE" },
	{ NULL, NULL, NULL },
};

/* --- keygen --- */

int
fw_keygen(struct cli *c)
{
	const char *word = cli_option(c, "algorithm"), *out = cli_option(c, "out");
	const char *public_path = cli_option(c, "public"), *height = cli_option(c, "height");
	enum suit_key_kind kind;
	mst_err e;

	if (word == NULL || !suit_key_kind_find(word, &kind))
		return cli_fail(c, CLI_USAGE,
		    "--algorithm is es256, es384, es512, ed25519, hss-lms, hmac-256, ecdh, x25519, "
		    "a128kw or a256kw");
	if (out == NULL)
		return cli_fail(c, CLI_USAGE, "where to? give --out FILE");
	if (public_path != NULL && (kind == SUIT_MAKE_SECRET16 || kind == SUIT_MAKE_SECRET32))
		return cli_fail(c, CLI_USAGE, "a secret has no public half");
	if (public_path != NULL && access(public_path, F_OK) == 0)
		return cli_refuse(c, MST_E_CONFLICT, public_path);
	e = suit_key_make(c->a, kind, height != NULL ? height : "10", out, public_path);
	return e == MST_OK ? CLI_OK : fw_refuse(c, e);
}

const struct cli_option fw_keygen_options[] = {
	{ "algorithm", "WORD",
	    "es256, es384, es512, ed25519, hss-lms, hmac-256 to sign; ecdh, x25519, a128kw, a256kw "
	    "to "
	    "encrypt for" },
	{ "out", "FILE", "the private key or secret, for its owner only" },
	{ "public", "FILE", "the public half: PEM, of HSS-LMS a COSE_Key" },
	{ "height", "H[,H]", "HSS-LMS: 2^H signatures (10); 5,5 is quick and has as many" },
	{ NULL, NULL, NULL },
};
