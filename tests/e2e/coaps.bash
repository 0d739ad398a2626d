# SPDX-License-Identifier: Apache-2.0
# A constrained device's life with the three programs as they are: CoAP over
# DTLS, COSE vouchers, CBOR telemetry (issue 3, item 4; brski.md 13).
. "$(dirname "$0")/world.bash"

world() {
	want "a world" world_make || return
	read -r "PORT[coaps]" _ < <("$BIN/tests/e2e/e2e_tool" ports 1)
	conf site registrar "\tcoaps = \"127.0.0.1:${PORT[coaps]}\""
	want "MASA" up factory
	want "site" up site
	VIA=${PORT[coaps]}
	want "devices" devices C-1 C-2 C-3 C-4 C-5
	for d in C-1 C-2 C-3 C-4; do agent_conf "$d" 'transport = "coaps"'; done
	VIA=${PORT[site]} agent_conf C-5 'voucher = "cose"'
}
whole_run() {
	want "the agent joins over CoAPS" join C-1
	same "state" active "$(device_field C-1 state)"
	same "one certificate" "$(cert_serial C-1)" "$(cert_serials C-1)"
	want "status says where" grep -q '"registrar": *"coaps://127.0.0.1:' <(muster-agent --config "$W/devices/C-1/agent.conf" status --json)
}
openssl_verifies_ldevid() {
	want "openssl verify" openssl verify -x509_strict -purpose sslclient -CAfile "$W/site/ca.pem" "$(ldevid C-1)"
	openssl x509 -in "$(ldevid C-1)" -noout -subject -nameopt RFC2253,sname >"$W/subject" 2>&1
	want "the serial number is in the subject" grep -q 'serialNumber=C-1\b' "$W/subject"
}
# The same judge, inventory and trail as for HTTPS: design.md 3.5.
same_policy_same_trail() {
	local steps step
	steps=$(device_field C-1 'timeline[] | "\(.step) \(.outcome)"' | sort -u)
	for step in pvr voucher voucher-status audit enroll enrollstatus; do
		want "step $step in: $(echo $steps)" grep -q "^$step accepted" <<<"$steps"
	done
	same "no refusal in the timeline" "" "$(device_field C-1 'timeline[] | select(.outcome == "refused") | .step')"
	same "entries of the MASA" 1 "$(factory inventory log C-1 --json | jq 'length')"
}
voucher_is_cose() {
	device_field C-1 voucher | base64 -d >"$W/voucher.cose"
	muster inspect "$W/voucher.cose" --json >"$W/inspected" 2>&1
	same "kind" voucher "$(jq -r .kind "$W/inspected")"
	same "format" cose+cbor "$(jq -r .format "$W/inspected")"
	want "the pledge's verdict on it" muster voucher check "$W/voucher.cose" --anchor "$W/factory/voucher-ca.pem" --serial C-1
}
once_enrolled_stays() {
	local before
	before=$(cert_serial C-1)
	want "a second run" join C-1
	same "the same certificate" "$before" "$(cert_serial C-1)"
	same "no new voucher" 1 "$(factory inventory log C-1 --json | jq 'length')"
}
renewal() {
	local before
	before=$(cert_serial C-1)
	want "renew" agent C-1 renew --timeout 30
	want "another certificate" test "$before" != "$(cert_serial C-1)"
	want "openssl verify" openssl verify -CAfile "$W/site/ca.pem" "$(ldevid C-1)"
	same "still one voucher" 1 "$(factory inventory log C-1 --json | jq 'length')"
	same "state" active "$(device_field C-1 state)"
}
reset_and_again() {
	want "factory-reset" agent C-1 factory-reset
	want "fresh" test ! -e "$(ldevid C-1)"
	want "joins again" join C-1
	same "state" active "$(device_field C-1 state)"
	same "a second voucher" 2 "$(factory inventory log C-1 --json | jq 'length')"
}
# CO-3: 5.03 until a person decides, and the wait survives the daemon.
asked_while_pending() {
	trust_factory --mode ask
	agent C-2 --once --timeout 60 &
	local p=$!
	until_true 15 is_state C-2 pending || bad "state is $(device_field C-2 state)"
	want "the daemon ends well" down site
	want "the daemon starts again" up site
	want "still pending" is_state C-2 pending
	want "device accept" site device accept C-2 --reason "seen on the bench"
	wait $p
	same "the agent's end" 0 $?
	same "state" active "$(device_field C-2 state)"
	trust_factory --mode auto
}
refused_by_name() {
	trust_factory --mode listed
	agent C-3 --once --timeout 20
	same "the agent's end" 4 $?
	want "a CoAP code in its log" grep -q '"detail":"CoAP 4\.' "$W/devices/C-3/agent.log"
	want "nothing is stored" test ! -e "$(ldevid C-3)"
	trust_factory --mode auto
}
# The MASA is slow: its voucher comes as a separate answer (est.md M3).
masa_takes_its_time() {
	kill -STOP "${PID[factory]}"
	agent C-4 --once --timeout 30 &
	local p=$!
	sleep 3
	kill -CONT "${PID[factory]}"
	wait $p
	same "the agent's end" 0 $?
	same "one certificate" "$(cert_serial C-4)" "$(cert_serials C-4)"
}
# 13.6: COSE over HTTPS, telemetry in JSON.
cose_over_https() {
	want "the agent joins" join C-5
	same "state" active "$(device_field C-5 state)"
	device_field C-5 voucher | base64 -d >"$W/voucher5.cose"
	same "format" cose+cbor "$(muster inspect "$W/voucher5.cose" --json | jq -r .format)"
}

t a_world_with_coaps world
t 13.3_a_whole_run whole_run
t openssl_verifies_the_LDevID openssl_verifies_ldevid
t one_policy_for_all_wires same_policy_same_trail
t COSE-4_the_voucher voucher_is_cose
t 8.1-1_once_enrolled_stays once_enrolled_stays
t 13.4_renewal renewal
t factory_reset_and_again reset_and_again
t CO-3_pending_over_a_restart asked_while_pending
t CO-3_refused_by_name refused_by_name
t CO-6_a_slow_masa masa_takes_its_time
t 13.6_cose_over_https cose_over_https
finish
