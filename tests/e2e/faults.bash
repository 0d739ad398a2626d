# SPDX-License-Identifier: Apache-2.0
# faults.bash [coaps]: faults that are no crashes: a full disk, a database in
# use, a MASA that is away at each point of the flow, answers lost on the way
# (tool.c's relay; what is lost over UDP is udp.bash's). SEED repeats a run.
. "$(dirname "$0")/world.bash"
. "$(dirname "$0")/checks.bash"
OVER=${1:-https} SEED=${SEED:-$$}
RANDOM=$SEED
exec 2> >(grep -v ': line [0-9]*: *[0-9]* Killed ' >&2) # the shell's obituaries
SHIM=$BIN/tests/e2e/libe2e_shim.so

world_cleanup() {
	! mountpoint -q "$W/site/state" || umount -l "$W/site/state"
}

# --- the disk ---

issued() { site cert list --json | jq '[.[] | select(.state != "ordered")] | length'; }
# Nothing is issued that could not be written down; with room again it goes on by itself.
disk_full() {
	local i failed=0 before p=${PID[site]}
	dd if=/dev/zero of="$W/site/state/fill" bs=4k 2>/dev/null
	for i in 1 2 3 4 5 6; do
		before=$(sqlite3 -readonly "$W/site/state/muster.db" 'select count(*) from cert_issue')
		take_device
		if join "$D" 3; then
			enrolled "$D" || bad "$D says it is through"
		else
			failed=$((failed + 1))
			want "$D is factory-fresh" test ! -e "$(ldevid "$D")"
			same "nothing was issued" "$before" "$(sqlite3 -readonly "$W/site/state/muster.db" 'select count(*) from cert_issue')"
			[ "$failed" -lt 2 ] || break
		fi
	done
	[ "$failed" -gt 0 ] || bad "the disk was not full"
	want "named: MU-5042, the disk is full" grep -q 'MU-5042' "$W/site.log"
	want "named to the device" grep -q 'MU-5042' "$W/devices/$D/agent.log"
	same "the daemon lives" "$p" "$(gone "$p" || echo "$p")"
	rm "$W/site/state/fill"
	for i in "${USED[@]}"; do enrolled "$i" || through "$i"; done
	same "certificates" ${#USED[@]} "$(issued)"
}

# --- the database ---

second_daemon() {
	mkdir "$W/second"
	sed -e "s/127.0.0.1:${PORT[site]}/127.0.0.1:0/; s/127.0.0.1:${PORT[site_ops]}/127.0.0.1:0/" -e '/coaps = /d' \
		-e "s#\"state\"#\"$W/site/state\"#; s#\"\([a-z-]*\.\(pem\|key\)\)\"#\"$W/site/\1\"#" "$W/site/muster.conf" >"$W/second/muster.conf"
	timeout 20 musterd --config "$W/second/muster.conf" >"$W/second.log" 2>&1
	same "the second daemon ends with" 1 $?
	want "named: MU-5041, in use" grep -q 'MU-5041' "$W/second.log"
	take_device
	want "the first goes on" join "$D"
}

# A stranger holds SQLite's write lock for longer than the writer waits (5 s): refused by name,
# nothing is lost, and afterwards the same device gets through.
locked_by_a_stranger() {
	local holder before p=${PID[site]}
	before=$(grep -c 'MU-5041' "$W/site.log")
	(printf 'BEGIN IMMEDIATE;\n'; sleep 8; printf 'ROLLBACK;\n') | sqlite3 "$W/site/state/muster.db" 2>>"$W/make.log" &
	holder=$!
	sleep 0.5
	take_device
	join "$D" 6 # whatever it ends with
	whole_or_nothing "$D"
	wait "$holder"
	[ "$(grep -c 'MU-5041' "$W/site.log")" -gt "$before" ] || bad "no MU-5041 in the log"
	same "the daemon lives" "$p" "$(gone "$p" || echo "$p")"
	through "$D"
	same "one certificate" 1 "$(cert_serials "$D" | wc -l)"
}

# --- the MASA ---

masa_down_before_requestvoucher() {
	down factory
	take_device
	join "$D" 3
	case $? in 4 | 6) ;; *) bad "the agent's end is neither refused nor unreachable" ;; esac
	want "factory-fresh" test ! -e "$(ldevid "$D")"
	want "named: MU-23.." grep -q '"code":"MU-23[0-9]*".*"serial":"'"$D"'"' "$W/site.log"
	same "no certificate" "" "$(cert_serials "$D")"
	want "MASA" up factory
	through "$D"
}
# At its n-th write the MASA is killed and stays away until the device has given up once.
masa_down_in_the_flow() {
	local n step=3 enrolled_first=0 fresh=0
	[ -z "${MUSTER_FULL:-}" ] || step=1
	head -c 64 /dev/zero >"$W/kill"
	down factory
	for ((n = 1 + RANDOM % 3; n <= 25; n += step)); do
		printf '0bm\0%-8d%52s' "$n" ' ' >"$W/kill"
		want "MASA" up factory "LD_PRELOAD=$SHIM" "MUSTER_KILL=$W/kill"
		printf 1 | dd of="$W/kill" conv=notrunc status=none
		take_device
		join "$D" 3
		whole_or_nothing "$D"
		if enrolled "$D"; then
			enrolled_first=$((enrolled_first + 1))
		else
			fresh=$((fresh + 1))
			same "no certificate without a good history" "" "$(cert_serials "$D")"
		fi
		down factory KILL
		want "MASA" up factory
		through "$D"
		down factory
	done
	want "MASA" up factory
	echo "MASA away from a write on: $fresh times factory-fresh, $enrolled_first times enrolled, then all enrolled"
}

# --- lost answers ---

# lossy SIDE SALT MOST CUTS: a relay that loses answers before the registrar or before the MASA.
lossy() {
	local target=${PORT[site]} listen=${PORT[relay_site]}
	[ "$1" = site ] || { target=${PORT[factory]} listen=${PORT[relay_masa]}; }
	begin relay e2e_tool relay "$listen" "$target" "$SEED$2" "${3:-7000}" "$4"
	until_true 5 listens "$listen" # this connection takes the first cut
}
answers_lost_before_the_registrar() {
	local i s runs=0
	for s in 1 2 3 4 5 6; do
		lossy site "$s" 7000 6
		for i in 1 2; do
			take_device
			VIA=${PORT[relay_site]} agent_conf "$D"
			for ((runs = 0; runs < 6; runs++)); do
				whole_or_nothing "$D"
				join "$D" 20 && break
			done
			whole_or_nothing "$D"
			enrolled "$D" || bad "$D is not enrolled after $runs runs (seed $SEED$s)"
		done
		down relay
	done
}
answers_lost_before_the_masa() {
	local s
	trust_factory --masa "https://127.0.0.1:${PORT[relay_masa]}" --masa-hosts "127.0.0.1:${PORT[relay_masa]} 127.0.0.1:${PORT[factory]}"
	for s in 1 2 3 4 5 6; do
		lossy masa "$s" 12000 3
		take_device
		join "$D" 3
		whole_or_nothing "$D"
		through "$D"
		down relay
	done
	trust_factory --masa "https://127.0.0.1:${PORT[factory]}"
}

t a_world_is_made world_make
[ "$FAILED" = 0 ] || finish
PATH=$BIN/tests/e2e:$PATH
# shellcheck disable=SC2046
VIA=${PORT[site]} devices $(seq -f 'K-%03g' 1 60) || bad devices
if [ "$OVER" = coaps ]; then
	read -r "PORT[coaps]" _ < <("$BIN/tests/e2e/e2e_tool" ports 1)
	conf site registrar "\tcoaps = \"127.0.0.1:${PORT[coaps]}\""
	for d in $(seq -f 'K-%03g' 1 60); do VIA=${PORT[coaps]} agent_conf "$d" 'transport = "coaps"'; done
fi
full=
if [ "$(id -u)" = 0 ] && mkdir -m 700 "$W/tmpfs.try" && mount -t tmpfs -o size=64k none "$W/tmpfs.try" 2>/dev/null; then
	umount "$W/tmpfs.try"
	db=$(stat -c %s "$W/site/state/muster.db")
	mkdir -p "$W/moved" && cp -a "$W/site/state/." "$W/moved/" &&
		mount -t tmpfs -o "size=$((db / 1024 + 3072))k,mode=700" none "$W/site/state" &&
		cp -a "$W/moved/." "$W/site/state/" && full=1
fi
daemons_start() { up factory && up site; }
t daemons_start want "all listen" daemons_start
[ "$FAILED" = 0 ] || { tail -3 "$W"/*.log; finish; }
if [ -n "$full" ]; then
	t disk_full_nothing_issued_then_it_goes_on disk_full
	down site
	rm -rf "$W/moved" && mkdir -m 700 "$W/moved" && cp -a "$W/site/state/." "$W/moved/" && umount "$W/site/state" && cp -a "$W/moved/." "$W/site/state/"
	up site
else
	skip disk_full_nothing_issued_then_it_goes_on "needs root, to mount a small tmpfs"
fi
t database_in_use_refused_by_name second_daemon
t database_locked_by_a_stranger_then_it_goes_on locked_by_a_stranger
t masa_down_before_requestvoucher masa_down_before_requestvoucher
t masa_down_at_each_point_of_the_flow masa_down_in_the_flow
[ "$OVER" = coaps ] || t answers_lost_before_the_registrar answers_lost_before_the_registrar
t answers_lost_before_the_masa answers_lost_before_the_masa
# An answer of CoAP bears no request id by which to look for its row.
[ "$OVER" = coaps ] || t no_acknowledged_certificate_or_audit_row_lost nothing_acknowledged_is_lost
t no_voucher_without_an_entry no_voucher_without_an_entry
t one_certificate_per_accepted_request one_certificate_a_request
t hash_chains_hold hash_chains_hold
echo "$(cat "$W/relay.log" | grep -c ^cut) connections cut, $LOSSES losses (seed $SEED)"
finish
