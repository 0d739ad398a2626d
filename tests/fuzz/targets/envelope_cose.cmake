fuzz_target(envelope_cose host)
