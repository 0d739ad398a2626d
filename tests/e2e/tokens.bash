# SPDX-License-Identifier: Apache-2.0
# The same bootstrap with the keys of CA, IDevID CA and vouchers in a token
# (SoftHSM): no file holds them (issue 2, item 12).
. "$(dirname "$0")/world.bash"

MODULE=
for m in /usr/lib/softhsm/libsofthsm2.so /usr/lib/*/softhsm/libsofthsm2.so; do [ -e "$m" ] && MODULE=$m && break; done
if [ -z "$MODULE" ] || ! command -v softhsm2-util pkcs11-tool >/dev/null ||
	! ls "$(openssl version -e | sed 's/.*"\(.*\)"/\1/')"/pkcs11.so >/dev/null 2>&1; then
	skip bootstrap_with_keys_in_a_token "softhsm2, opensc or libengine-pkcs11-openssl is not here"
	echo "[  PASSED  ] 0 test(s)."
	echo "[  SKIPPED ] 1 test(s)."
	exit 0
fi
export SOFTHSM2_CONF=$W/softhsm.conf PKCS11_MODULE_PATH=$MODULE
echo "directories.tokendir = $W/tokens" >"$SOFTHSM2_CONF"
mkdir "$W/tokens"
(umask 077 && printf 1234 >"$W/pin")
uri() { echo "pkcs11:token=muster;object=$1;type=private?pin-source=$W/pin"; }

make_token() {
	local k id=1
	want "a token" softhsm2-util --init-token --free --label muster --pin 1234 --so-pin 5678
	for k in ca idevid short; do
		want "a key" pkcs11-tool --module "$MODULE" --token-label muster --login --pin 1234 --keypairgen --key-type EC:prime256v1 --label $k --id 0$id
		id=$((id + 1))
	done
	want "muster key test" muster key test "$(uri ca)"
	muster key test "$(uri nobody)" >"$W/key.out" 2>&1 && bad "a key that is not there passes"
	want "the step that fails is named" grep -q FAILED "$W/key.out"
}
world() {
	world_make "--idevid-ca-key $(uri idevid) --short-key $(uri short)" "--ca-key $(uri ca)" || bad "not made"
	want "no file of the CA's key" test ! -e "$W/site/ca.key"
	want "nor of the vouchers'" test ! -e "$W/factory/voucher-short.key"
	want "nor of the IDevIDs'" test ! -e "$W/factory/idevid-ca.key"
	devices T-1 T-2 T-3 T-4 || bad devices
	read -r "PORT[coaps]" _ < <("$BIN/tests/e2e/e2e_tool" ports 1)
	conf site registrar "\tcoaps = \"127.0.0.1:${PORT[coaps]}\""
	VIA=${PORT[coaps]} agent_conf T-3 'transport = "coaps"'
}
daemons() { want "MASA" up factory && want "site" up site && want "proxy" up proxy; }
bootstrap() {
	want "the agent joins" join T-1
	same "state" active "$(device_field T-1 state)"
	want "openssl verify" openssl verify -x509_strict -CAfile "$W/site/ca.pem" "$(ldevid T-1)"
	device_field T-1 voucher | base64 -d >"$W/voucher.p7"
	want "openssl cms -verify" openssl cms -verify -binary -inform DER -in "$W/voucher.p7" -purpose any -CAfile "$W/factory/voucher-ca.pem" -out "$W/voucher.json"
	want "renew" agent T-1 renew
}
again_after_a_kill() {
	down site KILL 2>/dev/null
	down factory KILL 2>/dev/null
	daemons_again() { up factory && up site; }
	want "start again" daemons_again
	want "the next device joins" join T-2
	same "state" active "$(device_field T-2 state)"
}
# A device whose IDevID key is in a token signs with it: TLS or DTLS handshake and voucher-request.
device_key_in_a_token() {
	local d
	for d in T-3 T-4; do
		openssl pkcs8 -topk8 -nocrypt -in "$W/devices/$d/idevid.key" -out "$W/key.p8"
		want "import" softhsm2-util --import "$W/key.p8" --token muster --label "$d" --id "0${d#T-}0$((RANDOM % 9))" --pin 1234
		rm "$W/key.p8" "$W/devices/$d/idevid.key"
		sed -i "s|^idevid_key = .*|idevid_key = \"$(uri $d)\"|" "$W/devices/$d/agent.conf"
		want "$d joins" join "$d"
		same "state of $d" active "$(device_field $d state)"
	done
}
t keys_in_a_token make_token
t a_world_with_keys_in_a_token world
[ "$FAILED" = 0 ] || finish
t daemons_start daemons
[ "$FAILED" = 0 ] || { tail -3 "$W"/*.log; finish; }
t bootstrap_with_keys_in_a_token bootstrap
[ "$FAILED" = 0 ] || tail -5 "$W"/*.log
t again_after_a_kill again_after_a_kill
t device_key_in_a_token device_key_in_a_token
[ "$FAILED" = 0 ] || tail -5 "$W"/devices/T-[34]/agent.log
finish
