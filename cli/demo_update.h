/* SPDX-License-Identifier: Apache-2.0 */
/* The demo's chapter of firmware: what an enrolled device takes, and what it refuses. */
#ifndef CLI_DEMO_UPDATE_H
#define CLI_DEMO_UPDATE_H

#include "cli/lab.h"

/*
 * The device, enrolled, gets an update section in its configuration and image
 * 1 from the factory; then version 2 is signed, served and installed, a sick
 * version 3 reverts, a downgrade and a tampered severed section are refused.
 * say: how the demo tells a step and how long it took (0: no time). False with
 * lab->why.
 */
bool demo_update(struct lab *l, const char *device,
    void (*say)(int64_t since_us, const char *fmt, ...) __attribute__((format(printf, 2, 3))));

#endif
