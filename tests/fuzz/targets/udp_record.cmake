# SPDX-License-Identifier: Apache-2.0
fuzz_target(udp_record server-proxy)
