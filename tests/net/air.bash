# SPDX-License-Identifier: Apache-2.0
# air.bash: what one constrained bootstrap puts on the link: each datagram of a
# device that joins over CoAPS and reports its enrolment, as tshark sees it
# (bytes of UDP payload; IPv6 and UDP headers are 48 more). BIN is a release
# build. Figures, no test. Needs the right to capture on loopback.
. "$(dirname "$0")/../e2e/world.bash"

world_make || exit 1
read -r "PORT[coaps]" _ < <("$BIN/tests/e2e/e2e_tool" ports 1)
conf site registrar "\tcoaps = \"127.0.0.1:${PORT[coaps]}\""
devices A-1 || exit 1
for p in factory site; do up "$p" || { tail -3 "$W/$p.log"; exit 1; }; done
VIA=${PORT[coaps]} agent_conf A-1 'transport = "coaps"'
tshark -q -i lo -f "udp port ${PORT[coaps]}" -w "$W/air.pcap" 2>"$W/tshark.err" &
shark=$!
for ((i = 0; i < 100; i++)); do
	[ ! -s "$W/air.pcap" ] || break
	sleep 0.1
done
[ -s "$W/air.pcap" ] || { echo "no capture: $(tail -1 "$W/tshark.err")"; exit 1; }
join A-1 30 || { echo "the device did not join"; exit 1; }
sleep 1
kill -INT "$shark"
wait "$shark"
tshark -r "$W/air.pcap" -d "udp.port==${PORT[coaps]},dtls" -T fields -E separator=';' -e udp.dstport -e udp.length \
	-e dtls.record.content_type -e dtls.handshake.type 2>/dev/null |
	awk -F';' -v server="${PORT[coaps]}" '
	function words(content, handshake,    n, i, h, out) {
		if (content !~ /22/) return content ~ /23/ ? "application data" : content ~ /21/ ? "alert" : "change cipher"
		split("1 2 3 11 12 13 14 15 16 20", number, " ")
		split("ClientHello ServerHello HelloVerifyRequest Certificate ServerKeyExchange CertificateRequest ServerHelloDone CertificateVerify ClientKeyExchange Finished", name, " ")
		n = split(handshake, h, ",")
		for (i = 1; i <= n; i++) for (k in number) if (number[k] == h[i] && !index(out, name[k])) out = out " " name[k]
		return out == "" ? "handshake, encrypted" : substr(out, 2)
	}
	{
		up = $1 == server; bytes = $2 - 8
		if (up && !last) trips++
		last = up; total[up] += bytes; count[up]++
		printf "  %s %5d B  %s\n", up ? "->" : "<-", bytes, words($3, $4)
	}
	END {
		printf "one constrained bootstrap: %d datagrams, %d B from the device and %d B to it, %d round trips\n",
			count[0] + count[1], total[1], total[0], trips
	}'
