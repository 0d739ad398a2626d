# SPDX-License-Identifier: Apache-2.0
fuzz_target(coap_session server-net)
