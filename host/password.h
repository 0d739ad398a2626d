/* SPDX-License-Identifier: Apache-2.0 */
/* Passwords of HTTP Basic (RFC 7617), kept as "pbkdf2-sha256$ROUNDS$SALT$HASH" (RFC 8018 5.2). */
#ifndef HOST_PASSWORD_H
#define HOST_PASSWORD_H

#include "host/arena.h"

/* 1..1024 bytes (MST_E_USAGE). Takes about a tenth of a second. MST_E_RANDOM, MST_E_NOMEM. */
MST_MUST_USE mst_err password_hash(struct arena *a, mst_span password, const char **out);
/*
 * MST_E_HTTP_AUTH unless the password is the one that was hashed. The time
 * does not tell how much of it was right; stored NULL (an unknown user) costs
 * what a known one costs, and is refused.
 */
MST_MUST_USE mst_err password_verify(mst_span password, const char *stored);
/* True when stored has the form above, within bounds that protect the verifier. */
bool password_stored_ok(const char *stored);
/*
 * "Basic <base64 of user:password>". The user may be empty (RFC 7030 3.2.3),
 * neither may have control characters (RFC 7617 2). Both lie in the arena, the
 * password until the caller wipes it. MST_E_HTTP_AUTH.
 */
MST_MUST_USE mst_err password_basic(
    struct arena *a, const char *authorization, mst_span *user, mst_span *password);

#endif
