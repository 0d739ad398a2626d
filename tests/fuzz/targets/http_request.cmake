# SPDX-License-Identifier: Apache-2.0
fuzz_target(http_request server-net)
