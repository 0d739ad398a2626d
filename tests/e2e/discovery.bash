# SPDX-License-Identifier: Apache-2.0
# Discovery on the wire, each way alone, in network namespaces (issue 3, items 6
# and 7; requirements DI-1 to DI-7, JP-U4): nobody is told an address.
#
#   pledge --link-local only-- proxy --fd00:2::/64-- site --10.91.3.0/24-- factory
#
# A foreign responder (answer.py) and libcoap's own client stand in where the
# other side should not be ours.
. "$(dirname "$0")/world.bash"
N=d$$
HERE=$(dirname "$0")

world_cleanup() {
	local n
	for n in pledge proxy site factory; do ip netns del "$N$n" 2>/dev/null; done
}
give_up() {
	skip discovery_in_namespaces "$1"
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
# link A B: a cable; both ends have a link-local address at once.
link() {
	ip link add "to-$2" netns "$N$1" type veth peer name "to-$1" netns "$N$2" &&
		inside "$1" ip link set "to-$2" up && inside "$2" ip link set "to-$1" up
}
address() { inside "$1" ip addr add "$3" dev "$2" ${4:-}; }
namespaces() {
	local n
	for n in proxy site factory; do want "namespace" ip netns add "$N$n"; done
	for n in pledge proxy site factory; do
		inside "$n" ip link set lo up
		want "no waiting for duplicates" inside "$n" sh -c 'echo 0 >/proc/sys/net/ipv6/conf/all/accept_dad; echo 0 >/proc/sys/net/ipv6/conf/default/accept_dad'
	done
	want "cable" link pledge proxy
	want "cable" link proxy site
	want "cable" link site factory
	want "address" address proxy to-site fd00:2::1/64 nodad
	want "address" address site to-proxy fd00:2::2/64 nodad
	want "address" address site to-factory 10.91.3.1/24
	want "address" address factory to-site 10.91.3.2/24
	until_true 10 inside pledge ip -6 addr show dev to-proxy scope link | grep -q fe80 || bad "no link-local address"
}
world() {
	want factory muster init factory "$W/factory" --organization "Acme Devices" --url 10.91.3.2:9443 --listen 10.91.3.2:9443
	want site muster init site "$W/site" --organization "Example Site" --hosts "10.91.3.1" --listen '[::]:8443'
	PORT[factory]=9443
	trust_site() {
		site manufacturer trust acme --anchors "$W/factory/idevid-ca.pem" --voucher-anchors "$W/factory/voucher-ca.pem" \
			--masa-anchors "$W/factory/masa-tls-ca.pem" --masa-hosts 10.91.3.2:9443 --mode auto
	}
	want trust trust_site
	mkdir "$W/proxy" "$W/devices"
	PORT[proxy]=1
	devices BY-GRASP BY-DNSSD BY-COAP BY-GRASP-UDP BOTH-HOPS SECOND-PORT
	sed -i 's/^registrars.*/discover = true/' "$W/devices"/*/agent.conf
}
# start NAMESPACE: the daemon in it
start() {
	: >"$W/$1.log"
	begin "$1" ip netns exec "$N$1" musterd --config "$W/$1/muster.conf"
	until_true 20 grep -q 'runs from' "$W/$1.log" || bad "$1: $(tail -1 "$W/$1.log")"
}
says() { grep -q "$2" "$W/$1.log"; }
metric() { inside "$1" curl -s --max-time 5 http://127.0.0.1:9100/metrics | sed -n "s/^$2 //p"; }
proxy_conf() { printf 'state = "state"\nops {\n\tlisten = "127.0.0.1:9100"\n}\n%s\n' "$1" >"$W/proxy/muster.conf"; }

# --- the site says where it is by GRASP alone; proxy and pledge listen ---

by_grasp() {
	local d=$W/devices/BY-GRASP
	printf 'discovery {\n\tinterfaces = { "to-proxy" }\n\tcoap = false\n\tgrasp = true\n}\n' >>"$W/site/muster.conf"
	proxy_conf 'proxy {
	listen = "[::]:8444"
	discover = true
}
discovery {
	interfaces = { "to-pledge" }
	registrar_interfaces = { "to-site" }
	coap = false
	grasp = true
}'
	start factory
	# Floods come at the start and then each minute: whoever listens is there first.
	begin agent ip netns exec "${N}pledge" muster-agent --config "$d/agent.conf" --once --timeout 100
	sleep 1
	start proxy
	start site
	until_true 100 gone "${PID[agent]}"
	cp "$W/agent.log" "$d/agent.log"
	down agent
	same "the agent's end" 0 $?
	enrolled BY-GRASP || bad "not enrolled: $(tail -2 "$d/agent.log")"
	want "it came through the proxy's link-local address" grep -q '"peer":"[^"]*fe80[^"]*:8444' "$d/agent.log"
}
nothing_on_other_links() {
	local heard
	heard=$(metric proxy 'muster_discovery_floods_total{outcome="sent"}')
	[ "${heard:-0}" -gt 0 ] || bad "the proxy sent no flood ('$heard')"
	# The site's flood went to the proxy's link: the factory's has none of its groups.
	! inside site ip -6 maddr show dev to-factory | grep -qE 'ff02::(13|fd)' || bad "groups of discovery on a link that is not configured"
	want "and on the configured one they are" inside site sh -c 'ip -6 maddr show dev to-proxy | grep -q "ff02::13"'
}

# --- a foreign registrar answers multicast CoAP; the proxy opens its join port ---

ask() { # QUERY: what libcoap's client hears, as a pledge
	inside pledge timeout 20 coap-client-notls -N -B 3 -m get "coap://[ff02::fd%to-proxy]/.well-known/core?$1" 2>"$W/ask.err" | tr -d '\0'
}
joined_by() { ask 'brski-jp=*' | grep -q "^<>;brski-jp=$1$"; }
proxy_for_udp() {
	down proxy
	proxy_conf 'proxy {
	udp_listen = "[::]:5685"
	'"${1:-}"'
}
discovery {
	interfaces = { "to-pledge" }
	registrar_interfaces = { "to-site" }
	leisure_ms = 200
	answers_per_source = 600
}'
	start proxy
}
no_registrar_no_proxy() {
	down site
	proxy_for_udp
	same "what a pledge hears" "" "$(ask 'brski-jp=*')"
	! says proxy 'join port' || bad "a join port without a registrar"
}
stateless_by_coap() {
	begin answer ip netns exec "${N}site" python3 "$HERE/answer.py" to-proxy rt=brski.rjp '<jpy://[fd00:2::2]:7634>;rt=brski.rjp;var="x y"'
	sleep 1
	proxy_for_udp
	until_true 20 says proxy 'jpy://\[fd00:2::2\]:7634 found' || bad "the registrar was not found: $(tail -2 "$W/proxy.log")"
	until_true 10 says proxy 'join port 5685' || bad "no join port"
	until_true 20 joined_by 5685 || bad "a pledge hears: $(ask 'brski-jp=*') $(tail -2 "$W/ask.err")"
	down answer
}
stateful_by_coap() {
	begin answer ip netns exec "${N}site" python3 "$HERE/answer.py" to-proxy rt=brski '<coaps://[fd00:2::2]/b>;rt=brski'
	sleep 1
	proxy_for_udp
	until_true 20 says proxy 'coaps://\[fd00:2::2\]:5684 found' || bad "the registrar was not found: $(tail -2 "$W/proxy.log")"
	until_true 20 joined_by 5685 || bad "a pledge hears: $(ask 'brski-jp=*') $(tail -2 "$W/ask.err")"
	down answer
}
configured_wins() {
	begin answer ip netns exec "${N}site" python3 "$HERE/answer.py" to-proxy rt=brski.rjp '<jpy://[fd00:2::2]:7634>;rt=brski.rjp'
	sleep 1
	proxy_for_udp 'udp_registrar = "coaps://[fd00:2::2]:5699"'
	until_true 20 joined_by 5685 || bad "a pledge hears: $(ask 'brski-jp=*')"
	sleep 1
	! says proxy 'found' || bad "it looked for another: $(grep found "$W/proxy.log" | tail -1)"
	down answer
}

# --- the registrar is ours: at both hops nobody is told an address ---

both_hops() {
	local d=$W/devices/BOTH-HOPS
	sed -i '/^discovery {/,$d' "$W/site/muster.conf"
	conf site registrar '\tcoaps = "[::]:5684"\n\tjpy = "[::]:7634"'
	printf 'discovery {\n\tinterfaces = { "to-proxy" }\n\tleisure_ms = 200\n}\n' >>"$W/site/muster.conf"
	start site
	proxy_for_udp
	until_true 20 says proxy 'jpy://\[fd00:2::2\]:7634 found' || bad "not found: $(tail -2 "$W/proxy.log")"
	until_true 20 says proxy 'coaps://\[fd00:2::2\]:5684 found' || bad "not found: $(tail -2 "$W/proxy.log")"
	until_true 10 says proxy 'join port 5685' || bad "no join port"
	printf 'transport = "coaps"\n' >>"$d/agent.conf"
	inside pledge muster-agent --config "$d/agent.conf" --once --timeout 60 >>"$d/agent.log" 2>&1
	same "the agent's end" 0 $?
	enrolled BOTH-HOPS || bad "not enrolled: $(tail -2 "$d/agent.log")"
	[ "$(metric proxy 'muster_proxy_udp_datagrams_total{mode="stateless",direction="to_registrar"}')" -gt 0 ] || bad "not stateless (JP-U4)"
	down site
}
# cJP 5.2: two join-ports in one answer, nobody behind the first: the other one is tried (MUST).
second_port() {
	local d=$W/devices/SECOND-PORT
	start site
	proxy_conf 'proxy {
	udp_listen = "[::]:5685"
	udp_registrar = "jpy://[fd00:2::2]:7634"
}'
	down proxy
	start proxy
	begin answer ip netns exec "${N}proxy" python3 "$HERE/answer.py" to-pledge 'brski-jp=*' '<>;brski-jp=9,<>;brski-jp="5685";var="c509 v2"'
	printf 'transport = "coaps"\n' >>"$d/agent.conf"
	inside pledge muster-agent --config "$d/agent.conf" --once --timeout 60 >>"$d/agent.log" 2>&1
	same "the agent's end" 0 $?
	enrolled SECOND-PORT || bad "not enrolled: $(tail -2 "$d/agent.log")"
	want "the first was tried" grep -q ':9"' "$d/agent.log"
	down answer
	down site
}
# cV 10: a pledge that is one hop away finds the registrar as if it were a proxy.
one_hop() {
	start site
	same "what a neighbour of the registrar hears" "<>;brski-jp=5684" \
		"$(inside proxy timeout 20 coap-client-notls -N -B 3 -m get "coap://[ff02::fd%to-site]/.well-known/core?brski-jp=*" 2>/dev/null | head -1)"
	same "rt=brski from beyond a link-local address" "<coaps://[fd00:2::2]/b>;rt=brski" \
		"$(inside proxy python3 "$HERE/answer.py" --ask to-site ff05::fd rt=brski)"
	down site
}

# --- bad weather ---

rss() { metric proxy muster_resident_memory_bytes | cut -d. -f1; }
flood() {
	local before after answered all
	proxy_for_udp 'udp_registrar = "coaps://[fd00:2::2]:5699"'
	sed -i 's/answers_per_source = 600/answers_per_source = 6/' "$W/proxy/muster.conf"
	down proxy
	start proxy
	until_true 20 joined_by 5685 || bad "no answer before the flood"
	want "warm-up" inside pledge python3 "$HERE/answer.py" --flood to-proxy 2000
	before=$(rss)
	want "flood" inside pledge python3 "$HERE/answer.py" --flood to-proxy 50000
	after=$(rss)
	answered=$(sed -n 's/^answers: //p' "$W/want.out")
	[ "${answered:-999}" -le 10 ] || bad "50000 requests of one source got '$answered' answers"
	all=$(inside proxy curl -s http://127.0.0.1:9100/metrics | awk '/^muster_discovery_requests_total/ { n += $2 } END { print n + 0 }')
	[ "$all" -gt 5000 ] || bad "only $all requests were counted"
	awk -v a="$before" -v b="$after" 'BEGIN { exit !(a > 0 && b - a < 1e6) }' || bad "resident memory went from $before to $after bytes"
	[ "$(metric proxy 'muster_discovery_requests_total{outcome="rate_source"}')" -gt 1000 ] || bad "refusals are not counted"
}
garbage() {
	want "garbage at both ports" inside pledge python3 "$HERE/answer.py" --garbage to-proxy 3000
	[ "$(metric proxy 'muster_discovery_requests_total{outcome="malformed"}')" -gt 100 ] || bad "not counted"
	until_true 90 joined_by 5685 || bad "no answer after it"
}

# --- an agent over CoAPS finds the join port; each way alone ---

agent_finds() { # NAME: with the proxy as it is
	local d=$W/devices/$1
	cat >>"$d/agent.conf" <<-END
		transport = "coaps"
		log {
			level = "debug"
		}
	END
	begin agent ip netns exec "${N}pledge" muster-agent --config "$d/agent.conf" --once --timeout 30
	until_true 30 grep -q 'coaps://\[fe80[^"]*\]:5685 found' "$W/agent.log" || bad "not found: $(tail -1 "$W/agent.log")"
	down agent
	rm "$W/agent.log"
}
by_coap() {
	proxy_for_udp 'udp_registrar = "coaps://[fd00:2::2]:5699"'
	agent_finds BY-COAP
}
by_dnssd() {
	down proxy
	proxy_conf 'proxy {
	udp_listen = "[::]:5685"
	announce = "Constrained proxy"
	udp_registrar = "coaps://[fd00:2::2]:5699"
}'
	start proxy
	same "what a pledge hears by CoAP" "" "$(ask 'brski-jp=*')"
	agent_finds BY-DNSSD
}
by_grasp_udp() {
	down proxy
	proxy_conf 'proxy {
	udp_listen = "[::]:5685"
	udp_registrar = "coaps://[fd00:2::2]:5699"
}
discovery {
	interfaces = { "to-pledge" }
	coap = false
	grasp = true
}'
	# the agent is there before the flood
	begin proxy ip netns exec "${N}proxy" sh -c "sleep 3; exec musterd --config $W/proxy/muster.conf"
	agent_finds BY-GRASP-UDP
}

t namespaces_are_made namespaces
[ "$FAILED" = 0 ] || finish
t a_world_is_made world
[ "$FAILED" = 0 ] || { cat "$W/make.log"; finish; }
t DI_1_bootstrap_with_GRASP_alone by_grasp
[ "$FAILED" = 0 ] || tail -n 4 "$W"/*.log
t DI_7_nothing_is_told_on_other_links nothing_on_other_links
if command -v coap-client-notls python3 >/dev/null; then
	t JP_U4_no_registrar_no_join_port no_registrar_no_proxy
	t DI_4_stateless_registrar_by_multicast_CoAP stateless_by_coap
	t DI_4_stateful_registrar_by_multicast_CoAP stateful_by_coap
	t DI_4_a_configured_registrar_wins configured_wins
	t DI_3_DI_4_bootstrap_over_CoAPS_discovered_at_both_hops both_hops
	t cJP_5_2_the_second_join_port_is_tried second_port
	t cV_10_registrar_one_hop_away one_hop
	t DI_7_a_flood_of_multicast_requests flood
	t SEC_12_garbage_by_multicast garbage
	t DI_3_agent_finds_the_join_port_by_CoAP by_coap
	t DI_2_agent_finds_the_join_port_by_DNS_SD by_dnssd
	t DI_1_agent_finds_the_join_port_by_GRASP by_grasp_udp
else
	skip coap "coap-client-notls or python3 is not here"
fi
finish
