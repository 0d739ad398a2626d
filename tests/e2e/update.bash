# SPDX-License-Identifier: Apache-2.0
# The life of an image on a device that BRSKI and EST have enrolled: found,
# judged, installed, tried, confirmed or reverted, and never anything older
# (issue 4, items 5 and 7; sheet suit.md 13, 19, 22).
. "$(dirname "$0")/world.bash"
HERE=$(cd "$(dirname "$0")" && pwd)
D=U-1 VENDOR=dns:acme.example CLASS=class:acme.example/lamp

depot_up() { # [options of depot.py]
	begin depot python3 "$HERE/depot.py" "${PORT[depot]}" "$W/depot" "$W/site/registrar.pem" "$W/site/registrar.key" \
		"$W/site/ca.pem" "$W/requests" "$@"
	until_true 20 listens "${PORT[depot]}"
}
image() { # N BYTES: an image whose first line says which it is
	{ echo "image $1"; head -c "$2" /dev/urandom; } >"$W/depot/v$1.bin"
}
# manifest NUMBER IMAGE [arguments of create]: signed by the factory's firmware signer
manifest() {
	local n=$1 i=$2
	shift 2
	muster fw create --template image --sequence-number "$n" --vendor $VENDOR --class $CLASS --component hex:00 \
		--image "$W/depot/v$i.bin" --uri "v$i.bin" --out "$W/m$n.unsigned" "$@" &&
		sign "$W/m$n.unsigned" "$W/m$n.suit"
}
sign() {
	muster fw sign "$1" --key "$W/factory/firmware.key" --cert "$W/factory/firmware.pem" --out "$2"
}
offer() { cp "$1" "$W/depot/manifest.suit"; }
upd() { muster-agent --config "$W/devices/$D/agent.conf" "$@"; }
slot_of() { upd boot --json | jq -r "$1"; }
booted() { head -1 "$W/current" | tr -d '\0'; }

world() {
	want "a world" world_make || return
	read -r "PORT[depot]" _ < <("$BIN/tests/e2e/e2e_tool" ports 1)
	mkdir "$W/depot"
	want "MASA" up factory
	want "site" up site
	VIA=${PORT[site]}
	want "a device" devices $D
	uuid() { muster fw create --template image --sequence-number 1 --vendor $VENDOR --class $CLASS --component hex:00 \
		--image "$W/depot/v1.bin" --uri v1.bin --out - | muster inspect - --json; }
	image 1 300000
	cat >"$W/healthy" <<-END
		#!/bin/sh
		! grep -q '^sick' "$W/current"
	END
	chmod +x "$W/healthy"
	agent_conf $D "$(update_section)"
	want "it joins" join $D
	want "depot" depot_up
}
vendor_uuid() { python3 -c 'import uuid; v = uuid.uuid5(uuid.NAMESPACE_DNS, "acme.example"); print(v if "'$1'" == "vendor" else uuid.uuid5(v, "lamp"))'; }
update_section() { # [more lines]
	cat <<-END
		update {
			manifest = "https://127.0.0.1:${PORT[depot]}/manifest.suit"
			slots = { "slot-a.bin", "slot-b.bin" }
			slot_size = 1048576
			vendor = "$(vendor_uuid vendor)"
			class = "$(vendor_uuid class)"
			health = "$W/healthy"
			link = "$W/current"
			report = "https://127.0.0.1:${PORT[depot]}/report"
			${1:-}
		}
	END
}
# Not enrolled: updates need an identity first.
unenrolled_is_refused() {
	devices U-0 && agent_conf U-0 "$(update_section)"
	muster-agent --config "$W/devices/U-0/agent.conf" update >"$W/out" 2>&1
	same "exit" 3 $?
	want "named" grep -q MU-8809 "$W/out"
}
factory_installs_the_first() {
	want "manifest 1" manifest 1 1
	cp "$W/depot/v1.bin" "$W/devices/$D/slot-a.bin"
	want "format" upd slot-format a "$W/m1.suit"
	upd slot-format a "$W/m1.suit" >"$W/out" 2>&1
	same "a record is made once" 4 $?
	same "boot" a "$(slot_of .slot)"
	same "image" "image 1" "$(booted)"
}
an_update_is_installed_tried_and_confirmed() {
	image 2 400000
	want "manifest 2" manifest 2 2
	offer "$W/m2.suit"
	same "look" installed "$(upd update)"
	same "the image is fetched by ranges" 206 "$(grep v2.bin "$W/requests" | awk '{print $3}' | sort -u)"
	same "nothing is booted yet" "image 1" "$(booted)"
	same "asked again: nothing" "nothing new" "$(upd update)"
	same "boot" "b trial" "$(slot_of '"\(.slot) \(.kind)"')"
	same "image" "image 2" "$(booted)"
	want "it says that it is well" upd confirm
	same "boot" "b confirmed" "$(slot_of '"\(.slot) \(.kind)"')"
	same "slot b holds it whole" 0 "$(cmp -n 400008 "$W/depot/v2.bin" "$W/devices/$D/slot-b.bin" >/dev/null; echo $?)"
}
the_report_tells_the_truth() {
	same "type" "application/suit-report+cose" "$(cat "$W/depot/posted.type")"
	muster inspect "$W/depot/posted" >"$W/inspected" 2>&1
	want "inspect reads it" grep -qi "success\|result" "$W/inspected"
	openssl x509 -in "$(ldevid $D)" -pubkey -noout >"$W/ldevid.pub"
	want "it verifies, and replays" muster fw report verify "$W/depot/posted" "$W/m2.suit" --anchor "$W/ldevid.pub"
	want "and not for another manifest" bash -c "! muster fw report verify '$W/depot/posted' '$W/m1.suit' --anchor '$W/ldevid.pub'"
}
a_sick_image_reverts_by_itself() {
	{ echo "sick 3"; head -c 100000 /dev/urandom; } >"$W/depot/v3.bin"
	want "manifest 3" manifest 3 3
	offer "$W/m3.suit"
	same "look" installed "$(upd update)"
	same "boot" "a trial" "$(slot_of '"\(.slot) \(.kind)"')"
	same "image" "sick 3" "$(booted)"
	# the agent of that image starts, finds it on trial, and runs its health check
	join $D
	same "boot" "b confirmed" "$(slot_of '"\(.slot) \(.kind)"')"
	same "image" "image 2" "$(booted)"
	same "not tried again" "nothing new" "$(upd update)"
}
a_trial_without_confirmation_is_over() {
	image 4 5000
	want "manifest 4" manifest 4 4
	offer "$W/m4.suit"
	same "look" installed "$(upd update)"
	same "boot" "a trial" "$(slot_of '"\(.slot) \(.kind)"')"
	same "the second boot" "b revert" "$(slot_of '"\(.slot) \(.kind)"')"
	same "image" "image 2" "$(booted)"
	same "asked to, it tries again" installed "$(upd update --again)"
	same "boot" "a trial" "$(slot_of '"\(.slot) \(.kind)"')"
	want "confirm" upd confirm
	same "image" "image 4" "$(booted)"
}
# refused WORDS NAME: what is offered is refused by this name, and nothing changes
refused() {
	local before after
	before=$(sha256sum "$W/devices/$D"/slot-?.bin; slot_of .slot)
	upd update --json >"$W/verdict" 2>"$W/out"
	same "$1: exit" 4 $?
	same "$1: accepted" false "$(jq -r .accepted "$W/verdict")"
	same "$1: name" "$2" "$(jq -r .name "$W/verdict")"
	after=$(sha256sum "$W/devices/$D"/slot-?.bin; slot_of .slot)
	same "$1: nothing is touched" "$before" "$after"
}
forgeries_are_refused() {
	offer "$W/m1.suit"
	refused "a downgrade" MST_E_SUIT_ROLLBACK
	image 5 5000
	want "manifest 5" manifest 5 5
	cp "$W/m5.suit" "$W/bent.suit"
	python3 - "$W/bent.suit" <<-END
		import sys
		b = bytearray(open(sys.argv[1], "rb").read())
		b[-3] ^= 1
		open(sys.argv[1], "wb").write(b)
	END
	offer "$W/bent.suit"
	refused "a flipped bit" MST_E_SUIT_MANIFEST_DIGEST
	openssl ecparam -name prime256v1 -genkey -noout -out "$W/stranger.key"
	openssl req -x509 -new -key "$W/stranger.key" -subj "/CN=stranger" -addext extendedKeyUsage=codeSigning -days 9 -out "$W/stranger.pem" 2>/dev/null
	want "a stranger signs" muster fw sign "$W/m5.unsigned" --key "$W/stranger.key" --cert "$W/stranger.pem" --out "$W/m5s.suit"
	offer "$W/m5s.suit"
	refused "a stranger's certificate" MST_E_UPDATE_SIGNER
	want "the voucher signer signs" muster fw sign "$W/m5.unsigned" --key "$W/factory/voucher-short.key" --cert "$W/factory/voucher-short.pem" --out "$W/m5v.suit"
	offer "$W/m5v.suit"
	refused "a certificate for something else" MST_E_UPDATE_SIGNER_USE
	want "nobody shows a certificate" muster fw sign "$W/m5.unsigned" --key "$W/factory/firmware.key" --out "$W/m5n.suit"
	offer "$W/m5n.suit"
	refused "an unknown key" MST_E_COSE_KID
}
wrong_payload_is_never_booted() {
	image 6 90000
	want "manifest 6" manifest 6 6
	offer "$W/m6.suit"
	cp "$W/depot/v6.bin" "$W/v6.good"
	printf 'x' | dd of="$W/depot/v6.bin" bs=1 seek=50000 conv=notrunc 2>/dev/null
	upd update --json >"$W/verdict" 2>"$W/out"
	same "exit" 4 $?
	same "name" MST_E_SUIT_IMAGE_MISMATCH "$(jq -r .name "$W/verdict")"
	same "boot" "a confirmed" "$(slot_of '"\(.slot) \(.kind)"')"
	same "image" "image 4" "$(booted)"
	# and what was wrong of it is not gone on with
	sed -i '1!d' "$W/requests"
	cp "$W/v6.good" "$W/depot/v6.bin"
	same "the server is repaired" installed "$(upd update)"
	want "it began anew" grep -q 'v6.bin 206 bytes=0-' "$W/requests"
	same "boot" "b trial" "$(slot_of '"\(.slot) \(.kind)"')"
	same "not confirmed" "a revert" "$(slot_of '"\(.slot) \(.kind)"')"
}
# An older image under an identity of its own: the slots have one counter.
another_identity_is_no_way_back() {
	image 20 3000
	cat >"$W/m20.conf" <<-END
		sequence-number = 2
		manifest-component-id = { "hex:07" }
		component "image" { id = { "hex:00" } }
		shared = { "override-parameters vendor-id=uuid:$(vendor_uuid vendor) class-id=uuid:$(vendor_uuid class) image-digest=file:$W/depot/v20.bin image-size=file:$W/depot/v20.bin", "vendor-identifier", "class-identifier" }
		install = { "override-parameters uri=v20.bin", "fetch", "image-match" }
		validate = { "image-match" }
	END
	want "describe" muster fw create "$W/m20.conf" --out "$W/m20.unsigned"
	want "sign" sign "$W/m20.unsigned" "$W/m20.suit"
	offer "$W/m20.suit"
	refused "a lower number by another name" MST_E_SUIT_ROLLBACK
}
a_manifest_without_end_is_refused() {
	head -c 3000000 /dev/zero >"$W/depot/manifest.suit"
	: >"$W/requests"
	refused "3 MB for a slot of 1 MB" MST_E_SUIT_ENVELOPE_SIZE
	want "no more was fetched than a slot and a manifest take" test "$(grep -c manifest.suit "$W/requests")" -le 10
}
# Whatever is broken beside the slot that is confirmed: it boots.
nothing_else_keeps_it_from_booting() {
	local dev=$W/devices/$D at
	at=$(slot_of .slot)
	rm -f "$dev/state/update/running" && mkdir "$dev/state/update/running"
	same "what runs cannot be noted" "$at" "$(slot_of .slot)"
	rmdir "$dev/state/update/running"
	echo cut >"$dev/state/update/.slot-a.suit.0123456789abcdef"
	same "a write was cut" "$at" "$(slot_of .slot)"
	same "and nothing is left of it" 0 "$(find "$dev/state/update" -name '.*.suit.*' | wc -l)"
	cp -a "$dev/state" "$W/state.kept"
	find "$dev/state" -maxdepth 2 -type f -not -path '*/update/*' -exec sh -c 'echo rubbish >"$1"' - {} \;
	same "the site's part of the state is rubbish" "$at" "$(slot_of .slot)"
	upd update >"$W/out" 2>&1
	same "and updates are refused" 1 "$(($? != 0))"
	rm -rf "$dev/state" && mv "$W/state.kept" "$dev/state"
	mv "$dev/idevid.key" "$W/idevid.kept"
	same "the IDevID's key is away" "$at" "$(slot_of .slot)"
	mv "$W/idevid.kept" "$dev/idevid.key"
	mv "$dev/slot-b.bin" "$W/slot.kept" && mkdir "$dev/slot-b.bin"
	same "the other slot is out of order" "$at" "$(slot_of .slot)"
	rmdir "$dev/slot-b.bin" && mv "$W/slot.kept" "$dev/slot-b.bin"
	ln "$dev/slot-a.bin" "$dev/slot-c.bin"
	sed 's/slot-b.bin/slot-c.bin/' "$dev/agent.conf" >"$dev/same.conf"
	muster-agent --config "$dev/same.conf" update >"$W/out" 2>&1
	same "one file under two names" 1 "$(grep -c 'same place' "$W/out" | sed 's/^[1-9].*/1/')"
	rm "$dev/slot-c.bin" "$dev/same.conf"
}
restart_may_ask_the_agent() {
	local dev=$W/devices/$D
	printf '#!/bin/sh\necho noise\nmuster-agent --config "%s/restart.conf" boot --json >"%s/restarted" 2>"%s/restarted.err"\n' "$dev" "$W" "$W" >"$W/restart"
	chmod +x "$W/restart"
	sed "s|^update {|update {\nrestart = \"$W/restart\"|" "$dev/agent.conf" >"$dev/restart.conf"
	image 30 5000
	want "manifest 30" manifest 30 30
	offer "$W/m30.suit"
	same "its noise is not our answer" '{"accepted":true,"result":"installed"}' "$(muster-agent --config "$dev/restart.conf" update --json 2>"$W/out")"
	same "the lock was free" trial "$(jq -r .kind "$W/restarted")"
	same "not confirmed" revert "$(slot_of .kind)"
	rm "$dev/restart.conf"
}
# Given up, and still running: the other slot is the only good one, and nothing is written there.
reverted_and_not_restarted() {
	local before
	before=$(slot_of .slot)
	{ echo "sick 31"; head -c 3000 /dev/urandom; } >"$W/depot/v31.bin"
	want "manifest 31" manifest 31 31
	offer "$W/m31.suit"
	same "look" installed "$(upd update)"
	same "boot" trial "$(slot_of .kind)"
	upd settle >"$W/out" 2>&1
	image 32 3000
	want "manifest 32" manifest 32 32
	offer "$W/m32.suit"
	upd update --json >"$W/verdict" 2>"$W/out"
	same "before the restart: exit" 4 $?
	same "before the restart: name" MST_E_SLOT_STATE "$(jq -r .name "$W/verdict")"
	same "the good one boots" "$before confirmed" "$(slot_of '"\(.slot) \(.kind)"')"
	same "after it: look" installed "$(upd update)"
	same "boot" trial "$(slot_of .kind)"
	same "not confirmed" "$before revert" "$(slot_of '"\(.slot) \(.kind)"')"
}
# A health check that hangs is a sick image, and nothing of it is left running.
a_health_check_ends() {
	local dev=$W/devices/$D before
	before=$(slot_of .slot)
	printf '#!/bin/sh\necho $$ >"%s/hung"\nsleep 271828 &\nwait\n' "$W" >"$W/hang"
	chmod +x "$W/hang"
	sed "s|^\(.*health = \).*|\1\"$W/hang\"\nhealth_time = 1|" "$dev/agent.conf" >"$dev/hang.conf"
	image 33 3000
	want "manifest 33" manifest 33 33
	offer "$W/m33.suit"
	same "look" installed "$(upd update)"
	same "boot" trial "$(slot_of .kind)"
	want "settle" timeout 30 muster-agent --config "$dev/hang.conf" settle
	same "its children are gone" 0 "$(ps -eo args | grep -c '^sleep 271828')"
	same "boot" "$before confirmed" "$(slot_of '"\(.slot) \(.kind)"')"
	rm "$dev/hang.conf"
}
# sheet 13.6: what is there already is not fetched again.
a_broken_transfer_goes_on() {
	down depot KILL
	image 7 900000
	want "manifest 7" manifest 7 7
	offer "$W/m7.suit"
	: >"$W/requests"
	want "a depot that breaks off" depot_up cut=500000
	same "look" installed "$(upd update)"
	want "it went on in the middle" grep -q 'v7.bin 206 bytes=[1-9]' "$W/requests"
	same "boot" "b trial" "$(slot_of '"\(.slot) \(.kind)"')"
	want "confirm" upd confirm
}
a_killed_install_goes_on() {
	image 8 900000
	want "manifest 8" manifest 8 8
	offer "$W/m8.suit"
	for ms in 5 15 30 60 120; do
		muster-agent --config "$W/devices/$D/agent.conf" update >"$W/out" 2>&1 &
		sleep "0.$(printf %03d $ms)"
		kill -KILL $! 2>/dev/null
		wait $! 2>/dev/null
		same "after $ms ms: boot" "b confirmed" "$(slot_of '"\(.slot) \(.kind)"')" || return
	done
	want "in the end it is there" bash -c "muster-agent --config '$W/devices/$D/agent.conf' update || true"
	same "boot" "a trial" "$(slot_of '"\(.slot) \(.kind)"')"
	want "confirm" upd confirm
	same "image" "image 8" "$(booted)"
}
# The device's own key of BRSKI and EST is what an image is encrypted for.
encrypted_for_this_device() {
	image 9 70000
	openssl x509 -in "$(ldevid $D)" -pubkey -noout >"$W/ldevid.pub"
	want "encrypt" muster fw encrypt "$W/depot/v9.bin" --for "hex:$(openssl pkey -pubin -in "$W/ldevid.pub" -outform DER | sha256sum | cut -c1-64)=$W/ldevid.pub" \
		--algorithm a128gcm --out "$W/depot/v9.enc" --info "$W/v9.info"
	want "manifest 9" muster fw create --template encrypted --sequence-number 9 --vendor $VENDOR --class $CLASS --component hex:00 \
		--image "$W/depot/v9.bin" --ciphertext "$W/depot/v9.enc" --encryption-info "$W/v9.info" --uri v9.enc --out "$W/m9.unsigned"
	want "sign" sign "$W/m9.unsigned" "$W/m9.suit"
	offer "$W/m9.suit"
	same "look" installed "$(upd update)"
	same "boot" "b trial" "$(slot_of '"\(.slot) \(.kind)"')"
	same "image" "image 9" "$(booted)"
	want "confirm" upd confirm
}
expired_signer_spoils_no_image() { # its certificate's time counts when it is installed, never at boot
	openssl ecparam -name prime256v1 -genkey -noout -out "$W/short.key"
	openssl req -new -key "$W/short.key" -subj "/CN=short" -out "$W/short.csr" 2>/dev/null
	printf 'extendedKeyUsage=codeSigning\nbasicConstraints=critical,CA:FALSE\nauthorityKeyIdentifier=keyid\nsubjectKeyIdentifier=hash\n' >"$W/short.ext"
	openssl x509 -req -in "$W/short.csr" -CA "$W/factory/voucher-ca.pem" -CAkey "$W/factory/voucher-ca.key" -days 0 -extfile "$W/short.ext" -out "$W/short.pem" 2>/dev/null
	sleep 1
	image 10 3000
	muster fw create --template image --sequence-number 10 --vendor $VENDOR --class $CLASS --component hex:00 \
		--image "$W/depot/v10.bin" --uri v10.bin --out "$W/m10.unsigned"
	want "sign" muster fw sign "$W/m10.unsigned" --key "$W/short.key" --cert "$W/short.pem" --out "$W/m10.suit"
	offer "$W/m10.suit"
	refused "an expired signer" MST_E_X509_EXPIRED
}

# A foreign server of RFC 7252 and 7959: manifest and image over CoAPS, the image beside the manifest.
over_coaps() {
	local p
	read -r p _ < <("$BIN/tests/e2e/e2e_tool" ports 2)
	begin coap coap-server-openssl -A 127.0.0.1 -p "$p" -d 9 -c "$W/site/registrar.pem" -j "$W/site/registrar.key" -C "$W/site/ca.pem" -R "$W/site/ca.pem"
	image 11 20000
	want "manifest 11" manifest 11 11
	put() { timeout 20 coap-client-openssl -m put -B 5 -b 512 -f "$1" "coap://127.0.0.1:$p/$2" >>"$W/coap.log" 2>&1 && timeout 20 coap-client-openssl -B 5 -b 512 -o "$W/back" "coap://127.0.0.1:$p/$2" >>"$W/coap.log" 2>&1 && cmp -s "$1" "$W/back"; }
	want "the server has the manifest" until_true 15 put "$W/m11.suit" manifest.suit
	want "and the image" put "$W/depot/v11.bin" v11.bin
	same "look" installed "$(upd update "coaps://127.0.0.1:$((p + 1))/manifest.suit")"
	same "boot" trial "$(slot_of .kind)"
	same "image" "image 11" "$(booted)"
	want "confirm" upd confirm
	down coap KILL
	upd update "coaps://127.0.0.1:$((p + 1))/manifest.suit" --json >"$W/verdict" 2>"$W/out"
	same "it is away: exit" 6 $?
	same "it is away: name" MST_E_SUIT_INTERRUPTED "$(jq -r .name "$W/verdict")"
}

t "a world with an update server" world
t "an update needs an identity" unenrolled_is_refused
t "the factory's image, and its record" factory_installs_the_first
t "SUIT-11 an update is installed, tried and confirmed" an_update_is_installed_tried_and_confirmed
t "SUIT-16 the report tells the truth" the_report_tells_the_truth
t "SUIT-13.5 a sick image reverts by itself" a_sick_image_reverts_by_itself
t "SUIT-13.5 a trial without confirmation is over" a_trial_without_confirmation_is_over
t "SUIT-13.1 SUIT-3 forgeries are refused by name" forgeries_are_refused
t "SUIT-10 a wrong payload is never booted" wrong_payload_is_never_booted
t "SUIT-13.1 another identity is no way back" another_identity_is_no_way_back
t "SUIT-22 a manifest without end is refused" a_manifest_without_end_is_refused
t "SUIT-13 nothing else keeps the device from booting" nothing_else_keeps_it_from_booting
t "SUIT-13.5 a restart command may ask the agent" restart_may_ask_the_agent
t "SUIT-13.5 given up and not restarted: the good slot is kept" reverted_and_not_restarted
t "SUIT-13.5 a health check that hangs ends" a_health_check_ends
t "SUIT-13.6 a broken transfer goes on" a_broken_transfer_goes_on
t "SUIT-13.4 a killed install goes on" a_killed_install_goes_on
t "SUIT-15 encrypted for this device's own key" encrypted_for_this_device
t "an expired signer installs nothing" expired_signer_spoils_no_image
if command -v coap-server-openssl coap-client-openssl >/dev/null; then
	t "RFC 7252 manifest and image over CoAPS, from a foreign server" over_coaps
else
	skip coaps "coap-server-openssl or coap-client-openssl is not here"
fi
finish
