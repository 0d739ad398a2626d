fuzz_target(config server-config)
