#!/usr/bin/env bash
# Measures SPP and its opponents in slices that take turns; see docs/performance.md. The cases are in
# scripts/bench/ (Python, standard library only); this builds what they run.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

cd "$SPP_TOP"
command -v python3 >/dev/null || die "python3 is not in the PATH (Debian: apt-get install python3)"

AGAINST='' HELP=no BUILD=yes ARGS=()
while [ $# -gt 0 ]; do
    case $1 in
    -h | --help) HELP=yes ;;
    --no-build) BUILD=no ;;
    --against)
        [ $# -ge 2 ] || die "--against needs a revision of git"
        AGAINST=$2
        shift
        ;;
    *) ARGS+=("$1") ;;
    esac
    shift
done
if [ "$HELP" = yes ]; then
    say "scripts/bench.sh [--no-build]: builds in release mode (unless told not to), then measures."
    exec python3 scripts/bench --bin-dir . --help
fi
if [ "$BUILD" = yes ]; then
    command -v cargo >/dev/null || die "cargo is not in the PATH: install a Rust toolchain"
    cargo build --release --workspace --bins --quiet
    # What the machine's CPUs cost by themselves.
    cargo build --release --package sys --example cpu_pair --quiet
    # The clients of the REST interface.
    cargo build --release --package controller --example rest_load --quiet
fi
REVISION=$(git describe --always --dirty 2>/dev/null || say unknown)
ARGS+=(--bin-dir "$(target_dir)/release" --revision "$REVISION")

if [ -n "$AGAINST" ]; then
    COMMIT=$(git rev-parse --verify --quiet "$AGAINST^{commit}") || die "--against $AGAINST: no such revision"
    TREE=$(cache_dir)/bench/tree-$COMMIT
    mkdir -p "$(dirname "$TREE")"
    # The build is kept for the next time, the checkout is not.
    clean_up() { git worktree remove --force "$TREE" 2>/dev/null || true; }
    trap clean_up EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    clean_up
    git worktree prune
    git worktree add --quiet --detach "$TREE" "$COMMIT"
    say "build $AGAINST ($COMMIT)"
    TARGET=$(cache_dir)/bench/target-$COMMIT
    (cd "$TREE" && CARGO_TARGET_DIR=$TARGET cargo build --release --workspace --bins --quiet)
    ARGS+=(--against "$AGAINST" --against-bin-dir "$TARGET/release")
fi
python3 scripts/bench "${ARGS[@]}"
