# SPDX-License-Identifier: Apache-2.0
fuzz_target(suit_report crypto-fake muster-core)
