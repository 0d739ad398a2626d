# SPDX-License-Identifier: Apache-2.0
fuzz_target(grasp muster-core)
