# SPDX-License-Identifier: Apache-2.0
fuzz_target(suit_processor crypto-fake muster-core)
target_sources(fuzz_suit_processor PRIVATE ${CMAKE_CURRENT_SOURCE_DIR}/suit_tree.c)
if(MUSTER_FUZZ)
	target_compile_definitions(fuzz_suit_processor PRIVATE MUSTER_FUZZING)
endif()
