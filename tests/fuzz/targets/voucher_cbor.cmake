# SPDX-License-Identifier: Apache-2.0
fuzz_target(voucher_cbor muster-core)
