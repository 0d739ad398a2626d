fuzz_target(telemetry host)
