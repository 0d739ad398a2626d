# SPDX-License-Identifier: Apache-2.0
# Pledge, join proxy, registrar and MASA each in a network namespace of its own,
# finding each other by DNS-SD, with every byte of both links captured: with
# TLS 1.3 at both ends no serial number and no subject is seen in clear
# (issue 2, item 22; RFC 8995 10.2 hopes for it).
#
#   pledge --10.91.1.0/24-- proxy --10.91.2.0/24-- registrar --10.91.3.0/24-- masa
. "$(dirname "$0")/world.bash"
N=m$$

world_cleanup() {
	local n
	for n in pledge proxy site factory; do ip netns del "$N$n" 2>/dev/null; done
}
give_up() {
	skip bootstrap_across_namespaces "$1"
	echo "[  PASSED  ] 0 test(s)."
	echo "[  SKIPPED ] 1 test(s)."
	exit 0
}
[ "$(id -u)" = 0 ] || give_up "needs root, to make network namespaces"
ip netns add "${N}pledge" 2>/dev/null || give_up "this machine lets nobody make network namespaces"
CAPTURE=$(command -v dumpcap || command -v tcpdump) || give_up "neither tshark nor tcpdump is here"

inside() {
	local n=$1
	shift
	ip netns exec "$N$n" "$@"
}
# link A B NET: a cable, A has .1 and B has .2.
link() {
	ip link add "to-$2" netns "$N$1" type veth peer name "to-$1" netns "$N$2" &&
		inside "$1" ip addr add "10.91.$3.1/24" dev "to-$2" && inside "$2" ip addr add "10.91.$3.2/24" dev "to-$1" &&
		inside "$1" ip link set "to-$2" up && inside "$2" ip link set "to-$1" up
}
namespaces() {
	local n
	for n in proxy site factory; do want "namespace" ip netns add "$N$n"; done
	for n in pledge proxy site factory; do inside "$n" ip link set lo up; done
	want "cable" link pledge proxy 1
	want "cable" link proxy site 2
	want "cable" link site factory 3
}
world() {
	want factory muster init factory "$W/factory" --organization "Acme Devices" --url 10.91.3.2:9443 --listen 10.91.3.2:9443
	want site muster init site "$W/site" --organization "Example Site" --hosts "10.91.2.2 10.91.3.1" --listen 0.0.0.0:8443 --announce "Registrar of the test"
	PORT[factory]=9443
	trust_site() {
		site manufacturer trust acme --anchors "$W/factory/idevid-ca.pem" --voucher-anchors "$W/factory/voucher-ca.pem" \
			--masa-anchors "$W/factory/masa-tls-ca.pem" --masa-hosts 10.91.3.2:9443 --mode auto
	}
	want trust trust_site
	mkdir "$W/proxy" "$W/devices"
	printf 'state = "state"\nproxy {\n\tlisten = "[::]:8444"\n\tdiscover = true\n\tannounce = "Proxy of the test"\n}\n' >"$W/proxy/muster.conf"
	PORT[proxy]=1
	devices SERIAL-IN-NO-CAPTURE NEAR
	sed -i 's/^registrars.*/discover = true/' "$W"/devices/*/agent.conf
}
# start NAMESPACE: the daemon in it
start() {
	begin "$1" ip netns exec "$N$1" musterd --config "$W/$1/muster.conf"
	until_true 20 grep -q 'runs from' "$W/$1.log" || bad "$1: $(tail -1 "$W/$1.log")"
}
capture() { # NAMESPACE LINK FILE
	case $CAPTURE in
	*dumpcap) begin "capture-$1" ip netns exec "$N$1" "$CAPTURE" -q -i "to-$2" -P -w "$W/$3.pcap" ;;
	*) begin "capture-$1" ip netns exec "$N$1" "$CAPTURE" -U -i "to-$2" -w "$W/$3.pcap" ;;
	esac
	until_true 10 test -s "$W/$3.pcap" || bad "no capture: $(tail -1 "$W/capture-$1.log")"
}
bootstrap() {
	local d=$W/devices/SERIAL-IN-NO-CAPTURE
	capture pledge proxy pledge
	capture site proxy registrar
	start factory
	start site
	start proxy
	inside pledge muster-agent --config "$d/agent.conf" --once --timeout 60 >>"$d/agent.log" 2>&1
	same "the agent's end" 0 $?
	enrolled SERIAL-IN-NO-CAPTURE || bad "not enrolled: $(tail -2 "$d/agent.log")"
	want "it came through the proxy" grep -q '"peer":"[^"]*\(10.91.1.2\|fe80[^"]*\):8444' "$d/agent.log"
	sleep 0.5
	down capture-pledge INT
	down capture-site INT
}
# A device on the registrar's own link, and no proxy: _brski-registrar._tcp alone.
registrar_by_dns_sd() {
	local d=$W/devices/NEAR
	down proxy
	inside proxy muster-agent --config "$d/agent.conf" --once --timeout 60 >>"$d/agent.log" 2>&1
	same "the agent's end" 0 $?
	enrolled NEAR || bad "not enrolled: $(tail -2 "$d/agent.log")"
	want "it came to the registrar itself" grep -q '"step":"enroll","outcome":"accepted".*"peer":"[^"]*\(10.91.2.2\|fe80[^"]*\):8443' "$d/agent.log"
}
nothing_in_clear() {
	local f w
	for f in pledge registrar; do
		[ "$(stat -c %s "$W/$f.pcap" 2>/dev/null || echo 0)" -gt 8000 ] || bad "the capture $f has only $(stat -c %s "$W/$f.pcap") bytes"
		for w in SERIAL-IN-NO-CAPTURE 'Acme Devices' 'Example Site' 'IDevID CA' 'Domain CA' requestvoucher simpleenroll; do
			! grep -qaF "$w" "$W/$f.pcap" || bad "'$w' is in the capture of the $f's link"
		done
		# the same words as UTF-16, and DER of the serial in base64, are no better
		! grep -qaF "$(printf 'SERIAL-IN-NO-CAPTURE' | base64 | cut -c1-24)" "$W/$f.pcap" || bad "the serial in base64"
	done
	# What a search that finds nothing is worth: the same search finds what is there.
	want "DNS-SD is in the capture" grep -qaF '_brski-proxy' "$W/pledge.pcap"
	want "and the registrar's" grep -qaF '_brski-registrar' "$W/registrar.pcap"
}
# TLS 1.2 would show the certificates: both links spoke 1.3.
tls13_only() {
	local f v
	command -v tshark >/dev/null || { skip tls13 "tshark is not here"; return; }
	for f in pledge registrar; do
		v=$(tshark -r "$W/$f.pcap" -d tcp.port==8443,tls -d tcp.port==8444,tls -d tcp.port==9443,tls -Y 'tls.handshake.type == 2' \
			-T fields -e tls.handshake.extensions.supported_version 2>/dev/null | sort -u | tr -d '\n')
		case $v in *0x0304*) ;; *) bad "versions that the servers chose on the $f's link: '$v'" ;; esac
		same "certificates in clear on the $f's link" "" "$(tshark -r "$W/$f.pcap" -d tcp.port==8443,tls -d tcp.port==8444,tls -Y 'tls.handshake.type == 11' 2>/dev/null | head -1)"
	done
}

t namespaces_are_made namespaces
[ "$FAILED" = 0 ] || finish
t a_world_is_made world
[ "$FAILED" = 0 ] || { cat "$W/make.log"; finish; }
t bootstrap_across_namespaces_by_dns_sd bootstrap
[ "$FAILED" = 0 ] || tail -n 4 "$W"/*.log
t no_serial_or_subject_in_clear nothing_in_clear
t both_links_spoke_tls_1_3 tls13_only
t registrar_found_by_dns_sd_without_a_proxy registrar_by_dns_sd
finish
