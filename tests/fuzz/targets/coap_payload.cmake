# SPDX-License-Identifier: Apache-2.0
fuzz_target(coap_payload server-net)
