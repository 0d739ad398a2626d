fuzz_target(fw_envelope suit-author)
