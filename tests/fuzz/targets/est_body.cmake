fuzz_target(est_body host)
