/* SPDX-License-Identifier: Apache-2.0 */
/* The TLS client of the net tests. */
#include "unit/net/support_net.c"
