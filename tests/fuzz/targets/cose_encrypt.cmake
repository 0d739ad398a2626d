# SPDX-License-Identifier: Apache-2.0
fuzz_target(cose_encrypt muster-core)
