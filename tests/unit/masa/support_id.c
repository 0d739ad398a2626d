/* SPDX-License-Identifier: Apache-2.0 */
/* The certificates of the registrar tests. */
#include "tests/unit/registrar/support_id.c"
