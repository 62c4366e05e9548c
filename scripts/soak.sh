#!/usr/bin/env bash
# Captures with rotation under load for a while, on real processes; every packet has to be accounted for.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

usage() {
    cat <<'END'
usage: scripts/soak.sh [--seconds N] [--rate PPS]

  --seconds N  how long (default 60)
  --rate PPS   packets a second, of 200 bytes (default 100000)
END
}

SECONDS_WANTED=60 RATE=100000
while [ $# -gt 0 ]; do
    case $1 in
    --seconds | --rate)
        [ $# -ge 2 ] || die "$1 needs a value (see --help)"
        [[ $2 =~ ^[1-9][0-9]{0,8}$ ]] || die "$1 '$2' is not a number (1..999999999)"
        if [ "$1" = --seconds ]; then SECONDS_WANTED=$2; else RATE=$2; fi
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

cd "$(dirname "${BASH_SOURCE[0]}")/.."
say "build"
cargo build -q -p spp-primary -p spp-nfv -p spp-pcap -p controller -p traffic -p spp
say "capture for $SECONDS_WANTED s at $RATE packets a second"
SPP_SOAK_SECONDS=$SECONDS_WANTED SPP_SOAK_RATE=$RATE \
    cargo test -q --test capture under_load -- --nocapture
