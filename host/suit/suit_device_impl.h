/* SPDX-License-Identifier: Apache-2.0 */
/* Between suit_device.c and suit_device_conf.c only. */
#ifndef HOST_SUIT_SUIT_DEVICE_IMPL_H
#define HOST_SUIT_SUIT_DEVICE_IMPL_H

#include "host/suit/suit_device.h"

/* Everything but components and identifiers. */
void suit_device_init(struct arena *a, struct suit_device *d);

#endif
