# SPDX-License-Identifier: Apache-2.0
fuzz_target(cose_auth muster-core)
