/* SPDX-License-Identifier: Apache-2.0 */
/* What the verbs of fw share. */
#ifndef CLI_CMD_FW_H
#define CLI_CMD_FW_H

#include <stdio.h>

#include "cli/cli.h"
#include "host/suit/suit_keys.h"
#include "host/suit_envelope.h"

/* Each refuses by itself: an exit code with words said, or CLI_OK. */

/* A file, "-" for standard input. */
int fw_read(struct cli *c, const char *path, mst_span *bytes);
int fw_envelope(struct cli *c, const char *path, struct suit_envelope **env);
/* To --out, whole or not at all; "-" or none is standard output, never a terminal. */
int fw_write(struct cli *c, mst_span bytes);
int fw_write_file(struct cli *c, const char *path, mst_span bytes);
int fw_write_envelope(struct cli *c, const struct suit_envelope *env);
/* The refusal with this room's words. */
int fw_refuse(const struct cli *c, mst_err e);
/* --algorithm; *alg stays as it is when it was not given. */
int fw_algorithm(struct cli *c, int32_t *alg);
/* All of one option, each perhaps as KID=KEY; to be closed even after a refusal. */
#define FW_KEYS_MAX 16
struct fw_keys {
	struct suit_key key[FW_KEYS_MAX];
	size_t count;
};
typedef mst_err (*fw_opener)(struct arena *a, const char *word, struct suit_key *out);
int fw_open_keys(struct cli *c, const char *option, fw_opener open, struct fw_keys *k);
void fw_close_keys(struct fw_keys *k);
/* Findings on standard error, or as JSON. */
struct suit_lint;
json_t *fw_findings(const struct suit_lint *lint);
void fw_print_findings(struct cli *c, FILE *f, const struct suit_lint *lint);
/* An array of commands: each in its file. */
int fw_create(struct cli *c);
int fw_sign(struct cli *c);
int fw_countersign(struct cli *c);
int fw_digest(struct cli *c);
int fw_attach(struct cli *c);
int fw_encrypt(struct cli *c);
int fw_keygen(struct cli *c);
int fw_dry_run(struct cli *c);
int fw_report(struct cli *c);
extern const struct cli_option fw_create_options[], fw_sign_options[], fw_attach_options[],
    fw_digest_options[], fw_encrypt_options[], fw_keygen_options[], fw_dry_run_options[],
    fw_report_options[];
extern const char fw_create_text[];

#endif
