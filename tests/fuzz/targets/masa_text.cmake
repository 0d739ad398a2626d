fuzz_target(masa_text server-masa)
