fuzz_target(agent_config agent)
