#!/usr/bin/env bash
# Builds everything with AddressSanitizer and runs end-to-end tests with it: what our processes do with memory of their own
# while they are attacked and killed. By hand, as root: it builds all crates once more. Needs a nightly toolchain.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

usage() {
    cat <<'END'
usage: scripts/asan.sh [TEST...] [-- ARGUMENTS]

  TEST       a test of tests/, such as hostile (default: panel vhost hostile kills)
  ARGUMENTS  for these tests, as after `cargo test --`
END
}

TESTS=()
while [ $# -gt 0 ]; do
    case $1 in
    --)
        shift
        break
        ;;
    -h | --help)
        usage
        exit 0
        ;;
    -*) die "unknown option '$1' (see --help)" ;;
    *) TESTS+=(--test "$1") ;;
    esac
    shift
done
[ ${#TESTS[@]} -gt 0 ] || TESTS=(--test panel --test vhost --test hostile --test kills)

cargo +nightly --version >/dev/null 2>&1 || die "no nightly toolchain (rustup toolchain install nightly)"
cd "$SPP_TOP"
export CARGO_TARGET_DIR
CARGO_TARGET_DIR=$(target_dir)/asan
# Of the target only: what runs while building is built as usual. DPDK's memory has to lie elsewhere (crates/dpdk, `asan`).
export RUSTFLAGS="-Zsanitizer=address --cfg asan ${RUSTFLAGS:-}"
TARGET=$(rustc -vV | sed -n 's/^host: //p')
# What DPDK keeps until a process ends is no leak, and looking for leaks needs what confined processes may not do.
export ASAN_OPTIONS="detect_leaks=0:${ASAN_OPTIONS:-}"
step "build"
cargo +nightly build --workspace --bins "${TESTS[@]}" --quiet --target "$TARGET"
step "tests"
trap autogroup_back EXIT
autogroup_off
cargo +nightly test --workspace --no-fail-fast --target "$TARGET" "${TESTS[@]}" -- "$@"
