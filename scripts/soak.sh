#!/usr/bin/env bash
# For a while, on real processes: random commands, kills, stops and reconnections against a plain model, every packet and every
# mbuf accounted for; or captures with rotation under load.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

usage() {
    cat <<'END'
usage: scripts/soak.sh [--minutes N | --seconds N] [--seed N] [--capture [--rate PPS]]

  --minutes N  how long (default 1); schedules of about half a minute follow each other
  --seconds N  the same in seconds
  --seed N     number of the first schedule (default 1): a failure names its own, which comes again with it
  --capture    captures with rotation under load instead
  --rate PPS   its packets a second, of 200 bytes (default 100000)
END
}

SECONDS_WANTED=60 SEED=1 RATE=100000 WHAT=faults
while [ $# -gt 0 ]; do
    case $1 in
    --minutes | --seconds | --seed | --rate)
        [ $# -ge 2 ] || die "$1 needs a value (see --help)"
        [[ $2 =~ ^[1-9][0-9]{0,8}$ ]] || die "$1 '$2' is not a number (1..999999999)"
        case $1 in
        --minutes) SECONDS_WANTED=$((60 * $2)) ;;
        --seconds) SECONDS_WANTED=$2 ;;
        --seed) SEED=$2 ;;
        --rate) RATE=$2 ;;
        esac
        shift
        ;;
    --capture) WHAT=capture ;;
    -h | --help)
        usage
        exit 0
        ;;
    *) die "unknown option '$1' (see --help)" ;;
    esac
    shift
done

cd "$(dirname "${BASH_SOURCE[0]}")/.."
say "build"
cargo build -q --workspace --bins
export SPP_SOAK_SECONDS=$SECONDS_WANTED
trap autogroup_back EXIT
autogroup_off
if [ "$WHAT" = capture ]; then
    say "capture for $SECONDS_WANTED s at $RATE packets a second"
    SPP_SOAK_RATE=$RATE cargo test -q --workspace --test capture under_load -- --nocapture
else
    say "faults for $SECONDS_WANTED s, from schedule $SEED on"
    # In memory: how long a disk takes is not what is looked at.
    [ -n "${TMPDIR:-}" ] || [ ! -w /dev/shm ] || export TMPDIR=/dev/shm
    SPP_SOAK_SEED=$SEED cargo test -q --workspace --test soak -- --nocapture
fi
