#!/usr/bin/env bash
# Runs unit tests of crates that call no C under Miri, which finds undefined behaviour in them and in what they are made of.
# Needs a nightly toolchain with Miri; says so and exits with 77 if there is none.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

cargo +nightly miri --version >/dev/null 2>&1 || {
    say "no nightly toolchain with Miri (rustup toolchain install nightly --component miri,rust-src)"
    exit 77
}
cd "$SPP_TOP"
export CARGO_TARGET_DIR
CARGO_TARGET_DIR=$(target_dir)/miri
# Properties are tried twice only, and what takes half a minute or more is left out: it is some hundred times as slow here.
export PROPTEST_CASES=2 PROPTEST_FAILURE_PERSISTENCE=off
export MIRIFLAGS="-Zmiri-disable-isolation ${MIRIFLAGS:-}"
LEFT_OUT=()
for name in does_harm do_no_harm read_back reads_back leads_from refusals_name; do LEFT_OUT+=(--skip "$name"); done
exec cargo +nightly miri test --quiet --lib -p protocol -- command:: filter:: flow:: json:: port:: "${LEFT_OUT[@]}"
