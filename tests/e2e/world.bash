# SPDX-License-Identifier: Apache-2.0
# A world on loopback for the scripts of tests/e2e and tests/interop: factory
# with MASA, site with registrar and CA, join proxy, devices. To be sourced.
# BIN is the build folder. Everything lies in $W, made by mktemp; whatever
# world_start starts ends with the script, however that ends.
set -u
: "${BIN:?the build folder}"
PATH=$BIN:/usr/sbin:/sbin:$PATH
export LC_ALL=C
# A core that is not dumpable cannot be searched for leaks from outside; the
# unit tests look for leaks.
export ASAN_OPTIONS=detect_leaks=0:verify_asan_link_order=0:use_sigaltstack=0
export UBSAN_OPTIONS=print_stacktrace=1
W=$(mktemp -d "${TMPDIR:-/tmp}/muster-e2e.XXXXXX")
declare -A PID=()
PASSED=0 FAILED=0 SKIPPED=0 BAD=0 NAME=

at_exit() {
	local p
	# Not a plain wait: that would include what filters this shell's own words.
	for p in "${PID[@]}" $(jobs -pr); do
		kill -KILL "$p" && wait "$p"
	done 2>/dev/null
	type -t world_cleanup >/dev/null && world_cleanup
	if [ -n "${KEEP:-}" ]; then echo "kept: $W"; else rm -rf "$W"; fi
}
trap at_exit EXIT
trap 'exit 130' INT TERM HUP

# --- tests, told in cmocka's words so that tools/run-tests counts them ---

# t NAME FUNCTION...: one test. Within it, every check that fails says so.
t() {
	NAME=$1 BAD=0
	shift
	echo "[ RUN      ] $NAME"
	"$@"
	if [ "$BAD" = 0 ]; then
		echo "[       OK ] $NAME"
		PASSED=$((PASSED + 1))
	else
		echo "[  FAILED  ] $NAME"
		FAILED=$((FAILED + 1))
	fi
}
bad() {
	BAD=1
	echo "[  ERROR   ] $NAME: $*"
}
# want WORDS COMMAND...: the command must succeed.
want() {
	local words=$1
	shift
	"$@" >"$W/want.out" 2>&1 || { bad "$words (exit $?): $*"; sed 's/^/    /;15q' "$W/want.out"; return 1; }
}
# same WORDS EXPECTED FOUND
same() {
	[ "$2" = "$3" ] || { bad "$1: expected '$2', found '$3'"; return 1; }
}
skip() {
	echo "SKIP $1: $2"
	SKIPPED=$((SKIPPED + 1))
}
finish() {
	local p
	world_stop
	t no_sanitizer_spoke no_sanitizer_spoke
	echo "[==========] $((PASSED + FAILED)) test(s) run."
	echo "[  PASSED  ] $PASSED test(s)."
	[ "$SKIPPED" = 0 ] || echo "[  SKIPPED ] $SKIPPED test(s)."
	[ "$FAILED" = 0 ] || echo "[  FAILED  ] $FAILED test(s)."
	[ "$FAILED" = 0 ]
	exit
}
no_sanitizer_spoke() {
	local f
	f=$(grep -lE 'ERROR: AddressSanitizer|runtime error:|WARNING: ThreadSanitizer' "$W"/*.log "$W"/devices/*/*.log 2>/dev/null)
	[ -z "$f" ] || bad "in $f: $(grep -hE -A6 'ERROR: AddressSanitizer|runtime error:|ThreadSanitizer' $f | head -20)"
}

# --- processes ---

# until_true SECONDS COMMAND...: false when the time is over.
until_true() {
	local end=$((SECONDS + $1))
	shift
	until "$@"; do
		[ "$SECONDS" -le "$end" ] || return 1
		sleep 0.05
	done
}
listens() { (exec 3<>"/dev/tcp/${2:-127.0.0.1}/$1") 2>/dev/null; }
gone() { ! kill -0 "$1" 2>/dev/null; }
listens_or_gone() { listens "$2" || gone "$1"; }

# begin NAME COMMAND...: in the background, output in $W/NAME.log, gone when this shell is gone.
begin() {
	local name=$1
	shift
	setpriv --pdeathsig KILL "$@" >>"$W/$name.log" 2>&1 </dev/null &
	PID[$name]=$!
}
# up NAME [ENV=...]: the daemon of $W/NAME/muster.conf, until it listens.
up() {
	local name=$1
	shift
	begin "$name" env "$@" musterd --config "$W/$name/muster.conf"
	until_true 30 listens_or_gone "${PID[$name]}" "${PORT[$name]}"
	if ! listens "${PORT[$name]}"; then
		wait "${PID[$name]}" 2>/dev/null
		unset "PID[$name]"
		return 1
	fi
}
# down NAME [SIGNAL]: and its exit code.
down() {
	local p=${PID[$1]:-} code
	[ -n "$p" ] || return 0
	kill -"${2:-TERM}" "$p" 2>/dev/null
	wait "$p" 2>/dev/null
	code=$?
	unset "PID[$1]"
	return $code
}
world_stop() {
	local n
	for n in "${!PID[@]}"; do down "$n"; done
}

# --- the world ---

declare -A PORT=()
factory() { muster "$@" --config "$W/factory/muster.conf"; }
site() { muster "$@" --config "$W/site/muster.conf"; }

# conf NAME SECTION LINES: into that section of the daemon's configuration.
conf() {
	sed -i "s|^$2 {|&\n$3|" "$W/$1/muster.conf"
}
# world_make [factory and site init options as two strings]
world_make() {
	local list p i=0 names=(factory site proxy factory_ops site_ops relay_site relay_masa)
	list=$("$BIN/tests/e2e/e2e_tool" ports ${#names[@]})
	for p in $list; do PORT[${names[$i]}]=$p; i=$((i + 1)); done
	# shellcheck disable=SC2086
	muster init factory "$W/factory" --organization "Acme Devices" --url "127.0.0.1:${PORT[factory]}" \
		--listen "127.0.0.1:${PORT[factory]}" --ops "127.0.0.1:${PORT[factory_ops]}" ${1:-} >>"$W/make.log" 2>&1 &&
		muster init site "$W/site" --organization "Example Site" --hosts "127.0.0.1 localhost" \
			--listen "127.0.0.1:${PORT[site]}" --ops "127.0.0.1:${PORT[site_ops]}" ${2:-} >>"$W/make.log" 2>&1 || {
		cat "$W/make.log"
		return 1
	}
	conf site registrar '\tretry_after = 1\n\tmasa_timeout_ms = 4000\n\tdevice_rate = 1000'
	conf factory masa '\trate = 100000'
	mkdir "$W/proxy" "$W/devices"
	printf 'state = "state"\nproxy {\n\tlisten = "127.0.0.1:%d"\n\tregistrar = "127.0.0.1:%d"\n\tmax_connections = 1000\n\tper_peer = 1000\n}\n' \
		"${PORT[proxy]}" "${PORT[site]}" >"$W/proxy/muster.conf"
	trust_factory --mode auto
}
trust_factory() {
	site manufacturer trust acme --anchors "$W/factory/idevid-ca.pem" --voucher-anchors "$W/factory/voucher-ca.pem" \
		--masa-anchors "$W/factory/masa-tls-ca.pem" --masa-hosts "127.0.0.1:${PORT[factory]}" "$@" >>"$W/make.log" 2>&1 ||
		{ cat "$W/make.log"; return 1; }
}
# devices SERIAL...: IDevIDs, and an agent configuration towards port $VIA (default: the proxy's).
devices() {
	local d
	printf '%s\n' "$@" >"$W/serials.csv"
	factory idevid issue --batch "$W/serials.csv" --out "$W/devices" >>"$W/make.log" 2>&1 || { cat "$W/make.log"; return 1; }
	for d; do agent_conf "$d"; done
}
agent_conf() {
	cat >"$W/devices/$1/agent.conf" <<-END
		state = "state"
		idevid_cert = "idevid.pem"
		idevid_key = "idevid.key"
		masa_anchors = "$W/factory/voucher-ca.pem"
		registrars = { "127.0.0.1:${VIA:-${PORT[proxy]}}" }
		timers {
			stall = 3
			backoff_first = 1
			backoff_max = 2
			peer_gap = 1
			answer_max = 10
		}
		${2:-}
	END
}
# agent SERIAL ARGUMENTS...: run it; output in its folder's agent.log.
agent() {
	local d=$1
	shift
	setpriv --pdeathsig KILL muster-agent --config "$W/devices/$d/agent.conf" "$@" >>"$W/devices/$d/agent.log" 2>&1
}
# join SERIAL [SECONDS]: one run of the agent to the end.
join() { agent "$1" --once --timeout "${2:-30}"; }
ldevid() { echo "$W/devices/$1/state/ldevid.pem"; }
enrolled() { [ -s "$(ldevid "$1")" ]; }
# The serial number of the device's certificate, lower-case hexadecimal.
cert_serial() { openssl x509 -in "$(ldevid "$1")" -noout -serial 2>/dev/null | sed 's/.*=//' | tr A-F a-f; }
device_field() { site device show "$1" --json 2>/dev/null | jq -r ".$2"; }
# Certificates issued to the device, one serial number a line.
cert_serials() { site cert list --device "$1" --json 2>/dev/null | jq -r '.[] | select(.state != "ordered") | .serial' | tr A-F a-f; }
is_state() { [ "$(device_field "$1" state)" = "$2" ]; }
