/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The demo's attacker: a TLS server (the openssl program's s_server) with a
 * registrar certificate of its own making, which answers a pledge with
 * whatever voucher the attacker could get hold of.
 */
#ifndef CLI_IMPOSTOR_H
#define CLI_IMPOSTOR_H

#include "cli/lab.h"

enum impostor_trick {
	IMPOSTOR_REPLAY, /* the voucher of an earlier, real bootstrap */
	IMPOSTOR_OTHER_PIN, /* a fresh voucher with the right nonce that pins the real site */
};
/*
 * Let one device meet the impostor. old_voucher: DER, for REPLAY. *code gets
 * the name under which the device refuses ("MU-1207"), "" when it did not.
 * False with lab->why when the stage could not be set.
 */
bool impostor_meet(struct lab *l, enum impostor_trick trick, const char *device,
    mst_span old_voucher, const char **code);

#endif
