# SPDX-License-Identifier: Apache-2.0
# Constrained devices through the UDP join proxies, stateless and stateful, over
# a network that loses, doubles, reorders and cuts by a seed (tests/net): each
# run ends enrolled or factory-fresh, and each accepted request has exactly one
# certificate (issue 3, item 7). SEED=n repeats one seed; MUSTER_FULL=1: 1,000.
. "$(dirname "$0")/world.bash"
. "$(dirname "$0")/checks.bash"
exec 2> >(grep -v ': line [0-9]*: *[0-9]* \(Killed\|Terminated\) ' >&2) # the shell's obituaries
SEEDS=${SEEDS:-24} AT_ONCE=${AT_ONCE:-8}
[ -z "${MUSTER_FULL:-}" ] || SEEDS=1000
PATH=$BIN/tests/net:$PATH

proxy_conf() { # NAME URI
	mkdir "$W/$1"
	printf 'state = "state"\nops {\n\tlisten = "127.0.0.1:%d"\n}\nproxy {\n\tudp_listen = "127.0.0.1:%d"\n\tudp_registrar = "%s"\n\tudp_per_pledge = 1000\n\tudp_per_interface = 1000\n}\n' \
		"${PORT[$1]}" "${PORT[$1_join]}" "$2" >"$W/$1/muster.conf"
}
world() {
	local p i=0 names=(coaps jpy stateless stateless_join stateful stateful_join)
	want "a world" world_make || return
	for p in $("$BIN/tests/e2e/e2e_tool" ports ${#names[@]}); do PORT[${names[$i]}]=$p; i=$((i + 1)); done
	conf site registrar "\tcoaps = \"127.0.0.1:${PORT[coaps]}\"\n\tjpy = \"127.0.0.1:${PORT[jpy]}\"\n\tjpy_per_proxy = 500"
	proxy_conf stateless "jpy://127.0.0.1:${PORT[jpy]}"
	proxy_conf stateful "coaps://127.0.0.1:${PORT[coaps]}"
	want "MASA" up factory
	want "site" up site
	want "stateless" up stateless
	want "stateful" up stateful
}
# The agent's configuration towards a UDP port.
constrained() { # SERIAL PORT
	VIA=$2 agent_conf "$1" 'transport = "coaps"'
	sed -i 's/answer_max = 10/answer_max = 60/; s/stall = 3/stall = 8/' "$W/devices/$1/agent.conf"
}
metric() { # DAEMON SERIES
	curl -s "http://127.0.0.1:${PORT[$1]}/metrics" | awk -v s="$2" 'index($0, s " ") == 1 { n = $NF } END { print n + 0 }'
}

through_a_proxy() { # NAME
	take_device
	constrained "$D" "${PORT[$1_join]}"
	want "through the $1 proxy" join "$D" 60
	enrolled "$D" || { bad "$D is not enrolled: $(tail -2 "$W/devices/$D/agent.log")"; return; }
	want "by the site's CA" openssl verify -CAfile "$W/site/ca.pem" "$(ldevid "$D")"
	[ "$(metric "$1" "muster_proxy_udp_datagrams_total{mode=\"$1\",direction=\"to_pledge\"}")" -gt 10 ] ||
		bad "the proxy carried $(metric "$1" "muster_proxy_udp_datagrams_total{mode=\"$1\",direction=\"to_pledge\"}") datagrams"
}

# --- seeds ---

SEED_DEVICES=()
# The bad network lies between pledge and proxy or, every third seed, between a
# stateless proxy of its own and the registrar, where JPY is cut and lost; every
# eighth is worse than a device can be asked to bear.
one_seed() { # SEED SERIAL
	local d=$W/devices/$2 way port
	local patience=60 loss=$(($1 * 37 % 200)) others="$(($1 * 53 % 100)) $(($1 * 71 % 100)) $(($1 * 89 % 50))"
	[ $(($1 % 8)) != 0 ] || patience=25 loss=$((400 + $1 * 37 % 300))
	case $(($1 % 3)) in
	0) way=stateless port=${PORT[stateless_join]} ;;
	1) way=stateful port=${PORT[stateful_join]} ;;
	*) way=behind port=${PORT[jpy]} ;;
	esac
	# shellcheck disable=SC2086
	setpriv --pdeathsig KILL fault_proxy 127.0.0.1:0 "127.0.0.1:$port" "$1" $loss $others >"$d/fault.log" 2>&1 &
	local pids=($!)
	until_true 10 grep -qs '^port' "$d/fault.log" || return 1
	port=$(sed -n 's/^port //p' "$d/fault.log")
	if [ $way = behind ]; then
		mkdir "$d/proxy"
		printf 'state = "state"\nproxy {\n\tudp_listen = "127.0.0.1:0"\n\tudp_registrar = "jpy://127.0.0.1:%d"\n}\n' "$port" >"$d/proxy/muster.conf"
		setpriv --pdeathsig KILL musterd --config "$d/proxy/muster.conf" >"$d/proxy.log" 2>&1 &
		pids+=($!)
		until_true 20 grep -qs 'runs from' "$d/proxy.log" || return 1
		port=$(sed -n 's/.*join port \([0-9]*\) leads.*/\1/p' "$d/proxy.log")
	fi
	constrained "$2" "$port"
	join "$2" "$patience"
	echo "$?" >"$d/exit"
	kill "${pids[@]}" 2>/dev/null
	wait "${pids[@]}" 2>/dev/null
	echo "seed $1 way $way loss $loss others $others" >>"$d/fault.log"
}
run_seeds() {
	local s=0 first=1 last=$SEEDS running=0
	[ -z "${SEED:-}" ] || { first=$SEED last=$SEED; }
	for ((s = first; s <= last; s++)); do
		take_device
		SEED_DEVICES+=("$D")
		one_seed "$s" "$D" &
		running=$((running + 1))
		[ "$running" -lt "$AT_ONCE" ] || { wait -n; running=$((running - 1)); }
	done
	while [ -n "$(jobs -pr | grep -vxF -f <(printf '%s\n' "${PID[@]}"))" ]; do sleep 0.1; done
}
each_run_ended_whole() {
	local d n=0 fresh=0
	for d in "${SEED_DEVICES[@]}"; do
		grep -q '^seed' "$W/devices/$d/fault.log" || bad "$d: no bad network"
		whole_or_nothing "$d"
		if enrolled "$d"; then
			n=$((n + 1))
		else
			fresh=$((fresh + 1))
			echo "factory-fresh after exit $(cat "$W/devices/$d/exit"): $(grep '^seed' "$W/devices/$d/fault.log")"
		fi
	done
	echo "${#SEED_DEVICES[@]} seeds: $n enrolled, $fresh factory-fresh;" \
		"$(cat "$W"/devices/*/fault.log | awk '/^(up|down)/ { gsub(",", ""); p += $3; l += $5; d += $7; r += $9; c += $11 } END { printf "%d datagrams passed, %d lost, %d doubled, %d reordered, %d cut", p, l, d, r, c }')"
	[ "$n" -ge $((${#SEED_DEVICES[@]} / 2)) ] || bad "only $n of ${#SEED_DEVICES[@]} got through"
}
enrolled_ones_are_in_the_database() {
	local d s n accepted
	site cert list --json | jq -r '.[] | select(.state != "ordered") | .serial' | tr A-F a-f | sort >"$W/issued"
	for d in "${SEED_DEVICES[@]}"; do
		enrolled "$d" || continue
		s=$(cert_serial "$d")
		grep -qx "$s" "$W/issued" || lost "certificate $s of $d"
		# an attempt that lost its answer asked with another key: each accepted request has its own
		n=$(cert_serials "$d" | grep -c .)
		accepted=$(grep -c '"step":"enroll","outcome":"accepted".*"serial":"'"$d"'"' "$W/site.log")
		[ "$n" -ge 1 ] && [ "$n" -le "$accepted" ] || bad "$d: $n certificates for $accepted accepted requests"
	done
}
the_others_get_through_on_a_good_network() {
	local d n=0
	for d in "${SEED_DEVICES[@]}"; do
		enrolled "$d" && continue
		constrained "$d" "${PORT[stateless_join]}"
		through "$d"
		n=$((n + 1))
	done
	echo "$n devices came again"
}

t a_world_with_two_udp_proxies world
[ "$FAILED" = 0 ] || { tail -n 3 "$W"/*.log; finish; }
# shellcheck disable=SC2046
devices $(seq -f 'K-%03g' 1 $((SEEDS + 10))) || bad devices
t JP_U2_bootstrap_through_the_stateless_proxy through_a_proxy stateless
t JP_U1_bootstrap_through_the_stateful_proxy through_a_proxy stateful
[ "$FAILED" = 0 ] || { tail -n 3 "$W"/*.log; finish; }
t seeds_run run_seeds
t each_run_ends_enrolled_or_factory_fresh each_run_ended_whole
t exactly_one_certificate_a_request one_certificate_a_request
t what_a_device_holds_is_in_the_database enrolled_ones_are_in_the_database
t the_others_get_through_on_a_good_network the_others_get_through_on_a_good_network
t hash_chains_hold hash_chains_hold
finish
