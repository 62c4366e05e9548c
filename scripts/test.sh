#!/usr/bin/env bash
# The whole test suite: formatting, clippy with warnings as errors, unit, property and end-to-end
# tests, dependencies, Miri. Ends with one line `N passed, N failed`, and `, N skipped` if so; the exit status is 0 only if
# nothing failed and something ran. What cannot run here is named as skipped.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

usage() {
    cat <<'END'
usage: scripts/test.sh [--no-setup] [--only CARGO-TEST-ARGUMENTS...]

  --no-setup   do not look for missing packages and hugepages first
  --only ...   only `cargo test` with these arguments (for example --only -p protocol), counted alike
END
}

SETUP=yes ONLY=()
while [ $# -gt 0 ]; do
    case $1 in
    --no-setup) SETUP=no ;;
    --only)
        shift
        [ $# -gt 0 ] || die "--only needs arguments for cargo test (see --help)"
        ONLY=("$@")
        break
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
export CARGO_TERM_COLOR=${CARGO_TERM_COLOR:-never}
# Tests assert on messages; a user's language must not change what other programs print.
export LC_ALL=C.UTF-8

PASSED=0 FAILED=0 FAILURES=() SKIPPED=()
WORK=$(mktemp -d)
# Tests that cannot run here write a line into it: name and reason. They count as skipped, not as passed.
export SPP_SKIPPED=$WORK/skipped
trap 'rm -rf "$WORK"; autogroup_back' EXIT

# timed NAME COMMAND...: runs a stage, prints how long it took, returns the command's status.
timed() {
    local name=$1 start=$SECONDS status=0
    shift
    step "$name"
    "$@" || status=$?
    say "-- $name: $((SECONDS - start)) s, exit status $status"
    return "$status"
}

# check NAME COMMAND...: a stage that counts as one test.
check() {
    if timed "$@"; then
        PASSED=$((PASSED + 1))
    else
        FAILED=$((FAILED + 1))
        FAILURES+=("$1")
    fi
}

# skip NAME WHY: a stage that cannot be done here.
skip() {
    step "$1"
    say "-- $1: skipped: $2"
    SKIPPED+=("$1: $2")
}

# What we are built from: licenses, sources, and what is known against it, as far as the tool and its database are there.
check_dependencies() {
    local name
    if ! cargo deny --version >/dev/null 2>&1; then
        for name in licenses-bans-sources advisories; do
            skip "$name" "no cargo-deny (cargo install cargo-deny --locked)"
        done
        return
    fi
    check "licenses-bans-sources" cargo deny --locked check --hide-inclusion-graph licenses bans sources
    if timeout 60 cargo deny --locked fetch db >"$WORK/advisories.log" 2>&1; then
        check "advisories" cargo deny --locked check --disable-fetch advisories
    else
        skip "advisories" "the database of RustSec cannot be fetched"
    fi
}

# Undefined behaviour in crates without C.
check_miri() {
    local status=0
    timed "miri" timeout 600 "$SPP_TOP/scripts/miri.sh" 2>&1 | tee "$WORK/miri.log" || status=$?
    case $status in
    77) skip "miri" "$(sed -n '/^no nightly/p' "$WORK/miri.log")" ;;
    *) count_tests "$WORK/miri.log" "$status" ;;
    esac
}

# count_tests LOG STATUS: adds up the `test result:` lines of cargo test. A test executable that
# died prints none: then cargo's status is not 0, and what is not in a line counts as one failure.
count_tests() {
    local log=$1 status=$2 passed failed crashed
    read -r passed failed < <(sed -n \
        's/^test result: [^.]*\. \([0-9]*\) passed; \([0-9]*\) failed.*/\1 \2/p' "$log" |
        awk '{ p += $1; f += $2 } END { print p + 0, f + 0 }')
    PASSED=$((PASSED + passed)) FAILED=$((FAILED + failed))
    while read -r name; do FAILURES+=("$name"); done < <(sed -n 's/^test \(.*\) \.\.\. FAILED$/\1/p' "$log")
    # Targets that cargo names at the end, beyond those that printed a failed result.
    crashed=$(sed -n 's/^error: \([0-9]*\) targets* failed:$/\1/p' "$log")
    crashed=$((${crashed:-0} - $(grep -c '^test result: FAILED' "$log" || true)))
    if [ "$crashed" -gt 0 ]; then
        FAILED=$((FAILED + crashed))
        FAILURES+=("$crashed test executable(s) ended without a result: see the end of the stage 'tests'")
    elif [ "$status" -ne 0 ] && [ "$failed" -eq 0 ]; then
        FAILED=$((FAILED + 1))
        FAILURES+=("cargo test (status $status)")
    fi
    if [ "$passed" -eq 0 ] && [ "$failed" -eq 0 ] && [ "$status" -eq 0 ]; then
        FAILED=$((FAILED + 1))
        FAILURES+=("cargo test ran no test")
    fi
}

# A shell ignores SIGINT for what it starts in the background, and programs leave it so. Tests of Ctrl-C need it.
LISTENING=()
if env --default-signal=INT,QUIT true 2>/dev/null; then LISTENING=(env --default-signal=INT,QUIT); fi

run_tests() {
    local status=0
    # Both streams: cargo says on stderr which executable died.
    "${LISTENING[@]}" cargo test --no-fail-fast "$@" </dev/null 2>&1 | tee "$WORK/tests.log" || status=$?
    return "$status"
}

finish() {
    local name line skipped=0 sum
    step "sum"
    for name in "${FAILURES[@]}"; do say "FAILED: $name"; done
    skipped=${#SKIPPED[@]}
    for name in "${SKIPPED[@]}"; do say "SKIPPED: $name"; done
    if [ -s "$SPP_SKIPPED" ]; then
        while read -r line; do
            say "SKIPPED: $line"
            skipped=$((skipped + 1))
            # Cargo has counted it as passed.
            PASSED=$((PASSED - 1))
        done <"$SPP_SKIPPED"
    fi
    say "$SECONDS s in all"
    sum="$PASSED passed, $FAILED failed"
    [ "$skipped" -eq 0 ] || sum="$sum, $skipped skipped"
    say "$sum"
    [ "$FAILED" -eq 0 ] && [ "$PASSED" -gt 0 ]
}

if [ "$SETUP" = yes ]; then
    timed setup "$SPP_TOP/scripts/setup.sh" --tests || die "the machine is not ready for the tests (see above)"
fi
if [ ${#ONLY[@]} -eq 0 ]; then
    check "formatting" cargo fmt --all --check
    check "clippy" cargo clippy --workspace --all-targets --quiet -- -D warnings
    # End-to-end tests start the binaries that lie beside them: build all of them first.
    if ! timed "build" cargo build --workspace --bins --quiet; then
        FAILED=$((FAILED + 1))
        FAILURES+=("build")
        finish || exit 1
    fi
    ONLY=(--workspace)
    check_dependencies
    check_miri
fi
autogroup_off
status=0
timed "tests" run_tests "${ONLY[@]}" || status=$?
count_tests "$WORK/tests.log" "$status"
finish
