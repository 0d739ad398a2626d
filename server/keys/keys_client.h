/* SPDX-License-Identifier: Apache-2.0 */
/* What keys.c lends to the clients. */
#ifndef SERVER_KEYS_CLIENT_H
#define SERVER_KEYS_CLIENT_H

#include "server/keys/keys.h"

/* A socket to the key process, from the pool. MST_E_SPACE when all are taken, MST_E_KEY_GONE when
 * none is left. */
MST_MUST_USE mst_err keys_socket_take(struct keys *k, int *fd);
/* Back to the pool; a socket that saw an error or has answers outstanding is closed instead. */
enum keys_socket { KEYS_SOCKET_IDLE, KEYS_SOCKET_SPOILT };
void keys_socket_give(struct keys *k, int fd, enum keys_socket state);

#endif
