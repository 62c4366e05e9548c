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
# What DPDK keeps until a process ends is no leak, and looking for leaks needs what confined processes may not do. The programs know by
# themselves: nobody hands them ASAN_OPTIONS in a container.
mkdir -p "$CARGO_TARGET_DIR"
OPTIONS=$CARGO_TARGET_DIR/options.o
printf 'const char *__asan_default_options(void) { return "detect_leaks=0"; }\n' | cc -x c -c -o "$OPTIONS" -
# Of the target only: what runs while building is built as usual. DPDK's memory has to lie elsewhere (crates/dpdk, `asan`).
export RUSTFLAGS="-Zsanitizer=address --cfg asan -Clink-arg=$OPTIONS ${RUSTFLAGS:-}"
TARGET=$(rustc -vV | sed -n 's/^host: //p')
step "build"
cargo +nightly build --workspace --bins "${TESTS[@]}" --quiet --target "$TARGET"
step "tests"
trap autogroup_back EXIT
autogroup_off
cargo +nightly test --workspace --no-fail-fast --target "$TARGET" "${TESTS[@]}" -- "$@"
