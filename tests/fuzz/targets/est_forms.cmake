fuzz_target(est_forms crypto-openssl)
