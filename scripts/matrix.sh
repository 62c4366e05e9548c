#!/usr/bin/env bash
# Builds the workspace against other DPDK versions and runs the main path on each, in Debian trees
# of its own: trixie has DPDK 24.11, forky 25.11. By hand, not in continuous integration: the first
# run downloads about a gigabyte a tree and takes some minutes; later ones reuse trees and builds.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

usage() {
    cat <<'END'
usage: scripts/matrix.sh [--cache DIR] [--packets N] [--shell] [SUITE...]

  SUITE        trixie (DPDK 24.11) or forky (DPDK 25.11); default: both
  --cache DIR  where trees and builds are kept (default ~/.cache/spp/matrix); may be removed at any time
  --packets N  packets that the main path sends (default 200000)
  --shell      a shell in the tree instead of build and run, to look around

For each suite: builds all binaries, runs the unit tests of the crates that touch DPDK on a real EAL,
and runs scripts/quickstart.sh (two testpmd, two workers, a ring, every packet accounted for).
Needs root, debootstrap, a Rust toolchain, network for the first run and 768 MB of free hugepages.
Exit status: 0 if all suites passed.
END
}

CACHE='' PACKETS=200000 SHELL_ONLY=no SUITES=()
while [ $# -gt 0 ]; do
    case $1 in
    --cache)
        [ $# -ge 2 ] || die "--cache needs a folder"
        CACHE=$2
        shift
        ;;
    --packets)
        [ $# -ge 2 ] || die "--packets needs a number"
        [[ $2 =~ ^[1-9][0-9]{0,9}$ ]] || die "--packets '$2' is not a number from 1 to 9999999999"
        PACKETS=$2
        shift
        ;;
    --shell) SHELL_ONLY=yes ;;
    trixie | forky) SUITES+=("$1") ;;
    -h | --help)
        usage
        exit 0
        ;;
    *) die "unknown option or suite '$1' (see --help)" ;;
    esac
    shift
done
[ ${#SUITES[@]} -gt 0 ] || SUITES=(trixie forky)
[ "$SHELL_ONLY" = no ] || [ ${#SUITES[@]} -eq 1 ] || die "--shell needs one suite: trixie or forky"

is_root || die "chroot and mount need root"
for tool in debootstrap chroot unshare cargo rustc; do
    command -v "$tool" >/dev/null || die "$tool is not in the PATH (Debian: apt-get install debootstrap util-linux; the Rust toolchain by rustup)"
done
CACHE=${CACHE:-$(cache_dir)/matrix}
mkdir -p "$CACHE"
CACHE=$(cd "$CACHE" && pwd)
case $CACHE/ in
"$SPP_TOP"/*) die "--cache $CACHE lies in the checkout, which is mounted into the trees: name another folder" ;;
esac
for suite in "${SUITES[@]}"; do
    exec {LOCK}>"$CACHE/$suite.lock"
    flock -n "$LOCK" || die "another scripts/matrix.sh uses $CACHE/$suite"
done

# What a tree needs to build and to run scripts/quickstart.sh.
PACKAGES="build-essential pkg-config libdpdk-dev dpdk-dev libclang-dev clang libnuma-dev libpcap-dev python3
    iproute2 util-linux procps ca-certificates"

# prepare SUITE: debootstraps the tree and installs the packages, once.
prepare() {
    local suite=$1 tree=$CACHE/$1 script=()
    if [ ! -e "$tree/.spp-base" ]; then
        # An older debootstrap does not know the name: all of Debian's newer suites share one script.
        [ -e "/usr/share/debootstrap/scripts/$suite" ] || script=('' /usr/share/debootstrap/scripts/sid)
        rm -rf --one-file-system "$tree"
        step "$suite: debootstrap (log: $CACHE/$suite.log)"
        debootstrap --variant=minbase "$suite" "$tree" "${script[@]}" >"$CACHE/$suite.log" 2>&1 ||
            { tail -n 20 "$CACHE/$suite.log" >&2 && die "debootstrap $suite failed"; }
        touch "$tree/.spp-base"
    fi
    [ "$(cat "$tree/.spp-packages" 2>/dev/null)" = "$PACKAGES" ] && return 0
    step "$suite: install packages (log: $CACHE/$suite.log)"
    cp -L /etc/resolv.conf "$tree/etc/resolv.conf"
    # shellcheck disable=SC2086 # a list of words
    inside "$tree" yes /usr/bin/env DEBIAN_FRONTEND=noninteractive sh -ec '
        # A mirror may be a snapshot whose lists count as expired; their signatures are checked all the same.
        apt-get update -qq -o Acquire::Check-Valid-Until=false
        apt-get install -y -qq --no-install-recommends "$@"
        apt-get clean' sh $PACKAGES </dev/null >>"$CACHE/$suite.log" 2>&1 ||
        { tail -n 20 "$CACHE/$suite.log" >&2 && die "installing packages in $suite failed"; }
    printf '%s\n' "$PACKAGES" >"$tree/.spp-packages"
}

# inside TREE NET COMMAND...: runs COMMAND in the tree with namespaces of its own for mounts, processes and
# (NET no) the network. All mounts go with them, also when the script is killed.
inside() {
    local tree=$1 net=$2
    shift 2
    local namespaces=(--mount --propagation private --pid --fork --kill-child --ipc)
    [ "$net" = yes ] || namespaces+=(--net)
    # shellcheck disable=SC2016 # expanded in the namespaces
    unshare "${namespaces[@]}" bash -ec '
        tree=$1 top=$2 sysroot=$3 registry=$4 net=$5
        shift 5
        mkdir -p "$tree"/{proc,sys,dev,run,spp,rust/toolchain,rust/cargo/registry,target}
        mount -t proc proc "$tree/proc"
        mount --rbind /sys "$tree/sys"
        mount --bind /dev "$tree/dev"
        mount -t tmpfs -o mode=0755 tmpfs "$tree/run"
        mount -t tmpfs -o mode=1777 tmpfs "$tree/tmp"
        mkdir -p "$tree/dev/hugepages" "$tree/dev/pts"
        mount -t hugetlbfs -o pagesize=2M nodev "$tree/dev/hugepages"
        mount --bind /dev/pts "$tree/dev/pts"
        mount --bind "$top" "$tree/spp"
        mount -o remount,bind,ro "$tree/spp"
        mount --bind "$sysroot" "$tree/rust/toolchain"
        mount -o remount,bind,ro "$tree/rust/toolchain"
        mkdir -p "$registry"
        mount --bind "$registry" "$tree/rust/cargo/registry"
        [ "$net" = yes ] || ip link set lo up
        exec env -i HOME=/root TERM="${TERM:-dumb}" LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive \
            PATH=/rust/toolchain/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
            CARGO_HOME=/rust/cargo CARGO_TARGET_DIR=/target CARGO_NET_OFFLINE=true CARGO_TERM_COLOR=never \
            chroot "$tree" "$@"' bash "$tree" "$SPP_TOP" "$SYSROOT" "$REGISTRY" "$net" "$@"
}

SYSROOT=$(cd "$SPP_TOP" && rustc --print sysroot)
REGISTRY=${CARGO_HOME:-$HOME/.cargo}/registry

for suite in "${SUITES[@]}"; do prepare "$suite"; done
if [ "$SHELL_ONLY" = yes ]; then
    inside "$CACHE/${SUITES[0]}" yes /bin/bash -c 'cd /spp && exec bash -i'
    exit
fi

step "Fetch the crates"
(cd "$SPP_TOP" && cargo fetch --locked --quiet)

# The whole of it, in a tree.
# shellcheck disable=SC2016 # expanded in the tree
CHECK='
    cd /spp
    version=$(pkg-config --modversion libdpdk)
    echo "$1: DPDK $version, $(cc --version | head -n 1), $(clang --version | head -n 1)"
    echo "== $1: build"
    cargo build --release --workspace --bins --locked --quiet
    /target/release/spp --version
    echo "== $1: tests of dpdk-sys, dpdk, registry and panel"
    cargo test --release --locked --quiet -p dpdk-sys -p dpdk -p registry -p panel
    echo "== $1: main path"
    ./scripts/quickstart.sh --no-setup --packets "$2"'

STATUS=0 LINES=()
for suite in "${SUITES[@]}"; do
    step "$suite"
    start=$SECONDS
    version=$(inside "$CACHE/$suite" no pkg-config --modversion libdpdk)
    if inside "$CACHE/$suite" no /bin/bash -ec "$CHECK" bash "$suite" "$PACKETS" </dev/null; then
        LINES+=("$suite: DPDK $version: passed in $((SECONDS - start)) s")
    else
        STATUS=1
        LINES+=("$suite: DPDK $version: FAILED after $((SECONDS - start)) s")
    fi
done
step "sum"
printf '%s\n' "${LINES[@]}"
exit $STATUS
