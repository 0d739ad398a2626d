# SPDX-License-Identifier: Apache-2.0
# A device's way from IDevID to LDevID with the three programs as they are,
# and the ways on which it is refused.
. "$(dirname "$0")/world.bash"

whole_run() {
	want "the agent joins through the proxy" join D-1
	same "state" active "$(device_field D-1 state)"
	same "one certificate" "$(cert_serial D-1)" "$(cert_serials D-1)"
	want "status says enrolled" agent D-1 status --json
}
# The certificate stands without us.
openssl_verifies_ldevid() {
	want "openssl verify" openssl verify -x509_strict -purpose sslclient -CAfile "$W/site/ca.pem" "$(ldevid D-1)"
	openssl x509 -in "$(ldevid D-1)" -noout -subject -nameopt RFC2253,sname >"$W/subject" 2>&1
	want "the serial number is in the subject" grep -q 'serialNumber=D-1\b' "$W/subject"
}
# RFC 8366bis: id-ct-animaJSONVoucher, signed by the MASA; RFC 8995 5.6.1 pins the domain.
openssl_verifies_voucher() {
	device_field D-1 voucher | base64 -d >"$W/voucher.p7"
	want "openssl cms -verify" openssl cms -verify -binary -inform DER -in "$W/voucher.p7" -purpose any \
		-CAfile "$W/factory/voucher-ca.pem" -out "$W/voucher.json"
	same "serial-number" D-1 "$(jq -r '."ietf-voucher:voucher"."serial-number"' "$W/voucher.json")"
	same "assertion" proximity "$(jq -r '."ietf-voucher:voucher".assertion' "$W/voucher.json")"
	jq -r '."ietf-voucher:voucher"."pinned-domain-cert"' "$W/voucher.json" | base64 -d >"$W/pin.der"
	openssl x509 -in "$W/site/ca.pem" -outform DER -out "$W/ca.der"
	want "the pin is the site's CA" cmp "$W/pin.der" "$W/ca.der"
	want "content type" grep -q '1.2.840.113549.1.9.16.1.40' <(openssl cms -cmsout -print -inform DER -in "$W/voucher.p7" 2>/dev/null)
}
timeline_is_whole() {
	local steps step
	steps=$(device_field D-1 'timeline[] | "\(.step) \(.outcome)"' | sort -u)
	for step in pvr voucher voucher-status audit enroll enrollstatus; do
		want "step $step in: $(echo $steps)" grep -q "^$step accepted" <<<"$steps"
	done
	same "no refusal in the timeline" "" "$(device_field D-1 'timeline[] | select(.outcome == "refused") | .step')"
}
# design.md 5: one id in the logs of pledge, registrar and MASA and in the trail.
one_trace_follows() {
	local ids f
	ids=$(jq -rR 'fromjson? | select(.role == "pledge" and .serial == "D-1") | .trace' "$W/devices/D-1/agent.log" | sort -u)
	same "ids in the agent's log" 1 "$(wc -l <<<"$ids")"
	same "its form" 32 "$(tr -d '\n' <<<"$ids" | grep -cE '^[0-9a-f]{32}$' | sed 's/1/32/')"
	same "ids in the trail" "$ids" "$(device_field D-1 'timeline[] | select(.role != "admin" and .role != "ca") | .trace' | sort -u)"
	for f in site factory; do
		same "ids of its decisions in the log of the $f" "$ids" \
			"$(jq -rR 'fromjson? | select(.serial == "D-1" and .trace != null) | .trace' "$W/$f.log" | sort -u)"
	done
}
masa_logged_once() {
	same "entries" 1 "$(factory inventory log D-1 --json | jq 'length')"
	same "signed" true "$(factory inventory log D-1 --json | jq '.[0].signed')"
}
get() { curl -sS -o "$W/got" -w '%{http_code}' "http://127.0.0.1:$1$2"; }
operators_ports_answer() {
	local p
	for p in "${PORT[site_ops]}" "${PORT[factory_ops]}"; do
		same "healthz of $p" 200 "$(get "$p" /healthz)"
		same "readyz of $p" 200 "$(get "$p" /readyz)"
		same "metrics of $p" 200 "$(get "$p" /metrics)"
	done
	want "the MASA counts its voucher" grep -q '^muster_vouchers_issued_total.* 1$' "$W/got"
	same "metrics of the site" 200 "$(get "${PORT[site_ops]}" /metrics)"
	want "the site counts its certificate" grep -q '^muster_certificates_issued_total.* 1$' "$W/got"
	want "the site counts its devices" grep -Eq '^muster_devices\{.*state="active".*\} 1$' "$W/got"
}
once_enrolled_stays() {
	local before
	before=$(cert_serial D-1)
	want "a second run" join D-1
	same "the same certificate" "$before" "$(cert_serial D-1)"
	same "no new voucher" 1 "$(factory inventory log D-1 --json | jq 'length')"
}
# 202 until a person decides, and the wait survives the daemon (item 7).
asked_while_pending() {
	trust_factory --mode ask
	agent D-2 --once --timeout 60 &
	local p=$!
	until_true 15 is_state D-2 pending || bad "state is $(device_field D-2 state)"
	want "the daemon ends well" down site
	want "the daemon starts again" up site
	want "still pending" is_state D-2 pending
	want "device accept" site device accept D-2 --reason "seen on the bench"
	wait $p
	same "the agent's end" 0 $?
	same "state" active "$(device_field D-2 state)"
	trust_factory --mode auto
}
rejected_by_a_person() {
	trust_factory --mode ask
	agent D-3 --once --timeout 8 &
	local p=$!
	until_true 15 is_state D-3 pending || bad "state is $(device_field D-3 state)"
	want "device reject" site device reject D-3 --reason "not ours"
	wait $p
	same "the agent's end: refused" 4 $?
	want "factory-fresh" test ! -e "$(ldevid D-3)"
	same "no certificate" "" "$(cert_serials D-3)"
	same "no voucher" 0 "$(factory inventory log D-3 --json | jq length)"
	trust_factory --mode auto
}
# An IDevID with a good name, of another CA (RFC 8995 5.1: IDevID by its anchors).
forged_idevid() {
	local f=$W/devices/FORGED
	mkdir "$f"
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$f/ca.key" -out "$f/ca.pem" \
		-subj "/O=Acme Devices/CN=IDevID CA" -days 30 2>/dev/null
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$f/idevid.key" -out "$f/csr" \
		-subj "/O=Acme Devices/serialNumber=D-4" 2>/dev/null
	printf '1.3.6.1.5.5.7.1.32=ASN1:IA5STRING:127.0.0.1:%s\nkeyUsage=critical,digitalSignature\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n' \
		"${PORT[factory]}" >"$f/ext"
	openssl x509 -req -in "$f/csr" -CA "$f/ca.pem" -CAkey "$f/ca.key" -CAcreateserial -days 30 -extfile "$f/ext" -out "$f/idevid.pem" 2>/dev/null
	agent_conf FORGED
	join FORGED 3
	same "the agent's end: refused" 4 $?
	want "MU-2001 at the site" grep -q 'MU-2001' "$W/site.log"
	want "MU-2001 in the trail" grep -q 'MU-2001' <(site audit list --json)
	want "MU-2001 reached the device" grep -q 'MU-2001' "$f/agent.log"
	same "the MASA heard nothing" 0 "$(factory inventory log D-4 --json | jq length)"
}
renewal() {
	local before
	before=$(cert_serial D-1)
	openssl x509 -in "$(ldevid D-1)" -noout -subject >"$W/subject.before"
	want "muster-agent renew" agent D-1 renew
	[ "$before" != "$(cert_serial D-1)" ] || bad "the certificate is the old one"
	openssl x509 -in "$(ldevid D-1)" -noout -subject >"$W/subject.after"
	want "the same subject (RFC 7030 4.2.2)" cmp "$W/subject.before" "$W/subject.after"
	want "the CA knows it" grep -q "$(cert_serial D-1)" <(cert_serials D-1)
	same "two certificates" 2 "$(cert_serials D-1 | wc -l)"
}
revoked_is_refused() {
	local serial
	serial=$(cert_serial D-2)
	want "cert revoke" site cert revoke "$serial" --reason keyCompromise
	agent D-2 renew --timeout 3
	same "the agent's end: refused" 4 $?
	same "the old certificate stays" "$serial" "$(cert_serial D-2)"
	same "state" revoked "$(device_field D-2 state)"
	curl -sS --cacert "$W/site/ca.pem" "https://127.0.0.1:${PORT[site]}/crl/default.crl" -o "$W/crl"
	want "the CRL is the CA's" openssl crl -inform DER -in "$W/crl" -CAfile "$W/site/ca.pem" -noout
	want "the CRL names it" grep -qi "Serial Number: $serial" <(openssl crl -inform DER -in "$W/crl" -noout -text)
	openssl crl -inform DER -in "$W/crl" -out "$W/crl.pem"
	openssl verify -crl_check -CRLfile "$W/crl.pem" -CAfile "$W/site/ca.pem" "$(ldevid D-2)" >"$W/verify" 2>&1 && bad "openssl verify took it"
	want "and says why" grep -q 'certificate revoked' "$W/verify"
}
second_life() {
	local old
	old=$(cert_serial D-1)
	want "factory-reset" agent D-1 factory-reset
	want "nothing is left" test ! -e "$(ldevid D-1)"
	want "it joins again" join D-1
	same "both lives are in the log" 2 "$(factory inventory log D-1 --json | jq length)"
	same "active" active "$(device_field D-1 state)"
	want "the judge says so" test "$(device_field D-1 audit_verdict)" != bad
	same "the certificate of the first life" "revoked 4" "$(site cert show "$old" --json | jq -r '"\(.state) \(.revoke_reason)"')"
	want "the new one is another" test "$(cert_serial D-1)" != "$old"
}
jws_voucher() {
	sed -i '1i voucher = "jws"' "$W/devices/D-5/agent.conf"
	want "the agent joins with JWS" join D-5
	same "media type" application/voucher-jws+json "$(device_field D-5 media)"
	same "state" active "$(device_field D-5 state)"
	device_field D-5 voucher | base64 -d >"$W/voucher.jws"
	same "general JSON serialization" array "$(jq -r '.signatures | type' "$W/voucher.jws")"
}
blocked_at_the_factory() {
	want "inventory set --block" factory inventory set D-6 --block --reason stolen
	join D-6 3
	same "the agent's end: refused" 4 $?
	same "no voucher" 0 "$(factory inventory log D-6 --json | jq length)"
	same "no certificate" "" "$(cert_serials D-6)"
}
what_a_person_reads() {
	site manufacturer show acme >"$W/shown"
	want "a line each" grep -qE '^name +acme$' "$W/shown"
	want "certificates counted" grep -qE '^anchors +1 certificate ' "$W/shown"
	! grep -q 'BEGIN' "$W/shown" || bad "a certificate for people"
	want "all of it for programs" grep -q 'BEGIN CERTIFICATE' <(site manufacturer show acme --json | jq -r .anchors)
	site config check "$W/site/muster.conf" >"$W/shown"
	want "a good one" grep -q ': good$' "$W/shown"
	! grep -q 'not there' "$W/shown" || bad "$(cat "$W/shown")"
	sed 's/registrar.pem/elsewhere.pem/' "$W/site/muster.conf" >"$W/site/other.conf"
	muster config check "$W/site/other.conf" >"$W/shown"
	same "what is missing is named" "not there: $W/site/elsewhere.pem" "$(grep 'not there' "$W/shown")"
	same "status" "musterd $(site status --json | jq -r .version): registrar" "$(site status | head -1)"
}
trails_hold() {
	local n
	for n in site factory; do
		want "backup of the $n" "$n" backup create "$W/$n.backup"
		want "its hash chains" "$n" backup verify "$W/$n.backup"
	done
}
stops_well() {
	local n
	for n in proxy site factory; do
		down "$n"
		same "$n ends with" 0 $?
	done
}
# What the command line says when the daemon cannot even start is for people.
daemon_that_cannot_start() {
	mkdir "$W/wrong"
	sed -e "s#registrar.key#$W/site/ca.key#; s#\"\([a-z]*\.\(pem\|key\)\)\"#\"$W/site/\1\"#" "$W/site/muster.conf" >"$W/wrong/muster.conf"
	muster status --config "$W/wrong/muster.conf" >"$W/wrong/out" 2>&1
	same "exit: unreachable" 6 $?
	want "by its name" grep -q 'MU-5003 .*does not belong' "$W/wrong/out"
	! grep -q '"time"' "$W/wrong/out" || bad "a line of the log: $(cat "$W/wrong/out")"
}
# Never a key, nonce, or whole message (design.md section 5).
logs_keep_secrets() {
	local d nonce f
	cat "$W"/*.log "$W"/devices/*/agent.log >"$W/all"
	for d in D-1 D-2 D-5; do
		sqlite3 -readonly "$W/site/state/muster.db" "select hex(nonce) from exchange where nonce is not null and device = (select id from device where cast(serial as text) = '$d')" >"$W/nonces"
		[ -s "$W/nonces" ] || bad "no nonce to look for ($d)"
		while read -r nonce; do
			printf '%s' "$nonce" | xxd -r -p | base64 -w0 | tr -d = >"$W/nonce64"
			! grep -qi "$nonce" "$W/all" || bad "a nonce of $d in hexadecimal"
			! grep -qF "$(cat "$W/nonce64")" "$W/all" || bad "a nonce of $d in base64"
		done <"$W/nonces"
	done
	for f in "$W"/*/*.key "$W"/devices/*/*.key; do
		! grep -qF "$(sed -n 2p "$f")" "$W/all" || bad "key $f"
	done
	! grep -q 'PRIVATE KEY' "$W/all" || bad "a private key"
	! grep -qE '[A-Za-z0-9+/]{400}' "$W/all" || bad "a whole message"
}

t a_world_is_made world_make
[ "$FAILED" = 0 ] || finish
devices D-1 D-2 D-3 D-4 D-5 D-6 || bad devices
daemons_start() { want "MASA" up factory && want "site" up site && want "proxy" up proxy; }
t daemons_start daemons_start
if [ "$FAILED" != 0 ]; then tail -5 "$W"/*.log; finish; fi
t whole_run_through_the_proxy whole_run
[ "$FAILED" = 0 ] || tail -n 20 "$W"/*.log "$W/devices/D-1/agent.log"
t openssl_verifies_the_ldevid openssl_verifies_ldevid
t openssl_verifies_the_voucher openssl_verifies_voucher
t the_timeline_is_whole timeline_is_whole
t one_trace_follows_the_device one_trace_follows
t the_masa_logged_one_voucher masa_logged_once
t metrics_healthz_readyz_answer operators_ports_answer
t once_enrolled_never_brski_again once_enrolled_stays
t pending_survives_a_restart_then_accepted asked_while_pending
t rejected_by_a_person rejected_by_a_person
t forged_idevid_refused_MU_2001 forged_idevid
t blocked_at_the_factory blocked_at_the_factory
t renewal_with_a_new_key renewal
t revoked_certificate_renews_nothing revoked_is_refused
t factory_reset_and_second_bootstrap second_life
t jws_voucher jws_voucher
t what_a_person_reads what_a_person_reads
t backups_verify trails_hold
t daemons_end_well stops_well
t a_daemon_that_cannot_start_is_told_in_words daemon_that_cannot_start
t logs_hold_no_nonce_key_or_message logs_keep_secrets
finish
