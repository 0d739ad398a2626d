# SPDX-License-Identifier: Apache-2.0
# curl, openssl and strongSwan's pki as EST clients, a pledge made of openssl
# cms, and the bytes of our answers as they are on the wire (requirements/est.md
# sections 1 to 7; the ids stand in the names).
. "$(dirname "$0")/../e2e/world.bash"

EST=.well-known/est
# ask METHOD PATH [curl arguments]: status in $S, headers in $W/h, body in $W/b.
ask() {
	local method=$1 path=$2
	shift 2
	S=$(curl -sS --max-time 20 --cacert "$W/site/ca.pem" -X "$method" -D "$W/h" -o "$W/b" -w '%{http_code}' "$@" \
		"https://localhost:${PORT[site]}/$path" 2>"$W/curl.err") || S="curl: $(cat "$W/curl.err")"
	touch "$W/b"
}
header() { sed -n "s/^$1: \(.*\)\r$/\1/p" "$W/h"; }
enroll() { # PATH CSR [curl arguments]
	local path=$1 csr=$2
	shift 2
	ask POST "$EST/$path" -H 'Content-Type: application/pkcs10' --data-binary "@$csr" "$@"
}
# One line: code, sentence, request id; the id is in the header too.
refused_as() { # STATUS CODE
	same "status" "$1" "$S"
	want "the body names $2" grep -q "^$2 " "$W/b"
	same "one line" 1 "$(wc -l <"$W/b")"
	want "with the request id" grep -qF "request $(header X-Request-Id)" "$W/b"
	same "Content-Length" "$(stat -c %s "$W/b")" "$(header Content-Length)"
}
# The certificates of a certs-only answer, PEM.
certs() { base64 -d <"$W/b" | openssl pkcs7 -inform DER -print_certs 2>/dev/null; }
csr() { # NAME SUBJECT: NAME.key, NAME.b64
	openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$W/$1.key" -subj "$2" -outform DER -out "$W/$1.der" 2>/dev/null
	base64 -w0 "$W/$1.der" >"$W/$1.b64"
}

curl_cacerts() {
	ask GET $EST/cacerts
	same "status" 200 "$S"
	same "media type, without a parameter" application/pkcs7-mime "$(header Content-Type)"
	same "Content-Transfer-Encoding" base64 "$(header Content-Transfer-Encoding)"
	certs | openssl x509 -outform DER >"$W/got.der"
	openssl x509 -in "$W/site/ca.pem" -outform DER -out "$W/ca.der"
	want "it is the CA" cmp "$W/got.der" "$W/ca.der"
	same "no signers, no CRLs" "" "$(base64 -d <"$W/b" | openssl asn1parse -inform DER 2>/dev/null | grep -n 'cont \[ 1 \]')"
	ask HEAD $EST/cacerts --head
	same "HEAD" 200 "$S"
}
curl_csrattrs() {
	ask GET $EST/csrattrs
	case $S in 200 | 204) ;; *) bad "anonymous: $S" ;; esac
	ask GET $EST/csrattrs --cert "$W/devices/F-1/idevid.pem" --key "$W/devices/F-1/idevid.key"
	same "for a device" 200 "$S"
	same "media type" application/csrattrs "$(header Content-Type)"
	want "DER" openssl asn1parse -inform DER -in <(base64 -d <"$W/b")
	want "it asks for the serial number" grep -q 'serialNumber' <(base64 -d <"$W/b" | openssl asn1parse -inform DER -i)
}
curl_basic() {
	csr basic "/O=Example Site/CN=printer"
	enroll simpleenroll "$W/basic.b64"
	same "without a password" 401 "$S"
	want "it asks for Basic" grep -qi '^Basic realm="[^"]*"' <(header WWW-Authenticate)
	enroll simpleenroll "$W/basic.b64" -u printer:wrong
	same "with a wrong one" 401 "$S"
	enroll simpleenroll "$W/basic.b64" -u printer:correct-horse
	same "with the right one" 200 "$S" || cat "$W/b"
	same "media type" "application/pkcs7-mime; smime-type=certs-only" "$(header Content-Type)"
	certs >"$W/basic.pem"
	same "exactly one certificate" 1 "$(grep -c BEGIN "$W/basic.pem")"
	want "openssl verify" openssl verify -x509_strict -purpose sslclient -CAfile "$W/site/ca.pem" "$W/basic.pem"
	same "of that key" "$(openssl pkey -in "$W/basic.key" -pubout)" "$(openssl x509 -in "$W/basic.pem" -noout -pubkey)"
	cp "$W/b" "$W/first"
	enroll simpleenroll "$W/basic.b64" -u printer:correct-horse
	want "the same CSR again: the same certificate" cmp "$W/first" "$W/b"
}
curl_bodies() {
	local u="-u printer:correct-horse"
	csr chunked "/O=Example Site/CN=printer"
	enroll simpleenroll "$W/chunked.b64" $u -H 'Transfer-Encoding: chunked'
	same "chunked (H1)" 200 "$S"
	csr expect "/O=Example Site/CN=printer"
	enroll simpleenroll "$W/expect.b64" $u -H 'Expect: 100-continue'
	same "Expect (H9)" 200 "$S"
	csr pem "/O=Example Site/CN=printer"
	openssl req -inform DER -in "$W/pem.der" -out "$W/pem.pem"
	enroll simpleenroll "$W/pem.pem" $u
	same "PEM armour (B3)" 200 "$S"
	csr lines "/O=Example Site/CN=printer"
	base64 -w64 "$W/lines.der" | sed 's/$/ \t\r/' >"$W/lines.b64"
	enroll simpleenroll "$W/lines.b64" $u
	same "lines, blanks, CR (B2)" 200 "$S"
	enroll simpleenroll "$W/lines.der" $u
	same "raw DER (B3)" 400 "$S"
	printf '!!!not base64!!!' >"$W/junk"
	enroll simpleenroll "$W/junk" $u
	same "no base64" 400 "$S"
	head -c 300 "$W/lines.b64" >"$W/junk"
	enroll simpleenroll "$W/junk" $u
	same "cut short" 400 "$S"
	ask POST $EST/simpleenroll $u -H 'Content-Type: text/plain' --data-binary "@$W/lines.b64"
	same "wrong media type (U5)" 415 "$S"
	head -c 200000 /dev/zero | tr '\0' A >"$W/junk"
	enroll simpleenroll "$W/junk" $u -H 'Expect:'
	same "too long (H9)" 413 "$S"
}
curl_paths() {
	ask GET $EST/nonsense
	same "unknown operation (U3)" 404 "$S"
	ask GET $EST/nolabel/cacerts
	same "unknown label" 404 "$S"
	ask GET $EST/simpleenroll
	same "wrong method (U3)" 405 "$S"
	want "Allow" grep -q POST <(header Allow)
	ask POST $EST/cacerts --data-binary x
	same "wrong method" 405 "$S"
	ask POST $EST/fullcmc -H 'Content-Type: application/pkcs7-mime; smime-type=CMC-request' --data-binary x
	case $S in 404 | 501) ;; *) bad "fullcmc (U4): $S" ;; esac
}
# The gates: who shows what (A1 to A6).
curl_strangers() {
	csr dev "/serialNumber=F-2"
	enroll simpleenroll "$W/dev.b64" --cert "$W/devices/F-2/idevid.pem" --key "$W/devices/F-2/idevid.key"
	refused_as 403 MU-4000
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$W/self.key" -out "$W/self.pem" -subj "/CN=self" -days 2 2>/dev/null
	enroll simpleenroll "$W/dev.b64" --cert "$W/self.pem" --key "$W/self.key"
	refused_as 403 MU-2001
	enroll simplereenroll "$W/dev.b64" --cert "$W/devices/F-2/idevid.pem" --key "$W/devices/F-2/idevid.key"
	same "an IDevID renews nothing" 403 "$S"
	enroll simplereenroll "$W/basic.b64" -u printer:correct-horse
	case $S in 401 | 403) ;; *) bad "a password renews nothing (A3): $S" ;; esac
	# Signed by the CA's own key, but never issued, and over.
	openssl x509 -req -inform DER -in "$W/dev.der" -CA "$W/site/ca.pem" -CAkey "$W/site/ca.key" -set_serial 77 -days 0 \
		-extfile <(printf 'extendedKeyUsage=clientAuth') -out "$W/over.pem" 2>/dev/null
	sleep 1
	enroll simplereenroll "$W/dev.b64" --cert "$W/over.pem" --key "$W/dev.key"
	same "expired" 403 "$S"
	want "named" grep -q '^MU-20' "$W/b"
}
ldevid_files() { # SERIAL: $W/l.pem, $W/l.key, $W/l.b64, a CSR with the same subject and key
	openssl x509 -in "$(ldevid "$1")" -out "$W/l.pem" 2>/dev/null
	openssl pkey -in "$(ldevid "$1")" -out "$W/l.key" 2>/dev/null
	openssl x509 -x509toreq -in "$W/l.pem" -signkey "$W/l.key" 2>/dev/null | openssl req -outform DER -out "$W/l.der"
	base64 -w0 "$W/l.der" >"$W/l.b64"
}
curl_reenroll() {
	want "the agent enrolls first" join F-1
	ldevid_files F-1
	enroll simplereenroll "$W/l.b64" --cert "$W/l.pem" --key "$W/l.key"
	same "status" 200 "$S" || cat "$W/b"
	certs >"$W/new.pem"
	want "openssl verify" openssl verify -CAfile "$W/site/ca.pem" "$W/new.pem"
	same "the same subject (R1)" "$(openssl x509 -in "$W/l.pem" -noout -subject)" "$(openssl x509 -in "$W/new.pem" -noout -subject)"
	[ "$(openssl x509 -in "$W/l.pem" -noout -serial)" != "$(openssl x509 -in "$W/new.pem" -noout -serial)" ] || bad "it is the old certificate"
	csr other "/serialNumber=F-3"
	enroll simplereenroll "$W/other.b64" --cert "$W/l.pem" --key "$W/l.key"
	case $S in 400 | 403) ;; *) bad "another subject (R1): $S" ;; esac
	want "named" grep -q '^MU-' "$W/b"
}

# --- openssl s_client: the bytes ---

raw() { # REQUEST FILE, s_client arguments: $W/raw
	local file=$1
	shift
	(cat "$file"; sleep 1) | timeout 10 openssl s_client -connect "127.0.0.1:${PORT[site]}" -CAfile "$W/site/ca.pem" -verify_return_error -quiet "$@" >"$W/raw" 2>"$W/raw.err"
}
split_raw() { # headers in $W/h, body in $W/b
	sed '/^\r$/q' "$W/raw" >"$W/h"
	tail -c +$(($(stat -c %s "$W/h") + 1)) "$W/raw" >"$W/b"
}
wire_dialect() {
	printf 'GET /%s/cacerts HTTP/1.1\r\nhOST: localhost\r\nConnection: close\r\n\r\n' $EST >"$W/rq"
	raw "$W/rq"
	split_raw
	same "status line (H4)" $'HTTP/1.1 200 OK\r' "$(head -1 "$W/h")"
	want "Content-Type in canonical case (H3)" grep -q '^Content-Type: application/pkcs7-mime.$' "$W/h"
	same "Content-Length is the length (H2)" "$(stat -c %s "$W/b")" "$(header Content-Length)"
	! grep -qi '^transfer-encoding' "$W/h" || bad "chunked (H2)"
	[ "$(stat -c %s "$W/h")" -lt 1000 ] || bad "headers of $(stat -c %s "$W/h") bytes (H4)"
	same "base64 ends with one LF (B4)" "0a" "$(tail -c1 "$W/b" | xxd -p)"
	same "in one line (B4)" 1 "$(wc -l <"$W/b")"
	same "no header but in canonical case" "" "$(tail -n +2 "$W/h" | tr -d '\r' | grep -vE '^([A-Z][a-z0-9]*(-[A-Z][a-z0-9]*)*: .*|)$')"
	! grep -qiE '^(server|x-powered-by):.*[0-9]' "$W/h" || bad "it tells its version"
}
wire_libest() {
	printf 'GET /%s/cacerts HTTP/1.1\r\nHost: localhost\r\nUser-Agent: libest 3.2\r\nConnection: close\r\n\r\n' $EST >"$W/rq"
	raw "$W/rq"
	split_raw
	[ "$(awk '{ if (length > m) m = length } END { print m }' "$W/b")" -le 1020 ] || bad "a line of $(wc -L <"$W/b") characters (B4)"
}
wire_tls() {
	printf 'GET /%s/cacerts HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' $EST >"$W/rq"
	raw "$W/rq" -tls1_2
	want "TLS 1.2" grep -q '^HTTP/1.1 200' "$W/raw"
	raw "$W/rq" -tls1_3
	want "TLS 1.3" grep -q '^HTTP/1.1 200' "$W/raw"
	raw "$W/rq" -tls1_1 -cipher 'DEFAULT@SECLEVEL=0'
	! grep -q '^HTTP' "$W/raw" || bad "TLS 1.1 (T1)"
	raw "$W/rq" -tls1_2 -cipher 'NULL:aNULL:@SECLEVEL=0'
	! grep -q '^HTTP' "$W/raw" || bad "no encryption (T2)"
}
wire_garbage() {
	local r
	for r in 'GET /x HTTP/1.1\r\n\r\n' 'GET  / HTTP/1.1\r\nHost: a\r\n\r\n' 'POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab' \
		'GET /x HTTP/1.1\nHost: a\n\n' 'GET / HTTP/1.1\r\nHost: a\r\n bad: fold\r\n\r\n' 'NONSENSE\r\n\r\n'; do
		# shellcheck disable=SC2059
		printf "$r" >"$W/rq"
		raw "$W/rq"
		want "400 for $r" grep -q '^HTTP/1.1 400 ' "$W/raw"
	done
	printf 'GET /%s/cacerts HTTP/1.1\r\nHost: localhost\r\n\r\nGET /%s/nonsense HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' $EST $EST >"$W/rq"
	raw "$W/rq"
	same "pipelined: two answers in order" "200 404" "$(grep -ao 'HTTP/1.1 [0-9]*' "$W/raw" | sed 's/.* //' | xargs)"
}

# --- a pledge made of openssl cms and curl ---

pvr() { # SERIAL: $W/pvr, signed by its IDevID
	openssl x509 -in "$W/site/registrar.pem" -outform DER 2>/dev/null | base64 -w0 >"$W/near"
	jq -n --arg s "$1" --arg n "$(openssl rand -base64 16)" --arg c "$(cat "$W/near")" --arg t "$(date -u +%Y-%m-%dT%H:%M:%SZ)" \
		'{"ietf-voucher-request:voucher": {"created-on": $t, nonce: $n, "serial-number": $s, assertion: "proximity", "proximity-registrar-cert": $c}}' >"$W/pvr.json"
	openssl cms -sign -binary -nodetach -md sha256 -econtent_type 1.2.840.113549.1.9.16.1.40 -signer "$W/devices/$1/idevid.pem" \
		-inkey "$W/devices/$1/idevid.key" -in "$W/pvr.json" -outform DER -out "$W/pvr" 2>"$W/cms.err" || bad "$(cat "$W/cms.err")"
}
post_pvr() { # SERIAL
	ask POST .well-known/brski/requestvoucher -H 'Content-Type: application/voucher-cms+json' -H 'Accept: application/voucher-cms+json' \
		--data-binary "@$W/pvr" --cert "$W/devices/$1/idevid.pem" --key "$W/devices/$1/idevid.key"
}
pending_has_no_body() {
	trust_factory --mode ask
	pvr F-4
	post_pvr F-4
	same "status" 202 "$S"
	same "Content-Length (H7)" 0 "$(header Content-Length)"
	same "no body" 0 "$(stat -c %s "$W/b")"
	want "Retry-After in seconds" grep -qE '^[0-9]+$' <(header Retry-After)
	trust_factory --mode auto
}
pledge_of_openssl() {
	pvr F-5
	post_pvr F-5
	same "status" 200 "$S" || cat "$W/b"
	same "media type" application/voucher-cms+json "$(header Content-Type)"
	want "openssl cms -verify" openssl cms -verify -binary -inform DER -in "$W/b" -purpose any -CAfile "$W/factory/voucher-ca.pem" -out "$W/v.json"
	same "serial-number" F-5 "$(jq -r '."ietf-voucher:voucher"."serial-number"' "$W/v.json")"
	same "nonce" "$(jq -r '."ietf-voucher-request:voucher".nonce' "$W/pvr.json")" "$(jq -r '."ietf-voucher:voucher".nonce' "$W/v.json")"
	cp "$W/b" "$W/voucher.first"
	post_pvr F-5
	want "the same request again: the same voucher" cmp "$W/voucher.first" "$W/b"
	ask POST .well-known/brski/voucher_status -H 'Content-Type: application/json' --data-binary '{"version":1,"status":true}' \
		--cert "$W/devices/F-5/idevid.pem" --key "$W/devices/F-5/idevid.key"
	same "voucher_status" 200 "$S"
	csr f5 "/O=Example Site/serialNumber=F-5"
	local i
	for i in 1 2 3 4 5 6 7 8; do # while the audit log is fetched: 202 (MU-4003)
		enroll simpleenroll "$W/f5.b64" --cert "$W/devices/F-5/idevid.pem" --key "$W/devices/F-5/idevid.key"
		[ "$S" = 202 ] || break
		sleep 1
	done
	same "simpleenroll" 200 "$S" || cat "$W/b"
	certs >"$W/f5.pem"
	want "openssl verify" openssl verify -x509_strict -CAfile "$W/site/ca.pem" "$W/f5.pem"
}
# RFC 8995 5.3, 5.5: one thing wrong at a time.
pledge_of_openssl_lies() {
	pvr F-6
	post_pvr F-5 # signed by F-6, on F-5's connection
	[ "$S" -ge 400 ] || bad "another device's request: $S"
	sed -i 's/F-6/F-5/' "$W/pvr.json"
	openssl cms -sign -binary -nodetach -md sha256 -econtent_type 1.2.840.113549.1.9.16.1.40 -signer "$W/devices/F-6/idevid.pem" \
		-inkey "$W/devices/F-6/idevid.key" -in "$W/pvr.json" -outform DER -out "$W/pvr"
	post_pvr F-6
	[ "$S" -ge 400 ] || bad "another device's serial number: $S"
	pvr F-6
	printf 'x' | dd of="$W/pvr" bs=1 seek=$(($(stat -c %s "$W/pvr") - 5)) conv=notrunc status=none
	post_pvr F-6
	[ "$S" -ge 400 ] || bad "a damaged signature: $S"
	same "the MASA heard nothing" 0 "$(factory inventory log F-6 --json | jq length)"
}

# --- strongSwan ---

pki_estca() {
	rm -f "$W"/caout*
	want "pki --estca" pki --estca --url "https://localhost:${PORT[site]}" --cacert "$W/site/ca.pem" --caout "$W/caout.pem" --outform pem
	openssl x509 -in "$(ls "$W"/caout*.pem | head -1)" -outform DER >"$W/got.der" 2>/dev/null
	want "it is the CA" cmp "$W/got.der" "$W/ca.der"
}
pki_est_basic() {
	csr swan "/O=Example Site/CN=printer"
	pki --est --url "https://localhost:${PORT[site]}" --cacert "$W/site/ca.pem" --in "$W/swan.der" \
		--userpass printer:correct-horse --outform pem >"$W/swan.pem" 2>"$W/pki.err" || bad "pki --est: $(tail -3 "$W/pki.err")"
	want "openssl verify" openssl verify -CAfile "$W/site/ca.pem" "$W/swan.pem"
}
pki_est_renews() {
	ldevid_files F-1
	pki --est --url "https://localhost:${PORT[site]}" --cacert "$W/site/ca.pem" --in "$W/l.der" --cert "$W/l.pem" --key "$W/l.key" \
		--outform pem >"$W/swan.pem" 2>"$W/pki.err" || bad "pki --est: $(tail -3 "$W/pki.err")"
	want "openssl verify" openssl verify -CAfile "$W/site/ca.pem" "$W/swan.pem"
	same "the same subject" "$(openssl x509 -in "$W/l.pem" -noout -subject)" "$(openssl x509 -in "$W/swan.pem" -noout -subject)"
}

t a_world_is_made world_make
[ "$FAILED" = 0 ] || finish
salt=$(openssl rand -hex 16)
hash=$(openssl kdf -keylen 32 -kdfopt digest:SHA256 -kdfopt pass:correct-horse -kdfopt "hexsalt:$salt" -kdfopt iter:100000 PBKDF2 | tr -d ':\n' | xxd -r -p | base64 -w0)
echo "printer:pbkdf2-sha256\$100000\$$(printf %s "$salt" | xxd -r -p | base64 -w0)\$$hash" >"$W/site/users"
conf site est '\tbasic = true\n\tbasic_file = "users"'
VIA=${PORT[site]} devices F-1 F-2 F-3 F-4 F-5 F-6 || bad devices
daemons_start() { up factory && up site; }
t daemons_start want "all listen" daemons_start
[ "$FAILED" = 0 ] || { tail -3 "$W"/*.log; finish; }
if command -v curl >/dev/null; then
	t curl_cacerts_H5_H6_P1 curl_cacerts
	t curl_csrattrs_A1 curl_csrattrs
	t curl_simpleenroll_http_basic_A2_C5 curl_basic
	t curl_bodies_B2_B3_H1_H9 curl_bodies
	t curl_paths_and_methods_U3_U4 curl_paths
	t curl_strangers_are_refused_A3_A4_A6 curl_strangers
	t curl_simplereenroll_R1 curl_reenroll
	t pending_202_has_no_body_H7 pending_has_no_body
	t pledge_made_of_openssl_cms pledge_of_openssl
	t pledge_made_of_openssl_lies pledge_of_openssl_lies
else
	skip curl "curl is not here"
fi
t wire_dialect_H2_H3_H4_B4 wire_dialect
t wire_lines_for_libest_B4 wire_libest
t wire_tls_versions_T1_T2 wire_tls
t wire_garbage_and_pipelining wire_garbage
if command -v pki >/dev/null && pki --help 2>&1 | grep -q -- --estca && pki --print --in "$W/site/ca.pem" >/dev/null 2>&1; then
	t strongswan_estca pki_estca
	t strongswan_est_http_basic pki_est_basic
	t strongswan_est_renews pki_est_renews
else
	skip strongswan "strongSwan's pki with --est and P-256 (libstrongswan-standard-plugins) is not here"
fi
finish
