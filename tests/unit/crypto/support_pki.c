/* SPDX-License-Identifier: Apache-2.0 */
/* The same helpers as in tests/unit/host, for the programs of this folder. */
#include "unit/host/support_pki.c"
