fuzz_target(update_keys agent)
