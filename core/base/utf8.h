/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MUSTER_CORE_UTF8_H
#define MUSTER_CORE_UTF8_H

#include "muster/span.h"

/* Valid UTF-8 (RFC 3629 4): no overlong form, no surrogate, nothing above U+10FFFF. */
bool mst_utf8_ok(mst_span text);

#endif
