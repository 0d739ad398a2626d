# SPDX-License-Identifier: Apache-2.0
# muster fw as a person runs it (issue 4 item 4): each verb, its wrong inputs
# with their names and exit codes, files that are whole or not there, - for
# standard input and output, keys on a token.
. "$(dirname "$0")/world.bash"
cd "$W" || exit 1

# run EXIT WORDS...: output in $W/out, words in $W/err
run() {
	local code=$1 got
	shift
	muster fw "$@" >out 2>err </dev/null
	got=$?
	cat err >>all.log
	[ "$got" = "$code" ] || { bad "exit $got instead of $code: muster fw $*: $(head -3 err)"; return 1; }
}
# says WORD: what was said on stderr has it
says() { grep -qF -- "$1" err || bad "stderr lacks '$1': $(head -3 err)"; }
# refused EXIT CODE WORDS...
refused() {
	local exit=$1 code=$2
	shift 2
	run "$exit" "$@" && says "$code"
}
json() { jq -er "$1" out; }
absent() { [ ! -e "$1" ] || bad "$1 was written"; }
ID=(--vendor dns:example.com --class class:example.com/lamp)
one() { # OUT NUMBER
	run 0 create --template image --sequence-number "$2" "${ID[@]}" --component slot/hex:00 --image app.bin \
		--uri https://example.com/app --out "$1" --quiet
}

make_keys() {
	head -c 70000 /dev/urandom >app.bin
	head -c 70000 /dev/urandom >other.bin
	for k in es256 ed25519 ecdh; do run 0 keygen --algorithm $k --out $k.key --public $k.pub; done
	for k in hmac-256 a128kw; do run 0 keygen --algorithm $k --out $k.key; done
	run 0 keygen --algorithm hss-lms --height 5 --out hss.key --public hss.pub
	same "modes" "600 600 600" "$(stat -c %a es256.key hmac-256.key hss.key | tr '\n' ' ' | sed 's/ $//')"
	refused 5 MU-1009 keygen --algorithm es256 --out es256.key
	refused 5 MU-1009 keygen --algorithm es256 --out new.key --public es256.pub
	absent new.key
	run 2 keygen --algorithm rot13 --out x.key && absent x.key
	run 2 keygen --algorithm hmac-256 --out x.key --public x.pub && absent x.key
	refused 4 MU-8557 keygen --algorithm hss-lms --height 7 --out x.key
}

create() {
	one a.suit 7
	cat >d.fw <<-'END'
		sequence-number = 8
		component "app" { id = { "slot", "hex:00" } }
		shared = { "override-parameters vendor-id=dns:example.com class-id=class:example.com/lamp image-digest=file:app.bin image-size=file:app.bin",
		    "vendor-identifier", "class-identifier" }
		install = { "override-parameters uri=https://example.com/app", "fetch", "image-match" }
		validate = { "image-match" }
	END
	run 0 create d.fw --out d.suit --quiet
	mkdir -p elsewhere
	(cd elsewhere && muster fw create ../d.fw --quiet) >d2.suit 2>>all.log || bad "from another folder"
	cmp -s d.suit d2.suit || bad "paths are not relative to the description"
	muster fw create - --out d3.suit --quiet <d.fw 2>>all.log || bad "from standard input"
	cmp -s d.suit d3.suit || bad "standard input gives something else"
	run 0 create --template image --sequence-number 8 "${ID[@]}" --component slot/hex:00 --image app.bin --uri https://example.com/app --print
	cp out t.fw
	run 0 create t.fw --out t.suit --quiet
	cmp -s d.suit t.suit || bad "the printed template makes another manifest"
	sed 's/"fetch"/"fatch"/' d.fw >bad.fw
	refused 4 MU-8701 create bad.fw --out bad.suit && says "bad.fw:5:" && absent bad.suit
	sed 's/component "app"/compound "app"/' d.fw >bad.fw
	refused 4 MU-8700 create bad.fw --out bad.suit && says "bad.fw:2:" && absent bad.suit
	sed 's/file:app.bin image-size/file:gone.bin image-size/' d.fw >bad.fw
	refused 3 MU-1008 create bad.fw --out bad.suit && absent bad.suit
	printf 'sequence-number = 1\0' >bad.fw
	refused 4 MU-8700 create bad.fw --out bad.suit && absent bad.suit
	refused 3 MU-1008 create gone.fw --out bad.suit
	run 2 create && says "--template"
	run 2 create d.fw --template image
	run 2 create --template imago --sequence-number 1
	run 2 create --template image --sequence-number 1 && says "--vendor"
	run 2 create --template image "${ID[@]}" && says "--sequence-number"
	run 2 create --template ab --sequence-number 1 "${ID[@]}" --component x --image app.bin --uri a && says "two images"
	run 2 create --template image --sequence-number 1 "${ID[@]}" --component x --image app.bin --uri a --uri b
	refused 3 MU-1008 create d.fw --out gone/bad.suit
}
# The very same manifest may be applied again; another with its number may not.
after() {
	one seven.suit 7
	one eight.suit 8
	run 0 create d.fw --after seven.suit --out next.suit --quiet
	run 0 create d.fw --after next.suit --out same.suit && says same-manifest
	refused 4 MU-8708 create --template image --sequence-number 6 "${ID[@]}" --component slot/hex:00 --image app.bin \
		--uri https://example.com/app --after seven.suit --out low.suit && absent low.suit
	refused 4 MU-8708 create --template image --sequence-number 8 "${ID[@]}" --component slot/hex:00 --image other.bin \
		--uri https://example.com/app --after eight.suit --out reused.suit && absent reused.suit
}

lint() {
	run 0 lint a.suit --json
	same "errors" 0 "$(json .errors)"
	run 4 lint a.suit --strict
	run 0 lint a.suit --after a.suit
	head -c 100 a.suit >cut.suit
	run 4 lint cut.suit --json
	same "name" MST_E_FW_ENVELOPE "$(json '.findings[0].name')"
	sed 's/, "fetch", "image-match"/, "fetch"/' d.fw >w.fw
	run 0 create w.fw --out w.suit
	says image-match-missing
	run 0 lint w.suit --json
	same "section of the fetch" 20 "$(json '.findings[] | select(.rule == "image-match-missing") | .section')"
	sed 's/"vendor-identifier"/"vendor-identifier", "fetch"/' d.fw >w.fw
	refused 4 MU-8707 create w.fw --out w2.suit && says MU-8205 && absent w2.suit
	refused 3 MU-1008 lint gone.suit
	refused 4 MU-8407 lint a.suit --capability app.bin
	run 2 lint
}

sign() {
	run 0 sign a.suit --key es256.key --out s.suit
	refused 5 MU-1009 sign s.suit --key ed25519.key --out x.suit && absent x.suit
	run 0 sign s.suit --key ed25519.key --replace --out r.suit
	run 0 countersign s.suit --key site=ed25519.key --key hss:hss.key --key secret:hmac-256.key --out c.suit
	muster inspect c.suit >out
	same "blocks" 4 "$(grep -c '^  block' out)"
	refused 4 MU-8711 countersign c.suit --key es256.key --out x.suit && absent x.suit
	refused 3 MU-1008 countersign a.suit --key es256.key --out x.suit
	run 2 sign a.suit
	chmod 644 es256.key
	refused 1 MU-5002 sign a.suit --key es256.key --out x.suit && says chmod && absent x.suit
	chmod 600 es256.key
	refused 4 MU-8710 sign a.suit --key es256.key --algorithm hmac-256 --out x.suit
	run 4 sign a.suit --key ed25519.key --algorithm es384 --out x.suit && absent x.suit
	run 2 sign a.suit --key es256.key --algorithm md5
	run 2 sign a.suit --key es256.key --form scroll
	run 1 sign a.suit --key gone.key --out x.suit && says gone.key && absent x.suit
	one other.suit 8 # its wrapper around another manifest
	cp a.suit tampered.suit
	dd if=other.suit of=tampered.suit bs=1 skip=50 seek=50 conv=notrunc status=none
	refused 4 MU-8705 sign tampered.suit --key es256.key --out x.suit && absent x.suit
	muster fw sign - --key es256.key <a.suit 2>>all.log | muster fw countersign - --key ed25519.key --out p.suit 2>>all.log ||
		bad "through pipes"
	run 0 dry-run p.suit --anchor ed25519.pub --payload https://example.com/app=app.bin
}

# A key file that was copied, or set back, would use a leaf twice (RFC 8554 9.2).
stateful_key() {
	cp hss.key copy.key && cp hss.key.state copy.key.state
	touch copy.key.lock && chmod 600 copy.key.lock
	refused 1 MU-855 sign a.suit --key hss:copy.key --out x.suit && absent x.suit
	run 0 sign a.suit --key hss:hss.key --out h.suit
	rm hss.key.state
	refused 1 MU-8553 sign a.suit --key hss:hss.key --out x.suit && absent x.suit
	run 0 dry-run h.suit --anchor hss.pub --payload https://example.com/app=app.bin
}

offline() {
	run 0 digest a.suit --algorithm es256 --out tbs.bin
	openssl dgst -sha256 -sign es256.key -out sig.der tbs.bin
	run 0 attach a.suit --signature sig.der --anchor es256.pub --out o.suit
	run 0 dry-run o.suit --anchor es256.pub --payload https://example.com/app=app.bin
	run 0 digest a.suit --algorithm es256 --json
	same "hash" "$(sha256sum <tbs.bin | cut -d' ' -f1)" "$(json .tbs_sha256)"
	openssl dgst -sha256 -sign es256.key -out other.der app.bin
	refused 4 MU-1813 attach a.suit --signature other.der --anchor es256.pub --out x.suit && absent x.suit
	run 4 attach a.suit --signature sig.der --anchor ed25519.pub --out x.suit && absent x.suit
	refused 4 MU-8709 attach a.suit --block app.bin --anchor es256.pub --out x.suit
	run 2 attach a.suit --signature sig.der --out x.suit
	run 2 digest a.suit
}

sever_extract_diff() {
	cat d.fw - >sev.fw <<-'END'
		text "en" { manifest-description = "a lamp" }
		sever = { text, install }
	END
	run 0 create sev.fw --out sev.suit --quiet
	run 0 sign sev.suit --key es256.key --out sev-s.suit
	run 0 sever sev-s.suit --drop text --out less.suit
	run 0 dry-run less.suit --anchor es256.pub --payload https://example.com/app=app.bin
	refused 4 MU-8706 sever less.suit --drop text --out x.suit && absent x.suit
	refused 4 MU-8706 sever sev.suit --drop validate --out x.suit && absent x.suit
	run 2 sever sev.suit
	run 0 sever sev-s.suit --all --out bare.suit
	run 4 dry-run bare.suit --anchor es256.pub --payload https://example.com/app=app.bin --json
	same "section" 20 "$(json .section)"
	run 0 integrate sev-s.suit --payload https://example.com/app=app.bin --out full.suit
	run 0 dry-run full.suit --anchor es256.pub # it needs no network
	refused 5 MU-1009 integrate full.suit --payload https://example.com/app=app.bin --out x.suit
	run 0 extract full.suit --json
	same "the payload" 70000 "$(json '.[] | select(.kind == "payload") | .bytes')"
	run 0 extract full.suit https://example.com/app --out got.bin
	cmp -s got.bin app.bin || bad "what was extracted is another payload"
	refused 3 MU-1008 extract full.suit load --out x.bin && absent x.bin
	run 0 diff a.suit d.suit --json
	same "same" false "$(jq -r .same out)"
	grep -q sequence-number out || bad "the numbers differ"
	run 0 diff a.suit a.suit --json
	same "same" true "$(json .same)"
	refused 4 MU-8703 diff a.suit app.bin
	head -c 6000000 /dev/zero >large.bin # more than inspect takes
	run 0 create --template integrated --sequence-number 9 "${ID[@]}" --component app --image large.bin --uri '#l' --out large.suit --quiet
	run 0 diff large.suit a.suit --json
	run 0 sign large.suit --key es256.key --out large-s.suit
	run 0 dry-run large-s.suit --anchor es256.pub
}

encrypted() {
	run 0 encrypt app.bin --for dev1=ecdh.pub --for secret:a128kw.key --out app.enc --info app.info
	run 0 create --template encrypted --sequence-number 9 "${ID[@]}" --component app --image app.bin \
		--uri https://example.com/c --ciphertext app.enc --encryption-info app.info --out e.suit --quiet
	run 0 sign e.suit --key es256.key --out e-s.suit
	run 0 dry-run e-s.suit --anchor es256.pub --payload https://example.com/c=app.enc --decrypt dev1=ecdh.key --json
	same "what it holds" "$(sha256sum <app.bin | cut -d' ' -f1)" "$(json '.components[] | select(.id == "app") | .sha256')"
	run 0 dry-run e-s.suit --anchor es256.pub --payload https://example.com/c=app.enc --decrypt secret:a128kw.key
	run 0 keygen --algorithm a128kw --out wrong.key
	refused 4 MU-85 dry-run e-s.suit --anchor es256.pub --payload https://example.com/c=app.enc --decrypt secret:wrong.key
	run 0 create --template encrypted --sequence-number 9 "${ID[@]}" --component app --image app.bin --uri u \
		--encrypt-for dev1=ecdh.pub --encrypt-for secret:a128kw.key --ciphertext one.enc --out one.suit --quiet
	run 0 sign one.suit --key es256.key --out one-s.suit
	run 0 dry-run one-s.suit --anchor es256.pub --payload u=one.enc --decrypt dev1=ecdh.key
	run 0 dry-run one-s.suit --anchor es256.pub --payload u=one.enc --decrypt secret:a128kw.key
	run 2 create --template encrypted --sequence-number 9 "${ID[@]}" --component app --image app.bin --uri u \
		--encrypt-for ecdh.pub --out x.suit && absent x.suit
	run 2 encrypt app.bin --for ecdh.pub
	run 2 encrypt app.bin --out x.enc --info x.info && absent x.enc
	refused 4 MU-8715 encrypt app.bin --for ed25519.pub --out x.enc --info x.info && absent x.enc
	refused 4 MU-85 encrypt app.bin --for ecdh.pub --algorithm es256 --out x.enc --info x.info && absent x.info
}

# Another authority's manifest in ours (TD 5): both signatures, in either place, and the report of it all.
dependency() {
	run 0 create --template image --sequence-number 3 "${ID[@]}" --component lib --image other.bin \
		--uri https://example.com/lib --out lib.suit --quiet
	run 0 sign lib.suit --key ed25519.key --out lib-s.suit
	local got=(--payload https://example.com/app=app.bin --payload https://example.com/lib=other.bin)
	for uri in '#lib' https://example.com/lib.suit; do
		run 0 create --template dependency --sequence-number 4 "${ID[@]}" --component app --image app.bin \
			--uri https://example.com/app --dependency lib-s.suit --dependency-uri "$uri" --dependency-id lib.suit --out dep.suit --quiet
		run 0 sign dep.suit --key es256.key --out dep-s.suit
		run 0 dry-run dep-s.suit --anchor es256.pub --anchor ed25519.pub "${got[@]}" --payload https://example.com/lib.suit=lib-s.suit \
			--report dep.bin --json
		same "$uri: what it holds" "$(sha256sum <other.bin | cut -d' ' -f1)" "$(json '.components[] | select(.id == "lib") | .sha256')"
		run 0 report verify dep.bin dep-s.suit --dependency lib-s.suit --json
		same "$uri: none is open" 0 "$(json '[.records[] | select(.verdict != "true")] | length')"
		run 4 dry-run dep-s.suit --anchor es256.pub "${got[@]}" --payload https://example.com/lib.suit=lib-s.suit
		[ "$uri" = '#lib' ] || run 4 dry-run dep-s.suit --anchor es256.pub --anchor ed25519.pub "${got[@]}" \
			--payload https://example.com/lib.suit=lib.suit
	done
	run 0 report verify dep.bin dep-s.suit --json
	[ "$(json '[.records[] | select(.verdict == "open")] | length')" -gt 0 ] || bad "a dependency that is not at hand can not be judged"
}

# Authors must have all six (suit-mti 3): who signs, who decrypts, with which cipher.
profile() { # SIGN ANCHOR ALGORITHM FOR DECRYPT CIPHER
	run 0 encrypt app.bin --for "$4" --algorithm "$6" --out p.enc --info p.info
	run 0 create --template encrypted --sequence-number 9 "${ID[@]}" --component app --image app.bin \
		--uri https://example.com/c --ciphertext p.enc --encryption-info p.info --out p.suit --quiet
	run 0 sign p.suit --key "$1" --algorithm "$3" --out p-s.suit
	run 0 dry-run p-s.suit --anchor "$2" --payload https://example.com/c=p.enc --decrypt "$5" --json &&
		same "$3 $6" "$(sha256sum <app.bin | cut -d' ' -f1)" "$(json '.components[] | select(.id == "app") | .sha256')"
	printf x | dd of=p.enc bs=1 seek=1000 conv=notrunc status=none
	run 4 dry-run p-s.suit --anchor "$2" --payload https://example.com/c=p.enc --decrypt "$5"
}
profiles() {
	run 0 keygen --algorithm a256kw --out a256kw.key
	run 0 keygen --algorithm x25519 --out x25519.key --public x25519.pub
	run 0 keygen --algorithm hss-lms --height 5 --out hss2.key --public hss2.pub
	profile secret:hmac-256.key secret:hmac-256.key hmac-256 secret:a128kw.key secret:a128kw.key a128ctr
	profile es256.key es256.pub esp256 ecdh.pub ecdh.key a128ctr
	profile ed25519.key ed25519.pub ed25519 x25519.pub x25519.key a128ctr
	profile es256.key es256.pub esp256 ecdh.pub ecdh.key a128gcm
	profile ed25519.key ed25519.pub ed25519 x25519.pub x25519.key chacha20-poly1305
	profile hss:hss2.key hss2.pub hss-lms secret:a256kw.key secret:a256kw.key a256ctr
}

dry_run() {
	run 0 dry-run s.suit --anchor es256.pub --payload https://example.com/app=app.bin --json
	same "accepted" true "$(json .accepted)"
	same "the fetch" "install fetch 0" "$(json '.trace[] | select(.command == "fetch") | "\(.section_name) \(.command) \(.component)"')"
	run 4 dry-run s.suit --anchor es256.pub --payload https://example.com/app=other.bin --json
	same "verdict" "false MU-8223 MST_E_SUIT_IMAGE_MISMATCH 20 0" \
		"$(jq -r '"\(.accepted) \(.code) \(.name) \(.section) \(.component)"' out)"
	same "offset is a number" number "$(json '.offset | type')"
	run 4 dry-run a.suit --anchor es256.pub --json
	same "unsigned" MU-8502 "$(json .code)"
	run 4 dry-run s.suit --anchor ed25519.pub --json
	run 4 dry-run cut.suit --anchor es256.pub --json
	same "cut" false "$(jq -r .accepted out)"
	refused 4 MU-8240 dry-run s.suit --anchor es256.pub && says https://example.com/app
	cat >device.conf <<-'END'
		vendor = { "dns:example.com" }
		class = { "class:example.com/lamp" }
		component "app" { id = { "slot", "hex:00" } }
		confirmed = "eight.suit"
	END
	refused 4 MU-8301 dry-run s.suit --anchor es256.pub --device device.conf --payload https://example.com/app=app.bin
	sed -i 's/^confirmed.*/colour = red/' device.conf
	refused 4 MU-8714 dry-run s.suit --anchor es256.pub --device device.conf && says device.conf:4
	run 2 dry-run s.suit
	run 2 dry-run s.suit --anchor es256.pub --payload app.bin
	run 2 dry-run s.suit --anchor es256.pub --procedure dance
	run 1 dry-run s.suit --anchor app.bin && says app.bin
}

# Signers and devices with certificates, as BRSKI and EST give them (docs/decisions/0018).
ca() { # NAME SUBJECT
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$1.key" -out "$1.pem" -days 30 \
		-subj "/CN=$2" -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign 2>/dev/null
}
leaf() { # NAME CA EXTENSIONS
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$1.key" -out "$1.csr" -subj "/CN=$1" 2>/dev/null
	openssl x509 -req -in "$1.csr" -CA "$2.pem" -CAkey "$2.key" -CAcreateserial -days 20 -out "$1.pem" \
		-extfile <(printf '%s\n' "$3") 2>/dev/null
}
certificates() {
	ca maker Maker
	ca stranger Stranger
	leaf coder maker $'extendedKeyUsage=codeSigning\nkeyUsage=critical,digitalSignature\nauthorityKeyIdentifier=keyid\nsubjectKeyIdentifier=hash'
	leaf client maker $'extendedKeyUsage=clientAuth\nkeyUsage=critical,digitalSignature\nauthorityKeyIdentifier=keyid\nsubjectKeyIdentifier=hash'
	leaf device maker $'keyUsage=critical,digitalSignature,keyAgreement\nauthorityKeyIdentifier=keyid\nsubjectKeyIdentifier=hash'
	chmod 600 ./*.key
	run 0 sign a.suit --key coder.key --cert coder.pem --out cert.suit
	run 0 dry-run cert.suit --anchor maker.pem --payload https://example.com/app=app.bin
	run 4 dry-run cert.suit --anchor stranger.pem --payload https://example.com/app=app.bin
	run 0 dry-run cert.suit --anchor coder.pem --payload https://example.com/app=app.bin
	run 0 sign a.suit --key client.key --cert client.pem --out client.suit
	run 4 dry-run client.suit --anchor maker.pem --payload https://example.com/app=app.bin
	refused 1 MU-5003 sign a.suit --key coder.key --cert client.pem --out x.suit && absent x.suit
	run 0 create --template encrypted --sequence-number 9 "${ID[@]}" --component app --image app.bin --uri u \
		--encrypt-for device.pem --ciphertext dev.enc --out dev.suit --quiet
	run 0 sign dev.suit --key coder.key --cert coder.pem --out dev-s.suit
	run 0 dry-run dev-s.suit --anchor maker.pem --payload u=dev.enc --decrypt device.key
	muster inspect dev.suit >out
	grep -q "kid hex:$(openssl x509 -in device.pem -pubkey -noout | openssl pkey -pubin -outform der | sha256sum | cut -d' ' -f1)" out ||
		bad "$(grep encryption-info out): the recipient is not named as devices name themselves"
}

reports() {
	run 0 dry-run s.suit --anchor es256.pub --payload https://example.com/app=app.bin --report r.bin \
		--report-key dev=ed25519.key --nonce hex:0011
	run 0 report verify r.bin s.suit --anchor ed25519.pub --nonce hex:0011 --json
	same "verified" "true true" "$(jq -r '"\(.accepted) \(.verified)"' out)"
	[ "$(json '.proves | length')" -ge 4 ] || bad "it shows too little"
	refused 4 MU-8405 report verify r.bin s.suit --anchor ed25519.pub --nonce hex:0012
	refused 4 MU-8404 report verify r.bin d.suit --anchor ed25519.pub
	run 4 report verify r.bin s.suit --anchor es256.pub
	run 4 dry-run s.suit --anchor es256.pub --payload https://example.com/app=other.bin --report f.bin --json
	run 0 report verify f.bin s.suit --json
	same "reason" condition-failed "$(json .reason)"
	refused 4 MU-84 report verify app.bin s.suit
	run 2 report check r.bin s.suit
	muster inspect r.bin >out 2>err || bad "inspect of a report"
	grep -q "suit-report" out || bad "inspect does not know a report"
}

inspect() {
	muster inspect s.suit --diag >out 2>err || bad "inspect: $(cat err)"
	for w in 'suit-envelope' 'sequence-number' 'install@' 'fetch' '107({'; do grep -qF "$w" out || bad "no $w"; done
	muster inspect s.suit --json >out && same "kind" suit-envelope "$(json .kind)"
}

# A file that cannot be written whole is not there; what was there stays.
whole_or_not() {
	cp s.suit keep.suit
	mkdir -p ro && cp s.suit ro/s.suit
	if [ "$(id -u)" != 0 ]; then
		chmod 500 ro
		run 1 sign a.suit --key es256.key --out ro/s.suit
		chmod 700 ro
		cmp -s ro/s.suit s.suit || bad "the old one is gone"
	fi
	(trap '' XFSZ; ulimit -f 1; muster fw integrate s.suit --payload x=app.bin --out keep.suit) >/dev/null 2>&1
	cmp -s keep.suit s.suit || bad "a write that failed left something else"
	[ -z "$(find . -name '.*suit*' -type f)" ] || bad "left over: $(find . -name '.*suit*')"
}

help_and_pages() {
	for v in create lint sever integrate extract sign countersign digest attach encrypt keygen dry-run report diff; do
		muster fw $v --help >out 2>&1 || bad "fw $v --help"
		grep -qF "muster fw $v" out || bad "fw $v --help says '$(head -1 out)'"
	done
	run 2 frobnicate
}

token() {
	command -v softhsm2-util >/dev/null || { skip key_on_a_token "no softhsm2"; return; }
	local module
	for module in /usr/lib/softhsm/libsofthsm2.so /usr/lib/*/softhsm/libsofthsm2.so; do [ -e "$module" ] && break; done
	mkdir -p tokens
	printf 'directories.tokendir = %s/tokens\nobjectstore.backend = file\nlog.level = ERROR\n' "$W" >softhsm2.conf
	export SOFTHSM2_CONF=$W/softhsm2.conf
	want "token" softhsm2-util --init-token --free --label fw --pin 1234 --so-pin 1234
	openssl pkcs8 -topk8 -nocrypt -in es256.key -out es256.p8
	want "import" softhsm2-util --import es256.p8 --token fw --label author --id 01 --pin 1234
	run 0 sign a.suit --key "pkcs11:token=fw;object=author;type=private?module-path=$module&pin-value=1234" --out tok.suit
	run 0 dry-run tok.suit --anchor es256.pub --payload https://example.com/app=app.bin
}

t keys make_keys
[ "$FAILED" = 0 ] || finish
t create create
t after after
t lint lint
t sign sign
t stateful_key stateful_key
t offline offline
t sever_extract_diff sever_extract_diff
t encrypted encrypted
t dependency dependency
t SUIT-17_six_profiles profiles
t dry_run dry_run
t certificates certificates
t reports reports
t inspect inspect
t whole_or_not whole_or_not
t help_and_pages help_and_pages
t key_on_a_token token
finish
