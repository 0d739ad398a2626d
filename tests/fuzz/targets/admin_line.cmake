fuzz_target(admin_line server-admin)
# A fuzzer that may name files must not write any.
target_link_options(fuzz_admin_line PRIVATE -Wl,--wrap=store_backup -Wl,--wrap=store_verify)
