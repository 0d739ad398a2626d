fuzz_target(jws host)
