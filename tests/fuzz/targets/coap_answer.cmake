fuzz_target(coap_answer agent)
