fuzz_target(voucher_json host)
