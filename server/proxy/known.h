/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_PROXY_KNOWN_H
#define SERVER_PROXY_KNOWN_H

#include "host/discovery/disco.h"

/*
 * Registrars that a join proxy, for TCP or for UDP, knows at a time: all that
 * discovery has found, which tells of each once, and the configured ones. Who
 * announces many can so not push out one that is good.
 */
#define PROXY_KNOWN (DISCO_FOUND_MAX + 4)

#endif
