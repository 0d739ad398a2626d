# SPDX-License-Identifier: Apache-2.0
# kills_start.bash: SIGKILL at the writes of a daemon's first start (shim.c),
# which makes its database, CRLs and sockets; then it is started again and must
# be as one that was never killed. Counted: kills, and what did not come back.
# A sample of the writes unless MUSTER_FULL=1. SEED repeats a run.
. "$(dirname "$0")/world.bash"
. "$(dirname "$0")/checks.bash"
SEED=${SEED:-$$}
RANDOM=$SEED
exec 2> >(grep -v ': line [0-9]*: *[0-9]* Killed ' >&2)
KILLS=0
SHIM=$BIN/tests/e2e/libe2e_shim.so

aim() { # aim MOMENT N: of the main process, as shim.c reads it
	printf '1%sm\0%-8d%52s' "$1" "$2" ' ' >"$W/kill.new"
	dd if="$W/kill.new" of="$W/kill" conv=notrunc status=none
}
rest() { printf 0 | dd of="$W/kill" conv=notrunc status=none; }
first_start() { rm -rf "$W/$WHO/state" && up "$WHO" "LD_PRELOAD=$SHIM" "MUSTER_KILL=$W/kill"; }

# What an undisturbed first start leaves behind: names, and the tables. Killed between two steps
# of the schema, the next start keeps a copy of the empty older one (.bak), as of any older one.
left_behind() {
	(cd "$W/$WHO/state" && find . -type f ! -name '*-wal' ! -name '*-shm' ! -name '*.bak' | sort)
	sqlite3 "$W/$WHO.backup" 'PRAGMA user_version; SELECT type, name, sql FROM sqlite_schema ORDER BY 1, 2'
}
look() { # look WORDS FILE: it runs, answers its command line, its database is whole; what is there
	rm -f "$W/$WHO.backup"
	want "$1: backup" "$WHO" backup create "$W/$WHO.backup"
	want "$1: hash chains" "$WHO" backup verify "$W/$WHO.backup"
	left_behind >"$2"
}
works() { # works WORDS: all that, as if it had never been killed
	look "$1" "$W/left"
	diff "$W/want" "$W/left" || { bad "$1: not as undisturbed"; LOSSES=$((LOSSES + 1)); }
}
count_writes() {
	aim b 1000000
	want "a first start under the shim" first_start
	sleep 0.3 # what follows listening
	rest
	TOTAL=$(dd if="$W/kill" bs=1 skip=32 count=16 status=none | tr -cd 0-9)
	[ "${TOTAL:-0}" -gt 10 ] || bad "the shim counted '${TOTAL:-}' writes"
	echo "a first start of the $WHO makes $TOTAL writes"
	look undisturbed "$W/want"
	[ "$(wc -l <"$W/want")" -gt 30 ] || bad "an undisturbed start leaves little behind"
	down "$WHO"
}
kill_at_writes() {
	local n step most=${SAMPLES:-12} moments=(b h a) i=0
	step=$((TOTAL / most))
	[ "$step" -gt 0 ] && [ -z "${MUSTER_FULL:-}" ] || step=1
	n=$((1 + RANDOM % step))
	while [ $n -le "$TOTAL" ]; do
		aim "${moments[$((i % 3))]}" $n
		if first_start; then
			until_true 5 gone "${PID[$WHO]}"
			if gone "${PID[$WHO]}"; then unset "PID[$WHO]"; else down "$WHO" KILL; fi
		fi 2>/dev/null
		KILLS=$((KILLS + 1))
		rest
		want "start after write $n" up "$WHO"
		works "after write $n"
		down "$WHO"
		n=$((n + step)) i=$((i + 1))
	done
	echo "$i of $TOTAL writes were the last one (seed $SEED)"
}
# The last of them goes on to a device's certificate.
bootstrap() {
	want "the other" up factory
	want "the site" up site
	want "trust" trust_factory --mode auto
	want "IDevID" devices K-1
	want "a bootstrap" agent K-1 --once --timeout 30
	enrolled K-1 || bad "K-1 is not enrolled"
}

t a_world_is_made world_make
[ "$FAILED" = 0 ] || finish
head -c 64 /dev/zero >"$W/kill"
for WHO in factory site; do
	t "${WHO}_writes_are_counted" count_writes
	[ "$FAILED" = 0 ] && t "${WHO}_killed_at_the_writes_of_its_first_start" kill_at_writes
done
VIA=${PORT[site]}
[ "$FAILED" = 0 ] && t "a_bootstrap_after_it_all" bootstrap
echo "kills of first starts: $KILLS kills, $LOSSES losses (seed $SEED)"
finish
