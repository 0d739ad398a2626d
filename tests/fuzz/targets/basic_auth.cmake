fuzz_target(basic_auth host)
