# SPDX-License-Identifier: Apache-2.0
fuzz_target(pledge crypto-fake muster-core)
target_sources(fuzz_pledge PRIVATE ${CMAKE_SOURCE_DIR}/tests/unit/pledge/support_world.c)
