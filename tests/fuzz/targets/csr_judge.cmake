fuzz_target(csr_judge server-est)
