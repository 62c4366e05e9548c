#!/usr/bin/env bash
# From a fresh machine to packets in one command: builds SPP, starts a panel of a primary and two
# workers, patches   vhost:1 -> ring:0 -> vhost:2   and proves with two testpmd peers that every
# packet sent was received or is in a drop counter.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

usage() {
    cat <<'END'
usage: scripts/quickstart.sh [--packets N] [--keep] [--no-setup]

  --packets N  send at least N packets (default 1000000; 200000 with fewer than four CPUs)
  --keep       leave the panel running, with the default file prefix and ports, and say what
               to type next
  --no-setup   do not look for missing packages and hugepages first

Exit status: 0 if sent = received + counted drops, else 1.
END
}

KEEP=no SETUP=yes PACKETS=''
while [ $# -gt 0 ]; do
    case $1 in
    --keep) KEEP=yes ;;
    --no-setup) SETUP=no ;;
    --packets)
        [ $# -ge 2 ] || die "--packets needs a number"
        [[ $2 =~ ^[1-9][0-9]{0,9}$ ]] || die "--packets '$2' is not a number from 1 to 9999999999"
        PACKETS=$2
        shift
        ;;
    -h | --help)
        usage
        exit 0
        ;;
    *) die "unknown option '$1' (see --help)" ;;
    esac
    shift
done

cd "$SPP_TOP"
if [ "$SETUP" = yes ]; then
    step "What SPP needs (scripts/setup.sh --runtime)"
    "$SPP_TOP/scripts/setup.sh" --runtime
fi

# Without root: the folders that setup.sh --user made.
HUGE=() RUNTIME=/var/run/dpdk
if ! is_root; then
    dir=$(huge_mount_of "$(id -u)") || die "no hugetlbfs mount is yours: as root, ./scripts/setup.sh --user $(id -un)"
    HUGE=(--huge-dir "$dir")
    if [ -d "/run/spp/$(id -un)/runtime" ]; then XDG_RUNTIME_DIR=/run/spp/$(id -un)/runtime; fi
    export XDG_RUNTIME_DIR=${XDG_RUNTIME_DIR:?is not set: EAL would share its folder with everybody}
    RUNTIME=$XDG_RUNTIME_DIR/dpdk
fi

command -v cargo >/dev/null || die "cargo is not in the PATH of $(id -un): install a Rust toolchain (1.91 or newer) with rustup"
step "Build (release)"
cargo build --release --workspace --bins --quiet
BIN=$(target_dir)/release

# --- names and places ----------------------------------------------------------------------

WORK=$(mktemp -d "${TMPDIR:-/tmp}/spp-quickstart.XXXXXX")
export SPP_STATE_DIR=$WORK/state
if [ "$KEEP" = yes ]; then
    PREFIX=spp PORTS=(5555 6666 7777)
else
    PREFIX=demo$$
    mapfile -t PORTS < <(python3 -c '
import socket
held = [socket.socket() for _ in range(3)]
for s in held: s.bind(("127.0.0.1", 0))
for s in held: print(s.getsockname()[1])')
fi
REST=127.0.0.1:${PORTS[2]}

# Four threads poll: the sender, two workers, the receiver. With fewer CPUs than that, the sender
# shares one with the worker it feeds and the receiver with the worker that feeds it: each pair
# then takes turns at a queue that holds what one turn brings.
mapfile -t CPUS < <(cpus_allowed)
if [ ${#CPUS[@]} -ge 4 ]; then
    CPU_TX=${CPUS[0]} CPU_1=${CPUS[1]} CPU_2=${CPUS[2]} CPU_RX=${CPUS[3]}
    PACKETS=${PACKETS:-1000000}
else
    CPU_TX=${CPUS[0]} CPU_1=${CPUS[0]} CPU_2=${CPUS[-1]} CPU_RX=${CPUS[-1]}
    PACKETS=${PACKETS:-200000}
fi

spp() { "$BIN/spp" -b "$REST" "$@"; }

# --- starting and ending -------------------------------------------------------------------

PIDS=() # what we started, in order
# Set in the environment of everything we start, so that its children can be told, too.
MARK=SPP_QUICKSTART=$PREFIX.$$

# start NAME COMMAND...: in the background, detached from the terminal (so that --keep outlives
# it), its output in $WORK/NAME.log, its input from ours.
start() {
    local name=$1
    shift
    setsid env "$MARK" "$@" <&0 >"$WORK/$name.log" 2>&1 &
    PIDS+=($!)
}

gone() { ! kill -0 "$1" 2>/dev/null; }

# end PID: asks, waits up to 10 s, then kills.
end() {
    gone "$1" && return 0
    kill -TERM "$1" 2>/dev/null || true
    wait_for 10 "process $1 to end" gone "$1" || kill -KILL "$1" 2>/dev/null || true
    wait "$1" 2>/dev/null || true
}

# marked: the processes that carry our mark and still run.
marked() {
    local file
    for file in /proc/[0-9]*/environ; do
        if grep -qzFx -- "$MARK" "$file" 2>/dev/null; then
            file=${file#/proc/}
            printf '%s\n' "${file%/environ}"
        fi
    done
}
none_marked() { [ -z "$(marked)" ]; }

clean_up() {
    local status=$? i pid
    trap - EXIT INT TERM
    set +e
    if [ "$status" -ne 0 ] && [ -d "$WORK" ]; then
        step "What the processes said last"
        tail -n 15 "$WORK"/*.log 2>/dev/null
    fi
    for ((i = ${#PIDS[@]} - 1; i >= 0; i--)); do end "${PIDS[i]}"; done
    # The controller ends by itself once the primary has ended and nobody is connected.
    if ! wait_for 10 "the controller to end" none_marked; then
        status=1
        for pid in $(marked); do kill -KILL "$pid"; done
    fi
    rm -rf "$WORK"
    rm -rf "${RUNTIME:?}/$PREFIX" "$RUNTIME/$PREFIX"-{tx,rx}
    local mount
    if mount=$(huge_mount_of "$(id -u)"); then rm -f "$mount/$PREFIX"map_*; fi
    exit "$status"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# --- testpmd as a vhost-user client --------------------------------------------------------

# peer NAME CPU SOCKET MODE: starts testpmd with its prompt on a FIFO.
peer() {
    local name=$1 cpu=$2 socket=$3 mode=$4 fd
    mkfifo "$WORK/$name.in"
    # Held open for reading, too: else testpmd sees the end of its input at once.
    exec {fd}<>"$WORK/$name.in"
    declare -g "FD_$name=$fd"
    # --in-memory: its hugepages go when it goes. stdbuf: its answers come when it gives them.
    # A ring of 512: what its turn on a shared CPU brings fits into ring:0.
    start "$name" stdbuf -oL dpdk-testpmd --lcores "0@$cpu,1@$cpu" --no-pci --in-memory \
        --single-file-segments --file-prefix "$PREFIX-$name" "${HUGE[@]}" --iova-mode=va \
        --no-telemetry -m 128 --vdev "virtio_user0,path=$socket,queues=1,queue_size=512" -- \
        --interactive --forward-mode="$mode" --total-num-mbufs=8192 --no-mlockall \
        --txd=512 --rxd=512 <"$WORK/$name.in"
    wait_for 20 "testpmd '$name' to be ready" prompts_over "$name" 0
}
prompts() { grep -c 'testpmd> ' "$WORK/$1.log" || true; }
prompts_over() { [ "$(prompts "$1")" -gt "$2" ]; }

# ask NAME COMMAND: types a command and waits until the prompt is back.
ask() {
    local name=$1 before fd=FD_$1
    before=$(prompts "$name")
    printf '%s\n' "$2" >&"${!fd}"
    wait_for 10 "testpmd '$name' to answer '$2'" prompts_over "$name" "$before"
}

# counted NAME FIELD: a number of its last statistics (RX-packets, TX-packets).
counted() { sed -n "s/^ *.*$2: \([0-9]*\).*/\1/p" "$WORK/$1.log" | tail -n 1; }
sent_over() {
    ask tx 'show port stats 0' || return 1
    [ "$(counted tx TX-packets)" -gt "$1" ]
}

# --- our own counters ----------------------------------------------------------------------

# drops [--print]: sums what the patches dropped, from the controller's JSON.
drops() {
    python3 - "$REST" "$@" <<'PY'
import json, sys, urllib.request
answer = urllib.request.urlopen(f"http://{sys.argv[1]}/v1/details", timeout=5)
total = 0
for process in json.load(answer):
    detail = process["detail"]
    if detail is None:
        sys.exit(f"{process['type']} {process['client-id']}: {process['error']}")
    for patch in detail["patches"]:
        lost = {why: n for why, n in patch["drops"].items() if n}
        total += sum(lost.values())
        if "--print" in sys.argv:
            why = ", ".join(f"{n} {why}" for why, n in lost.items()) or "0"
            print(f"  {process['type']} {process['client-id']}  "
                  f"{patch['src']} -> {patch['dst']}: took {patch['rx-packets']}, "
                  f"delivered {patch['tx-packets']}, dropped {why}")
if "--print" not in sys.argv:
    print(total)
PY
}
all_accounted() {
    ask rx 'show port stats 0' || return 1
    [ $(($(counted rx RX-packets) + $(drops))) -eq "$SENT" ]
}

# --- the panel -----------------------------------------------------------------------------

step "Start the primary (with its controller) and two workers"
start primary "$BIN/spp-primary" --file-prefix "$PREFIX" --vhost-dir "$WORK" "${HUGE[@]}" \
    --ctl 127.0.0.1 --ctl-ports "${PORTS[0]},${PORTS[1]},${PORTS[2]}" </dev/null
spp wait pri --timeout 20
start nfv1 taskset -c "$CPU_1" "$BIN/spp-nfv" --sec-id 1 --file-prefix "$PREFIX" "${HUGE[@]}" </dev/null
start nfv2 taskset -c "$CPU_2" "$BIN/spp-nfv" --sec-id 2 --file-prefix "$PREFIX" "${HUGE[@]}" </dev/null
PANEL=("${PIDS[@]}")
spp wait nfv 1 --timeout 20
spp wait nfv 2 --timeout 20

step "Patch  vhost:1 -> ring:0 -> vhost:2"
spp nfv 1 add vhost:1
spp nfv 1 add ring:0
spp nfv 1 patch vhost:1 ring:0
spp nfv 2 add ring:0
spp nfv 2 add vhost:2
spp nfv 2 patch ring:0 vhost:2

step "Attach two testpmd as vhost-user clients"
socket_of() { [ -S "$WORK/sock$1" ]; }
wait_for 10 "the socket of vhost:1 ($WORK/sock1)" socket_of 1
wait_for 10 "the socket of vhost:2 ($WORK/sock2)" socket_of 2
peer rx "$CPU_RX" "$WORK/sock2" rxonly
peer tx "$CPU_TX" "$WORK/sock1" txonly
say "sender on CPU $CPU_TX, worker of nfv 1 on $CPU_1, worker of nfv 2 on $CPU_2, receiver on $CPU_RX"

step "The topology"
spp topo term

step "Send"
ask rx start
ask tx start
wait_for 20 "the first packet to be sent" sent_over 0
spp top --count 1
wait_for 60 "$PACKETS packets to be sent" sent_over $((PACKETS - 1))
ask tx stop
SENT=$(counted tx TX-packets)
wait_for 10 "every packet to be received or counted as dropped" all_accounted || true
ask rx stop
spp nfv 1 status

step "Account"
RECEIVED=$(counted rx RX-packets)
DROPPED=$(drops)
say "  testpmd sent        $SENT"
drops --print
say "  testpmd received    $RECEIVED"
say "  dropped, in all     $DROPPED"
if [ "$SENT" -eq $((RECEIVED + DROPPED)) ] && [ "$RECEIVED" -gt 0 ]; then
    say "$SENT sent = $RECEIVED received + $DROPPED dropped: they agree"
else
    die "$SENT sent, but $RECEIVED received + $DROPPED dropped = $((RECEIVED + DROPPED))"
fi

if [ "$KEEP" = yes ]; then
    for peer in tx rx; do
        fd=FD_$peer
        printf 'quit\n' >&"${!fd}"
    done
    wait "${PIDS[@]:3}" || true
    rm -rf "$RUNTIME/$PREFIX"-{tx,rx}
    trap - EXIT
    cat <<END

== The panel goes on. What to type next
  $BIN/spp                        a shell; help lists its commands
  $BIN/spp status                 who runs
  $BIN/spp nfv 1 status           ports and patches of a worker
  $BIN/spp nfv 2 patch reset      take its patches out; then patch anew
  $BIN/spp top                    live rates
The sockets are $WORK/sock1 and $WORK/sock2; a peer for one of them:
  dpdk-testpmd --lcores 0@$CPU_TX,1@$CPU_TX --no-pci --in-memory --single-file-segments ${HUGE[*]:+${HUGE[*]} }--iova-mode=va \\
    --no-telemetry -m 128 --vdev virtio_user0,path=$WORK/sock1 -- --forward-mode=txonly \\
    --total-num-mbufs=8192 --no-mlockall --stats-period 1
End it all:
  kill ${PANEL[*]} && rm -r $WORK
END
fi
