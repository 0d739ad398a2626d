/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A caller's bug ends the program: core has no abort() to call, the compiler's
 * trap needs no library. Never for anything that input can bring about.
 */
#ifndef MUSTER_CORE_ASSERT_H
#define MUSTER_CORE_ASSERT_H

#define MST_ASSERT(condition) ((condition) ? (void)0 : __builtin_trap())

#endif
