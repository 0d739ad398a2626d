fuzz_target(audit_log host)
