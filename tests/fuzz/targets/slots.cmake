fuzz_target(slots muster-core)
