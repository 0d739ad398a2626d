# SPDX-License-Identifier: Apache-2.0
# What must hold after a fault, whatever it was: for kills.bash and faults.bash,
# behind world.bash. LOSSES counts acknowledged things that are gone.
LOSSES=0 NEXT=1 USED=()

lost() {
	LOSSES=$((LOSSES + 1))
	bad "lost: $*"
}
take_device() {
	D=K-$(printf %03d $NEXT)
	NEXT=$((NEXT + 1))
	USED+=("$D")
}
# The agent, until it is through.
through() {
	local i
	for i in 1 2 3 4 5; do
		join "$1" 20 && return 0
	done
	bad "$1 does not get through: $(tail -1 "$W/devices/$1/agent.log")"
	return 1
}

# Issue 2, item 21: it is enrolled or factory-fresh, nothing else.
whole_or_nothing() {
	local s
	s=$(muster-agent --config "$W/devices/$1/agent.conf" status --json 2>/dev/null | jq -r '"\(.state) \(.health)"')
	case $s in
	"enrolled ok" | "active ok") want "its certificate is the CA's" openssl verify -CAfile "$W/site/ca.pem" "$(ldevid "$1")" ;;
	"fresh ok") want "nothing is stored" test ! -e "$(ldevid "$1")" ;;
	*) lost "$1 is '$s'" ;;
	esac
}

# --- what must be there ---

nothing_acknowledged_is_lost() {
	local d s n checked=0
	site cert list --json | jq -r '.[] | select(.state != "ordered") | .serial' | tr A-F a-f | sort >"$W/issued"
	site audit list --json --limit 1000000 | jq -r '.[].request // empty' | sort -u >"$W/audited"
	for d in "${USED[@]}"; do
		s=$(cert_serial "$d")
		grep -qx "$s" "$W/issued" || lost "certificate $s of $d"
		# Each answer that the device took is a row of the trail (design.md 3.4).
		jq -rR 'fromjson? | select(.outcome == "accepted" and (.step | IN("voucher", "voucher-status", "enroll", "enrollstatus"))) | "\(.request) \(.step)"' \
			"$W/devices/$d/agent.log" 2>/dev/null >"$W/answers"
		while read -r n s; do
			checked=$((checked + 1))
			grep -qx "$n" "$W/audited" || lost "audit row of $d, $s, request $n"
		done <"$W/answers"
	done
	echo "looked for ${#USED[@]} certificates and $checked rows of the trail"
	[ "$checked" -gt "${#USED[@]}" ] || bad "only $checked answers to look for"
}
sql() { sqlite3 -readonly "$W/site/state/muster.db" "attach 'file:$W/factory/state/muster.db?mode=ro' as masa; $1"; }
no_voucher_without_an_entry() {
	local n
	n=$(sql "select count(*) from exchange x where voucher is not null and not exists (select 1 from masa.masa_voucher v where v.voucher = x.voucher)")
	same "vouchers that the MASA does not know" 0 "$n"
	n=$(sql "select count(*) from masa.masa_voucher v where not exists (select 1 from masa.masa_log l where l.seq = v.entry)")
	same "vouchers without an entry" 0 "$n"
	for d in "${USED[@]}"; do
		[ "$(factory inventory log "$d" --json | jq '[.[] | select(.signed)] | length')" -ge 1 ] || lost "voucher entry of $d"
	done
}
# requirements/est.md C5: the same CSR again gets the same certificate.
one_certificate_a_request() {
	same "orders with more than one certificate" "" \
		"$(sql "select hex(c.order_key) from cert c join cert_issue i using(id) group by c.order_key, c.identity having count(*) > 1")"
	same "keys with more than one certificate" "" \
		"$(sql "select hex(c.spki_sha256) from cert c join cert_issue i using(id) group by c.spki_sha256 having count(*) > 1")"
	echo "$(sql 'select count(*) from cert_issue') certificates, $(sql 'select count(*) from cert where id not in (select id from cert_issue)') orders not gone through, for ${#USED[@]} devices"
}
hash_chains_hold() {
	local n
	for n in site factory; do
		want "backup of the $n" "$n" backup create "$W/$n.backup"
		want "its hash chains" "$n" backup verify "$W/$n.backup"
	done
}
