# SPDX-License-Identifier: Apache-2.0
# relay_rate.bash: what a UDP join proxy costs. DTLS handshakes (and exchanges
# within a session) a second against the registrar itself and through both
# proxies, then whole bootstraps a second by muster-agent. BIN is a release
# build; SECONDS_EACH, CLIENTS, BOOTS. Figures of the machine, no test.
. "$(dirname "$0")/../e2e/world.bash"
SECONDS_EACH=${SECONDS_EACH:-4} CLIENTS=${CLIENTS:-4} BOOTS=${BOOTS:-40}

proxy_conf() {
	mkdir "$W/$1"
	printf 'state = "state"\nops {\n\tlisten = "127.0.0.1:%d"\n}\nproxy {\n\tudp_listen = "127.0.0.1:%d"\n\tudp_registrar = "%s"\n\tudp_per_pledge = 1000\n\tudp_per_interface = 1000\n}\n' \
		"${PORT[$1]}" "${PORT[$1_join]}" "$2" >"$W/$1/muster.conf"
}
i=0 names=(coaps jpy stateless stateless_join stateful stateful_join)
world_make || exit 1
for p in $("$BIN/tests/e2e/e2e_tool" ports ${#names[@]}); do PORT[${names[$i]}]=$p; i=$((i + 1)); done
conf site registrar "\tcoaps = \"127.0.0.1:${PORT[coaps]}\"\n\tjpy = \"127.0.0.1:${PORT[jpy]}\""
proxy_conf stateless "jpy://127.0.0.1:${PORT[jpy]}"
proxy_conf stateful "coaps://127.0.0.1:${PORT[coaps]}"
# shellcheck disable=SC2046
devices $(seq -f 'R-%04g' 0 $((3 * BOOTS))) || exit 1
for p in factory site stateless stateful; do up "$p" || { tail -3 "$W/$p.log"; exit 1; }; done

printf '%-12s %14s %14s %14s\n' way 'handshakes/s' 'exchanges/s' 'bootstraps/s'
first=1
for way in coaps stateful stateless; do
	port=${PORT[$way]}
	[ $way = coaps ] || port=${PORT[${way}_join]}
	sleep 6 # handshakes of one source are limited: 100 at once, 20 a second
	read -r _ shaken failed asked lost < <("$BIN/tests/net/relay_rate" "$W/devices/R-0000/idevid.pem" "$W/devices/R-0000/idevid.key" "$SECONDS_EACH" "$CLIENTS" "$port")
	for ((i = first; i < first + BOOTS; i++)); do VIA=$port agent_conf "R-$(printf %04d $i)" 'transport = "coaps"'; done
	began=$(date +%s%N)
	for ((c = 0; c < CLIENTS; c++)); do
		(for ((i = first + c; i < first + BOOTS; i += CLIENTS)); do join "R-$(printf %04d $i)" 30; done) &
	done
	for p in $(jobs -pr); do
		case " ${PID[*]} " in *" $p "*) ;; *) wait "$p" ;; esac
	done
	ms=$((($(date +%s%N) - began) / 1000000))
	through=0
	for ((i = first; i < first + BOOTS; i++)); do ! enrolled "R-$(printf %04d $i)" || through=$((through + 1)); done
	printf '%-12s %14s %14s %14s\n' "${way/coaps/direct}" "$shaken" "$asked" "$((through * 1000 / ms)).$((through * 10000 / ms % 10))"
	[ "$failed$lost$through" = "00$BOOTS" ] || echo "  failed: $failed handshakes, $lost sessions, $((BOOTS - through)) bootstraps"
	first=$((first + BOOTS))
done
