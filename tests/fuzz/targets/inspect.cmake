fuzz_target(inspect host)
