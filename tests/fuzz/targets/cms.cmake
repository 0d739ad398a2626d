fuzz_target(cms host)
