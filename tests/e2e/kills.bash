# SPDX-License-Identifier: Apache-2.0
# kills.bash site|masa|agent [coaps]: SIGKILL at the writes of a bootstrap (shim.c), at
# random moments under load, and of the key process; after each kill the
# program is started again and the device tries until it is through. Counted:
# kills, and losses, which are acknowledged things that are not there any more.
# A sample of the writes unless MUSTER_FULL=1. SEED repeats a run.
. "$(dirname "$0")/world.bash"
. "$(dirname "$0")/checks.bash"
WHO=${1:?site, masa or agent}
OVER=${2:-https}
SEED=${SEED:-$$}
RANDOM=$SEED
exec 2> >(grep -v ': line [0-9]*: *[0-9]* Killed ' >&2) # the shell's obituaries
KILLS=0
SHIM=$BIN/tests/e2e/libe2e_shim.so
DAEMON=site
[ "$WHO" != masa ] || DAEMON=factory

# aim FILE MOMENT WHOSE N: as shim.c reads it.
aim() {
	printf '1%s%s\0%-8d%52s' "$2" "$3" "$4" ' ' >"$1.new"
	dd if="$1.new" of="$1" conv=notrunc status=none
}
rest() { printf 0 | dd of="$1" conv=notrunc status=none; }
writes_of() { dd if="$1" bs=1 skip=32 count=16 status=none | tr -cd 0-9; }
start_killable() { up "$DAEMON" "LD_PRELOAD=$SHIM" "MUSTER_KILL=$W/$DAEMON.kill"; }
# --- a daemon ---

count_writes() {
	take_device
	aim "$W/$DAEMON.kill" b m 1000000
	want "a bootstrap under the shim" join "$D"
	rest "$W/$DAEMON.kill"
	TOTAL=$(writes_of "$W/$DAEMON.kill")
	[ "${TOTAL:-0}" -gt 10 ] || bad "the shim counted '${TOTAL:-}' writes"
	echo "a bootstrap makes $TOTAL writes in the $DAEMON's main process"
	down "$DAEMON" KILL 2>/dev/null
	want "start" start_killable
}
# kill_at N MOMENT WHOSE
kill_at() {
	local p=${PID[$DAEMON]} a killed=0
	take_device
	aim "$W/$DAEMON.kill" "$2" "$3" "$1"
	agent "$D" --once --timeout 30 &
	a=$!
	until gone "$p" || gone $a; do sleep 0.02; done
	gone "$p" || sleep 0.2 # what follows the last answer
	if gone "$p"; then
		killed=1
		KILLS=$((KILLS + 1))
		unset "PID[$DAEMON]"
	else
		down "$DAEMON" KILL 2>/dev/null
	fi
	rest "$W/$DAEMON.kill"
	want "start after kill $1$2$3" start_killable
	wait $a || through "$D"
	enrolled "$D" || bad "$D is not enrolled after kill $1$2$3"
	return $((1 - killed))
}
kill_at_writes() {
	local n step most=${SAMPLES:-24} moments=(b h a) i=0
	step=$((TOTAL / most))
	[ "$step" -gt 0 ] && [ -z "${MUSTER_FULL:-}" ] || step=1
	n=$((1 + RANDOM % step))
	while [ $n -le "$TOTAL" ]; do
		kill_at $n "${moments[$((i % 3))]}" m
		n=$((n + step)) i=$((i + 1))
	done
	echo "$i of $TOTAL writes were the last one (seed $SEED)"
}
# The key process is a process of its own: without it the daemon ends, and nothing is lost.
kill_the_key_process() {
	local n
	for n in 1 2; do kill_at $n a c || echo "the key process made less than $n writes"; done
}
kill_under_load() {
	local most=${LOAD_KILLS:-5} w d p i workers=() list=()
	[ -z "${MUSTER_FULL:-}" ] || most=20
	for ((i = 0; i < 24; i++)); do
		take_device
		list+=("$D")
	done
	for w in 0 1 2 3 4 5 6 7; do
		(
			for ((i = w; i < 24; i += 8)); do
				for ((d = 0; d < 12; d++)); do join "${list[$i]}" 20 && break; done
			done
		) &
		workers+=($!)
	done
	for ((i = 0; i < most; i++)); do
		sleep "0.$((RANDOM % 8 + 1))"
		down "$DAEMON" KILL 2>/dev/null
		KILLS=$((KILLS + 1))
		want "start under load" start_killable
	done
	wait "${workers[@]}"
	for d in "${list[@]}"; do enrolled "$d" || through "$d"; done
}

# --- the agent ---

shimmed() {
	LD_PRELOAD=$SHIM MUSTER_KILL=$W/agent.kill muster-agent --config "$W/devices/$1/agent.conf" --once --timeout 20 \
		>>"$W/devices/$1/agent.log" 2>&1
}
count_agent_writes() {
	local n
	TOTAL=
	for _ in 1 2; do # on a slow machine a device tries twice, and writes more: the shorter run counts
		take_device
		aim "$W/agent.kill" b m 1000000
		want "a bootstrap under the shim" shimmed "$D"
		n=$(writes_of "$W/agent.kill")
		[ -n "$TOTAL" ] && [ "${n:-0}" -ge "$TOTAL" ] || TOTAL=$n
	done
	[ "${TOTAL:-0}" -gt 10 ] || bad "the shim counted '${TOTAL:-}' writes"
	echo "a bootstrap makes $TOTAL writes in the agent"
}
agent_kill_at_writes() {
	local n step most=${SAMPLES:-24} moments=(b h a) i=0 fresh=0
	step=$((TOTAL / most))
	[ "$step" -gt 0 ] && [ -z "${MUSTER_FULL:-}" ] || step=1
	n=$((1 + RANDOM % step))
	while [ $n -le "$TOTAL" ]; do
		take_device
		aim "$W/agent.kill" "${moments[$((i % 3))]}" m $n
		shimmed "$D" 2>/dev/null && bad "write $n did not kill"
		KILLS=$((KILLS + 1))
		whole_or_nothing "$D"
		enrolled "$D" || fresh=$((fresh + 1))
		through "$D"
		n=$((n + step)) i=$((i + 1))
	done 2>/dev/null
	echo "$i of $TOTAL writes were the last one (seed $SEED): $fresh times factory-fresh, $((i - fresh)) times enrolled"
}
t a_world_is_made world_make
[ "$FAILED" = 0 ] || finish
# shellcheck disable=SC2046
if [ -n "${MUSTER_FULL:-}" ]; then last=900; else last=120; fi
if [ "$WHO" = agent ]; then VIA=${PORT[site]}; fi
VIA=${PORT[site]} devices $(seq -f 'K-%03g' 1 $last) || bad devices
if [ "$OVER" = coaps ]; then
	read -r "PORT[coaps]" _ < <("$BIN/tests/e2e/e2e_tool" ports 1)
	conf site registrar "\tcoaps = \"127.0.0.1:${PORT[coaps]}\""
	for d in $(seq -f 'K-%03g' 1 $last); do VIA=${PORT[coaps]} agent_conf "$d" 'transport = "coaps"'; done
fi
head -c 64 /dev/zero >"$W/site.kill"
cp "$W/site.kill" "$W/factory.kill"
cp "$W/site.kill" "$W/agent.kill"
if [ "$WHO" = agent ]; then
	daemons_start() { up factory && up site; }
elif [ "$WHO" = masa ]; then
	daemons_start() { start_killable && up site; }
else
	daemons_start() { up factory && start_killable; }
fi
t daemons_start want "all listen" daemons_start
[ "$FAILED" = 0 ] || finish
if [ "$WHO" = agent ]; then
	t writes_are_counted count_agent_writes
	[ "$FAILED" = 0 ] && t agent_killed_at_its_writes agent_kill_at_writes
else
	t writes_are_counted count_writes
	[ "$FAILED" = 0 ] && {
		t "${WHO}_killed_at_its_writes" kill_at_writes
		t "${WHO}_loses_its_key_process" kill_the_key_process
		t "${WHO}_killed_under_the_load_of_8_agents" kill_under_load
	}
fi
# An answer of CoAP bears no request id by which to look for its row.
[ "$OVER" = coaps ] || t no_acknowledged_certificate_or_audit_row_lost nothing_acknowledged_is_lost
t no_voucher_without_an_entry no_voucher_without_an_entry
t one_certificate_per_accepted_request one_certificate_a_request
t hash_chains_hold hash_chains_hold
echo "kills of the $WHO: $KILLS kills, $LOSSES losses (seed $SEED)"
finish
