/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where stack is counted (tools/size): a function that keeps its frame to
 * itself, so that what it needs is not held by its caller through other calls.
 */
#ifndef MUSTER_CORE_FRAME_H
#define MUSTER_CORE_FRAME_H

#define MST_OWN_FRAME __attribute__((noinline))

#endif
