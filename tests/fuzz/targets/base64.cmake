# SPDX-License-Identifier: Apache-2.0
fuzz_target(base64 muster-core)
