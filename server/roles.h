/* SPDX-License-Identifier: Apache-2.0 */
/* The roles of one configuration, put together and taken apart again. */
#ifndef SERVER_ROLES_H
#define SERVER_ROLES_H

#include "server/config/config.h"

enum roles_mode {
	ROLES_SERVE, /* listen on everything */
	ROLES_ADMIN, /* no listener: one control channel on the standard streams */
};

struct roles;
/*
 * Forks the key process first (it must not inherit threads or sockets), then
 * opens the database, then builds the roles, then listens. A refusal has been
 * logged with its words.
 */
MST_MUST_USE mst_err roles_start(const struct config *c, enum roles_mode mode, struct roles **out);
/* Until roles_stop; ROLES_ADMIN: until standard input ends. */
MST_MUST_USE mst_err roles_run(struct roles *r);
void roles_stop(struct roles *r); /* any thread */
void roles_free(struct roles *r);
int roles_key_pid(const struct roles *r);

#endif
