fuzz_target(fw_description suit-author)
