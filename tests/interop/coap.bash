# SPDX-License-Identifier: Apache-2.0
# libcoap's command line clients, with OpenSSL and with GnuTLS, against the
# registrar's CoAPS listener; python3-cbor2 and openssl read what it answers
# (issue 3 items 3 and 8; brski.md 13.1, est.md section 13).
. "$(dirname "$0")/../e2e/world.bash"

COAP_PORT=$("$BIN/tests/e2e/e2e_tool" ports 1 | xargs)
BASE=coaps://127.0.0.1:$COAP_PORT
EST=$BASE/.well-known/est
BRSKI=$BASE/.well-known/brski
CLIENT=coap-client-openssl
# as CERT KEY URI [client arguments]: the payload in $W/o, what the client says in $W/coap.err.
as() {
	local cert=$1 key=$2 uri=$3
	shift 3
	rm -f "$W/o"
	timeout 60 "$CLIENT" -n -c "$cert" -j "$key" -B 20 -v 4 -o "$W/o" "$@" "$uri" >"$W/coap.err" 2>&1
	touch "$W/o"
}
dev() { # SERIAL URI ...
	local d=$W/devices/$1
	shift
	as "$d/idevid.pem" "$d/idevid.key" "$@"
}
# A refusal's code is on stderr, its payload too.
refused() { # CODE NAME
	want "it is $1" grep -q "^$1" "$W/coap.err"
	want "named $2" grep -qa "$2" "$W/coap.err" "$W/o"
}
multipart() { # prints "format sha256" per part of $W/o; part N goes to $W/part.N
	/usr/bin/python3 - "$W" <<-'END'
		import cbor2, hashlib, sys
		w = sys.argv[1]
		raw = open(w + "/o", "rb").read()
		a = cbor2.loads(raw)
		assert cbor2.dumps(a) == raw, "not the shortest encoding"
		for i in range(0, len(a), 2):
		    print(a[i], hashlib.sha256(a[i + 1]).hexdigest())
		    open(f"{w}/part.{i // 2}", "wb").write(a[i + 1])
	END
}
csr() { # NAME SUBJECT: NAME.key, NAME.der
	openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$W/$1.key" -subj "$2" -outform DER -out "$W/$1.der" 2>/dev/null
}
# A voucher over HTTPS first: whether CoAPS enrols is the matter here (one policy for all wires).
with_voucher() { # SERIAL
	join "$1" || { cat "$W/devices/$1/agent.log"; return 1; }
}
certificates() { site cert list --device "$1" --json 2>/dev/null | jq length; }
metric() { curl -s "http://127.0.0.1:${PORT[site_ops]}/metrics" | grep -F "$1" | sed 's/.* //' | head -1; }

discovery() {
	dev F-1 "$BASE/.well-known/core?rt=brski*"
	same "brski (DI-5)" '</b>;rt=brski,</b/rv>;rt=brski.rv;ct=836,</b/vs>;rt=brski.vs;ct="60 50",</b/es>;rt=brski.es;ct="60 50"' "$(cat "$W/o")"
	dev F-1 "$BASE/.well-known/core?rt=ace.est*"
	want "the three that must be listed (D2)" grep -q '</e/crts>.*</e/sen>.*</e/sren>' "$W/o"
	dev F-1 "$BASE/.well-known/core"
	want "all of it, in blocks" grep -q '</b/rv>.*</e/skc>' "$W/o"
	dev F-1 "$BASE/.well-known/core?rt=nothing"
	refused 4.04 MU-1008
}
crts() { # [client arguments]
	dev F-1 "$EST/crts" "$@"
	openssl pkcs7 -inform DER -in "$W/o" -print_certs 2>/dev/null | openssl x509 -outform DER >"$W/got.der" 2>/dev/null
	want "without Accept: 281, the CA" cmp "$W/got.der" "$W/ca.der"
	dev F-1 "$EST/crts" -A 281 "$@"
	openssl pkcs7 -inform DER -in "$W/o" -print_certs 2>/dev/null | openssl x509 -outform DER >"$W/got.der" 2>/dev/null
	want "281" cmp "$W/got.der" "$W/ca.der"
	dev F-1 "$EST/crts" -A 287 "$@"
	want "287" cmp "$W/o" "$W/ca.der"
	dev F-1 "$EST/crts" -A 62 "$@"
	same "62 (CO-2)" "287 $(sha256sum <"$W/ca.der" | cut -d' ' -f1)" "$(multipart)"
	dev F-1 "$EST/crts" -A 60 "$@"
	refused 4.06 MU-2027
}
crts_in_blocks() {
	local size
	for size in 16 64 256 1024; do crts -b $size; done
}
abbreviated() {
	dev F-1 "$BASE" -O 13,0x012d -A 287
	want "301 is crts (CO-5)" cmp "$W/o" "$W/ca.der"
	dev F-1 "$BASE" -O 13,0x03e7
	refused 4.02 MU-2031
	dev F-1 "$EST/crts" -O 13,0x012d
	refused 4.02 MU-2031
}
strangers() {
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$W/self.key" -out "$W/self.pem" -subj "/CN=self" -days 2 2>/dev/null
	as "$W/self.pem" "$W/self.key" "$EST/crts"
	refused 4.03 MU-2001
	csr self2 "/CN=self"
	as "$W/self.pem" "$W/self.key" "$EST/sen" -m post -t 286 -f "$W/self2.der"
	refused 4.03 MU-2001
}
no_certificate() {
	local before after
	before=$(metric 'muster_dtls_handshakes_total{listener="registrar",outcome="no_client_cert"}')
	timeout 20 "$CLIENT" -n -B 3 -o "$W/o" "$EST/crts" >"$W/coap.err" 2>&1
	want "nothing came" test ! -s "$W/o"
	after=$(metric 'muster_dtls_handshakes_total{listener="registrar",outcome="no_client_cert"}')
	[ "${after:-0}" != "${before:-0}" ] || bad "it is not counted (X3)"
	want "and named" grep -q MU-2000 "$W/site.log"
}
wrong_formats() {
	csr fmt "/serialNumber=F-1"
	dev F-1 "$EST/sen" -m post -t 281 -f "$W/fmt.der"
	refused 4.15 MU-2026
	dev F-1 "$EST/sen" -m post -t 286 -A 9999 -f "$W/fmt.der"
	refused 4.06 MU-2027
	dev F-1 "$BRSKI/rv" -m post -t 65502 -f "$W/fmt.der"
	refused 4.15 MU-2026
	dev F-1 "$EST/sen"
	refused 4.05 MU-2025
	dev F-1 "$EST/nothing"
	refused 4.04 MU-2024
	dev F-1 "$EST/sen" -m post -t 286 -e "nocsr"
	refused 4.00 MU-41
	base64 -w0 "$W/fmt.der" >"$W/fmt.b64"
	dev F-1 "$EST/sen" -m post -t 286 -f "$W/fmt.b64"
	refused 4.00 MU-41 # never base64 (RFC 9148 4.3)
}
too_large() {
	head -c 40000 /dev/zero >"$W/large"
	dev F-1 "$EST/sen" -m post -t 286 -f "$W/large" -b 1024
	refused 4.13 MU-2022
}
gate() {
	csr gate "/serialNumber=F-8"
	dev F-8 "$EST/sen" -m post -t 286 -f "$W/gate.der"
	refused 4.03 MU-4000
}
issued_is_good() { # NAME PEM
	want "openssl verify" openssl verify -x509_strict -CAfile "$W/site/ca.pem" "$2"
	same "of that key" "$(openssl pkey -in "$W/$1.key" -pubout)" "$(openssl x509 -in "$2" -noout -pubkey)"
}
sen() { # SERIAL [client arguments]
	local s=$1 before
	shift
	with_voucher "$s"
	before=$(certificates "$s")
	csr sen "/O=Example Site/serialNumber=$s"
	dev "$s" "$EST/sen" -m post -t 286 -f "$W/sen.der" "$@"
	openssl pkcs7 -inform DER -in "$W/o" -print_certs >"$W/sen.pem" 2>/dev/null
	issued_is_good sen "$W/sen.pem"
	dev "$s" "$EST/sen" -m post -t 286 -A 287 -f "$W/sen.der" "$@"
	openssl x509 -inform DER -in "$W/o" -out "$W/sen2.pem" 2>/dev/null
	want "the same CSR with Accept 287: the same certificate" test "$(openssl x509 -in "$W/sen.pem" -noout -serial)" = "$(openssl x509 -in "$W/sen2.pem" -noout -serial)"
	same "one certificate more" $((before + 1)) "$(certificates "$s")"
}
sen_in_small_blocks() { sen "$1" -b 64; }
# est.md 15, 16: what is lost is sent again, what was issued is not issued again.
sen_with_losses() {
	local s=$1 i before
	with_voucher "$s"
	before=$(certificates "$s")
	csr loss "/O=Example Site/serialNumber=$s"
	for i in 2 3 4 5; do
		dev "$s" "$EST/sen" -m post -t 286 -f "$W/loss.der" -l "1$i,2$i" -b 256
		openssl pkcs7 -inform DER -in "$W/o" -print_certs >"$W/loss.$i.pem" 2>/dev/null
		issued_is_good loss "$W/loss.$i.pem"
		same "one certificate for all tries" $((before + 1)) "$(certificates "$s")"
	done
}
sren() {
	openssl x509 -in "$(ldevid "$1")" -out "$W/l.pem"
	openssl pkey -in "$(ldevid "$1")" -out "$W/l.key"
	openssl x509 -x509toreq -in "$W/l.pem" -signkey "$W/l.key" 2>/dev/null | openssl req -outform DER -out "$W/sren.der"
	as "$W/l.pem" "$W/l.key" "$EST/sren" -m post -t 286 -A 287 -f "$W/sren.der"
	openssl x509 -inform DER -in "$W/o" -out "$W/renewed.pem" 2>/dev/null
	want "openssl verify" openssl verify -x509_strict -CAfile "$W/site/ca.pem" "$W/renewed.pem"
	same "the same subject" "$(openssl x509 -in "$W/l.pem" -noout -subject)" "$(openssl x509 -in "$W/renewed.pem" -noout -subject)"
	dev "$1" "$EST/sren" -m post -t 286 -f "$W/sren.der"
	refused 4.03 MU-4004
}
att() {
	dev F-1 "$EST/att"
	want "DER" openssl asn1parse -inform DER -in "$W/o"
}
keygen() { # SERIAL
	with_voucher "$1"
	csr kg "/O=Example Site/serialNumber=$1"
	dev "$1" "$EST/skc" -m post -t 286 -f "$W/kg.der"
	same "284 and 287 (F3)" "284 287" "$(multipart | cut -d' ' -f1 | xargs)"
	openssl pkey -inform DER -in "$W/part.0" -out "$W/kg.key" 2>/dev/null
	openssl x509 -inform DER -in "$W/part.1" -out "$W/kg.pem" 2>/dev/null
	issued_is_good kg "$W/kg.pem"
	dev "$1" "$EST/skg" -m post -t 286 -f "$W/kg.der"
	same "284 and 281 (F3)" "284 281" "$(multipart | cut -d' ' -f1 | xargs)"
	openssl pkey -inform DER -in "$W/part.0" -out "$W/kg.key" 2>/dev/null
	openssl pkcs7 -inform DER -in "$W/part.1" -print_certs >"$W/kg.pem" 2>/dev/null
	issued_is_good kg "$W/kg.pem"
}
telemetry() {
	printf '\243gversion\001fstatus\364freasonhnot mine' >"$W/es.cbor"
	dev F-1 "$BRSKI/es" -m post -t 60 -f "$W/es.cbor"
	same "2.04 has no payload" "" "$(cat "$W/o")"
	printf '{"version":1,"status":false,"reason":"not mine"}' >"$W/es.json"
	dev F-1 "$BRSKI/es" -m post -t 50 -f "$W/es.json"
	same "JSON too" "" "$(cat "$W/o")"
	dev F-1 "$BRSKI/es" -m post -t 60 -e "no CBOR"
	refused 4.00 MU-2500
	dev F-1 "$BRSKI/rv" -m post -t 836 -e "no COSE"
	refused 4 MU-
}

# Without Accept the maker's devices get what the site says they expect (CO-2).
bare_certificate() { # SERIAL
	with_voucher "$1"
	csr bare "/O=Example Site/serialNumber=$1"
	dev "$1" "$EST/sen" -m post -t 286 -f "$W/bare.der"
	openssl x509 -inform DER -in "$W/o" -out "$W/bare.pem" 2>/dev/null
	issued_is_good bare "$W/bare.pem"
	dev "$1" "$EST/sen" -m post -t 286 -A 281 -f "$W/bare.der"
	want "281 for who asks for it" openssl pkcs7 -inform DER -in "$W/o" -print_certs -noout
}
# During a rollover one certificate alone is not what a device must trust.
several_anchors() {
	dev F-1 "$EST/crts" -A 287
	refused 4.06 MU-2027
	dev F-1 "$EST/crts" -A 62
	same "root, OldWithOld, OldWithNew, NewWithOld (P3)" "287 287 287 287" "$(multipart | cut -d' ' -f1 | xargs)"
	want "the issuer comes first" cmp "$W/part.0" "$W/ca.der"
}

world_make || exit 1
conf site registrar "\tcoaps = \"127.0.0.1:$COAP_PORT\""
conf site est '\tkeygen = true'
devices F-1 F-2 F-3 F-4 F-5 F-6 F-7 F-8 F-9 F-10 || exit 1
up factory && up site && up proxy || exit 1
openssl x509 -in "$W/site/ca.pem" -outform DER -out "$W/ca.der"
with_voucher F-1 || exit 1

n=2
for CLIENT in coap-client-openssl coap-client-gnutls; do
	if ! command -v $CLIENT >/dev/null; then
		skip "$CLIENT" "it is not installed"
		continue
	fi
	t "$CLIENT: discovery over DTLS (DI-5)" discovery
	t "$CLIENT: crts by Accept (CO-2)" crts
	t "$CLIENT: crts in blocks of 16 to 1024 (M2)" crts_in_blocks
	t "$CLIENT: Uri-Path-Abbrev (CO-5)" abbreviated
	t "$CLIENT: a certificate nobody knows (D3)" strangers
	t "$CLIENT: no certificate (X3)" no_certificate
	t "$CLIENT: wrong formats, methods and paths (13.1)" wrong_formats
	t "$CLIENT: a request beyond the cap (CO-4)" too_large
	t "$CLIENT: no certificate before the voucher (EST-3)" gate
	t "$CLIENT: sen, 281 and 287" sen F-$n
	n=$((n + 1))
	t "$CLIENT: sen with blocks of 64 (M2)" sen_in_small_blocks F-$n
	n=$((n + 1))
	t "$CLIENT: sen with losses issues once (M4)" sen_with_losses F-$n
	n=$((n + 1))
	t "$CLIENT: sren" sren F-1
	t "$CLIENT: att" att
	t "$CLIENT: skc and skg (F3)" keygen F-9
	t "$CLIENT: telemetry in CBOR and JSON (13.1)" telemetry
done

down site
conf site est '\tsingle_certificate = { "acme" }'
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$W/site/old.key" -out "$W/site/old.pem" -days 30 \
	-subj "/O=Example Site/CN=Former CA" -addext "keyUsage=critical,keyCertSign,cRLSign" 2>/dev/null
chmod 600 "$W/site/old.key"
conf site 'ca ""' '\told_cert = "old.pem"\n\told_key = "old.key"'
up site || cat "$W/site.log"
CLIENT=coap-client-openssl
t "the bare certificate for a maker's devices (CO-2)" bare_certificate F-10
t "several anchors (CO-2)" several_anchors
finish
