# SPDX-License-Identifier: Apache-2.0
# A constrained pledge with nothing but a link-local address, a UDP join proxy
# between, registrar and MASA behind, each in a network namespace of its own
# (issue 3, items 5 and 7; constrained-join-proxy 3, 4). Both modes, over good
# links and over links that lose, double, reorder and cut.
#
#   pledge --fe80::/64 alone-- proxy --fd00:2::/64, 10.91.2.0/24-- site --10.91.3.0/24-- factory
. "$(dirname "$0")/world.bash"
. "$(dirname "$0")/checks.bash"
N=u$$

world_cleanup() {
	local n
	for n in pledge proxy site factory; do ip netns del "$N$n" 2>/dev/null; done
}
give_up() {
	skip constrained_across_namespaces "$1"
	echo "[  PASSED  ] 0 test(s)."
	echo "[  SKIPPED ] 1 test(s)."
	exit 0
}
[ "$(id -u)" = 0 ] || give_up "needs root, to make network namespaces"
ip netns add "${N}pledge" 2>/dev/null || give_up "this machine lets nobody make network namespaces"

inside() {
	local n=$1
	shift
	ip netns exec "$N$n" "$@"
}
link() {
	ip link add "to-$2" netns "$N$1" type veth peer name "to-$1" netns "$N$2" &&
		inside "$1" ip link set "to-$2" up && inside "$2" ip link set "to-$1" up
}
namespaces() {
	local n
	for n in proxy site factory; do want "namespace" ip netns add "$N$n"; done
	for n in pledge proxy site factory; do
		inside "$n" ip link set lo up
		inside "$n" sh -c 'echo 0 >/proc/sys/net/ipv6/conf/all/accept_dad; echo 0 >/proc/sys/net/ipv6/conf/default/accept_dad' ||
			bad "no IPv6"
	done
	want "cable" link pledge proxy
	want "cable" link proxy site
	want "cable" link site factory
	want "address" inside proxy ip addr add fd00:2::1/64 dev to-site nodad
	want "address" inside site ip addr add fd00:2::2/64 dev to-proxy nodad
	want "address" inside proxy ip addr add 10.91.2.1/24 dev to-site
	want "address" inside site ip addr add 10.91.2.2/24 dev to-proxy
	want "address" inside site ip addr add 10.91.3.1/24 dev to-factory
	want "address" inside factory ip addr add 10.91.3.2/24 dev to-site
	want "a routable address that no pledge should need" inside pledge ip addr add fd00:1::1/64 dev to-proxy nodad
	want "address" inside proxy ip addr add fd00:1::2/64 dev to-pledge nodad
	link_local() { inside proxy ip -6 addr show dev to-pledge scope link | grep -q fe80 && inside pledge ip -6 addr show dev to-proxy scope link | grep -q fe80; }
	until_true 10 link_local || bad "no link-local address"
	JOIN="[$(inside proxy ip -6 -o addr show dev to-pledge scope link | sed 's/.*inet6 \(fe80[^/]*\).*/\1/')%to-proxy]:5685"
}
world() {
	want factory muster init factory "$W/factory" --organization "Acme Devices" --url 10.91.3.2:9443 --listen 10.91.3.2:9443
	want site muster init site "$W/site" --organization "Example Site" --hosts "10.91.3.1" --listen '[::]:8443' --ops 127.0.0.1:9100
	conf site registrar '\tcoaps = "[::]:5684"\n\tjpy = "[::]:7634"\n\tretry_after = 1'
	PORT[factory]=9443 PORT[site]=1
	trust_site() {
		site manufacturer trust acme --anchors "$W/factory/idevid-ca.pem" --voucher-anchors "$W/factory/voucher-ca.pem" \
			--masa-anchors "$W/factory/masa-tls-ca.pem" --masa-hosts 10.91.3.2:9443 --mode auto
	}
	want trust trust_site
	mkdir "$W/proxy" "$W/devices"
	PORT[proxy]=1
	# shellcheck disable=SC2046
	devices $(seq -f 'K-%03g' 1 12)
	start factory
	start site
}
start() {
	: >"$W/$1.log"
	begin "$1" ip netns exec "$N$1" musterd --config "$W/$1/muster.conf"
	until_true 20 grep -q 'runs from' "$W/$1.log" || bad "$1: $(tail -1 "$W/$1.log")"
}
proxy_to() { # URI
	down proxy
	printf 'state = "state"\nops {\n\tlisten = "127.0.0.1:9100"\n}\nproxy {\n\tudp_listen = "[::]:5685"\n\tudp_registrar = "%s"\n}\n' "$1" >"$W/proxy/muster.conf"
	start proxy
}
metric() { inside "$1" curl -s --max-time 5 http://127.0.0.1:9100/metrics | awk -v s="$2" 'index($0, s " ") == 1 { n = $NF } END { print n + 0 }'; }
counted() { [ "$(metric "$1" "$2")" -ge "$3" ]; }

configure() { # SERIAL ADDRESS
	agent_conf "$1" 'transport = "coaps"'
	sed -i "s/^registrars.*/registrars = { \"$2\" }/; s/answer_max = 10/answer_max = 60/; s/stall = 3/stall = 8/" "$W/devices/$1/agent.conf"
}
inside_join() { inside pledge muster-agent --config "$W/devices/$1/agent.conf" --once --timeout "${2:-60}" >>"$W/devices/$1/agent.log" 2>&1; }
bootstrap() { # URI MODE
	local carried
	proxy_to "$1"
	take_device
	configure "$D" "$JOIN"
	inside_join "$D"
	same "the agent's end" 0 $?
	enrolled "$D" || { bad "$D is not enrolled: $(tail -2 "$W/devices/$D/agent.log")"; return; }
	want "by the site's CA" openssl verify -CAfile "$W/site/ca.pem" "$(ldevid "$D")"
	want "from its link-local address" grep -q '"peer":"\[fe80[^"]*%\(25\)\?to-proxy\]:5685' "$W/devices/$D/agent.log"
	carried=$(metric proxy "muster_proxy_udp_datagrams_total{mode=\"$2\",direction=\"to_pledge\"}")
	[ "$carried" -gt 10 ] || bad "the proxy carried $carried datagrams"
}
registrar_saw_jpy() {
	want "by the JPY port" counted site 'muster_jpy_datagrams_total{direction="to_registrar"}' 10
	want "both ways" counted site 'muster_jpy_datagrams_total{direction="to_proxy"}' 10
	# limits and logs are about the proxy, not about a loopback socket
	want "the proxy's address in the registrar's log" grep -q '"step":"pvr".*"peer":"\[fd00:2::1\]:\|"peer":"\[fd00:2::1\].*"step":"pvr"' "$W/site.log"
}
# constrained-join-proxy 4.3: link-local pledges alone
routable_pledge_is_none() {
	configure K-012 "[fd00:1::2]:5685"
	sed -i 's/answer_max = 60/answer_max = 3/' "$W/devices/K-012/agent.conf"
	inside_join K-012 3
	[ $? != 0 ] || bad "a routable address got through"
	want "dropped and counted" counted proxy 'muster_proxy_udp_dropped_total{reason="proxy.not_on_link"}' 1
}
# 4.3 SHOULD: what ICMP says of the registrar the pledge is told in its own family
icmp_reaches_the_pledge() {
	proxy_to "coaps://10.91.2.2:5699"
	take_device
	configure "$D" "$JOIN"
	inside_join "$D" 3
	want "connection refused" grep -q '"detail":"Connection refused"' "$W/devices/$D/agent.log"
	want "counted" counted proxy 'muster_proxy_udp_icmp_total{outcome="sent"}' 1
	proxy_to "coaps://10.91.2.2:5684"
	inside_join "$D"
	enrolled "$D" || bad "$D is not enrolled: $(tail -2 "$W/devices/$D/agent.log")"
}
# Between proxy and registrar the bad network of tests/net: the kernel's own (netem) is not everywhere.
bad_links() { # SCHEME TARGET
	local n
	for n in 1 2; do
		begin "fault-$1-$n" ip netns exec "${N}proxy" "$BIN/tests/net/fault_proxy" '[::1]:0' "$2" $n 60 50 100 30
		until_true 10 grep -qs '^port' "$W/fault-$1-$n.log" || bad "no bad network: $(cat "$W/fault-$1-$n.log")"
		proxy_to "$1://[::1]:$(sed -n 's/^port //p' "$W/fault-$1-$n.log")"
		take_device
		configure "$D" "$JOIN"
		inside_join "$D" 60
		whole_or_nothing "$D"
		down "fault-$1-$n"
		want "it was a bad network" grep -q '^up: passed [1-9][0-9]*, lost [1-9]' "$W/fault-$1-$n.log"
		enrolled "$D" && continue
		proxy_to "$1://$2"
		inside_join "$D"
		enrolled "$D" || bad "$D is not enrolled: $(tail -2 "$W/devices/$D/agent.log")"
	done
}

t namespaces_are_made namespaces
[ "$FAILED" = 0 ] || finish
t a_world_is_made world
[ "$FAILED" = 0 ] || { cat "$W/make.log"; finish; }
t JP_U3_stateless_over_link_local bootstrap "jpy://[fd00:2::2]:7634" stateless
t JP_U2_the_registrar_has_it_by_jpy registrar_saw_jpy
t JP_U3_stateless_with_a_registrar_on_IPv4 bootstrap "jpy://10.91.2.2:7634" stateless
t JP_U1_stateful_over_link_local bootstrap "coaps://[fd00:2::2]" stateful
t JP_U1_a_routable_sender_is_no_pledge routable_pledge_is_none
t JP_U1_icmp_reaches_the_pledge icmp_reaches_the_pledge
t JP_U3_stateless_over_links_that_lose_double_reorder_and_cut bad_links jpy "[fd00:2::2]:7634"
t JP_U1_stateful_over_links_that_lose_double_reorder_and_cut bad_links coaps "[fd00:2::2]:5684"
t exactly_one_certificate_a_request one_certificate_a_request
[ "$FAILED" = 0 ] || tail -n 4 "$W"/*.log
finish
