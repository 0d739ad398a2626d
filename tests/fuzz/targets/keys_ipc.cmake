# SPDX-License-Identifier: Apache-2.0
fuzz_target(keys_ipc server-keys)
