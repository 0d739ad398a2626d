/* SPDX-License-Identifier: Apache-2.0 */
/* The small PKI of the keys tests, for the site's CAs. */
#include "unit/keys/support_pki.c"
