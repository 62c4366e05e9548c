#!/usr/bin/env bash
# Prepares a Debian machine for SPP: system packages, hugepages, the hugetlbfs mount.
# Run it as often as you like: what is there is left alone.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

usage() {
    cat <<'END'
usage: scripts/setup.sh [--runtime | --tests] [--check] [--pages N] [--user NAME]

  --runtime    what building and running SPP and the demo need (the default)
  --tests      that, and what the test suite needs
  --check      change nothing; say what is missing; exit status 1 if something is
  --pages N    free hugepages of 2 MB to make sure of (default 1024; the number is never lowered)
  --user NAME  also give NAME a hugetlbfs mount and a runtime folder, so that NAME can run SPP
               without root
END
}

SET=runtime CHECK=no PAGES=$SPP_PAGES_WANTED RUN_USER=''
while [ $# -gt 0 ]; do
    case $1 in
    --runtime) SET=runtime ;;
    --tests) SET=tests ;;
    --check) CHECK=yes ;;
    --pages | --user)
        [ $# -ge 2 ] || die "$1 needs a value (see --help)"
        if [ "$1" = --pages ]; then PAGES=$2; else RUN_USER=$2; fi
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
[[ $PAGES =~ ^[0-9]{1,7}$ ]] || die "--pages '$PAGES' is not a number of pages (0..9999999)"
PAGES=$((10#$PAGES))

# What libclang is called: SPP is developed with Debian 12's 14; elsewhere the default will do.
clang_version() {
    local id='' version=''
    if [ -r /etc/os-release ]; then
        id=$(. /etc/os-release && printf '%s' "${ID:-}")
        version=$(. /etc/os-release && printf '%s' "${VERSION_ID:-}")
    fi
    if [ "$id" = debian ] && [ "$version" = 12 ]; then printf -- '-14'; fi
}
CLANG=$(clang_version)

SCHEMATHESIS=4.32.5

# package | set | why | what to look for where there is no dpkg | by hand elsewhere
PACKAGES="\
build-essential|runtime|C compiler and linker for the DPDK shim|cmd:cc|gcc or clang, and make
pkg-config|runtime|tells the build where libdpdk is|cmd:pkg-config|pkg-config or pkgconf
libdpdk-dev|runtime|DPDK's headers and libraries|pc:libdpdk|DPDK 22.11 to 25.11, built with shared libraries, so that 'pkg-config libdpdk' works
dpdk-dev|runtime|dpdk-testpmd, the demo's traffic source and sink|cmd:dpdk-testpmd|dpdk-testpmd of the same DPDK in the PATH
dpdk|runtime|dpdk-devbind and dpdk-hugepages, for real NICs|cmd:dpdk-devbind.py|the tools in DPDK's usertools folder
libclang${CLANG}-dev|runtime|bindgen reads DPDK's headers with it|lib:libclang|libclang 14 or newer
clang${CLANG}|runtime|tells bindgen the system's include folders|cmd:clang|clang 14 or newer
libnuma-dev|runtime|DPDK was built with NUMA support|pc:numa|libnuma's headers
libpcap-dev|runtime|DPDK's pcap driver was built with it, and spp-pcap's filters are its|pc:libpcap|libpcap's headers
python3|runtime|the demo reads the counters' JSON with it|cmd:python3|Python 3.9 or newer
python3-venv|tests|the tester of the REST interface is installed with it|cmd:python3|Python 3.10 or newer with venv and pip
zsh|tests|completion of spp is tried in it|cmd:zsh|zsh
fish|tests|completion of spp is tried in it|cmd:fish|fish 3 or newer
iproute2|tests|ip: namespaces, veth and tap devices|cmd:ip|iproute2
ethtool|tests|turns offloads off on the hosts' devices|cmd:ethtool|ethtool
iperf3|tests|TCP through a panel|cmd:iperf3|iperf3
iputils-ping|tests|ping through a panel|cmd:ping|ping
tshark|tests|reads the captures that SPP wrote|cmd:tshark|tshark (Wireshark's command line)
lz4|tests|unpacks the captures that SPP wrote|cmd:lz4|lz4
zstd|tests|unpacks them, too|cmd:zstd|zstd
gdb|tests|looks into a DPDK program of an emulated network|cmd:gdb|gdb
bubblewrap|tests|a container around a DPDK process|cmd:bwrap|bubblewrap
qemu-system-x86|tests|virtual machines as vhost-user peers|cmd:qemu-system-x86_64|QEMU 7 or newer
chromium|tests|the panel's page is tried in a real browser|cmd:chromium|Chromium, as 'chromium' in the PATH
graphviz|tests|checks that the graphs that topo writes are valid dot|cmd:dot|graphviz
busybox-static|tests|the guests' user land|cmd:busybox|a statically linked busybox
prometheus|tests|promtool reads the metrics and tests the alert rules (the server is masked)|cmd:promtool|promtool of Prometheus 2.40 or newer
docker.io|tests|containers of DPDK applications|cmd:docker|docker, or podman with its socket
podman|tests|the same containers by its socket|cmd:podman|podman 4 or newer
debootstrap|tests|makes the image that the others begin with|cmd:debootstrap|debootstrap
openvswitch-switch|tests|switches of emulated networks (its services are masked)|cmd:ovs-vswitchd|Open vSwitch 2.17 or newer
openssl|tests|makes the token and the certificate of a test|cmd:openssl|openssl
python3-prometheus-client|tests|its parser reads the metrics as OpenMetrics|py:prometheus_client|Python's prometheus_client"

has_dpkg() { command -v dpkg-query >/dev/null && command -v apt-get >/dev/null; }

# present PACKAGE PROBE
present() {
    if has_dpkg; then
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
        return
    fi
    case $2 in
    cmd:*) command -v "${2#cmd:}" >/dev/null ;;
    pc:*) pkg-config --exists "${2#pc:}" 2>/dev/null ;;
    py:*) /usr/bin/python3 -c "import ${2#py:}" 2>/dev/null ;;
    lib:*) ldconfig -p 2>/dev/null | grep -q "${2#lib:}" ;;
    esac
}

MISSING=() # what is missing and cannot or must not be put right here: one line each
UPDATED=no
apt_update_once() {
    [ "$UPDATED" = yes ] && return 0
    say "apt-get update"
    apt-get update -qq || die "apt-get update failed: is the package mirror reachable?"
    UPDATED=yes
}

check_rust() {
    local version
    if ! command -v cargo >/dev/null || ! command -v rustc >/dev/null; then
        MISSING+=("the Rust toolchain (cargo, rustc 1.91 or newer): install it with rustup or your distribution")
        return
    fi
    version=$(rustc --version 2>/dev/null | sed -n 's/^rustc \([0-9]*\)\.\([0-9]*\).*/\1 \2/p') || version=''
    if [ -z "$version" ]; then
        MISSING+=("a Rust toolchain that works ('rustc --version' fails: rustup default stable)")
    elif [ "${version% *}" -eq 1 ] && [ "${version#* }" -lt 91 ]; then
        MISSING+=("rustc 1.91 or newer (this is 1.${version#* }): rustup update stable")
    fi
}

# no_daemon PACKAGE...: of these packages only programs are wanted (promtool; switches of emulated networks). Masked before they are
# installed, their services are started neither by the installation nor at boot. Where a package is there already, nothing is changed.
no_daemon() {
    local unit units='' path
    case " $* " in *' prometheus '*) units+=' prometheus' ;; esac
    case " $* " in *' openvswitch-switch '*) units+=' openvswitch-switch ovs-vswitchd ovsdb-server' ;; esac
    for unit in $units; do
        path=/etc/systemd/system/$unit.service
        [ ! -e "$path" ] && [ ! -L "$path" ] || continue
        mkdir -p "${path%/*}"
        ln -s /dev/null "$path"
        say "masked $unit.service: only its programs are needed (systemctl unmask $unit.service)"
    done
}

check_packages() {
    local name set why probe elsewhere wanted=()
    while IFS='|' read -r name set why probe elsewhere; do
        [ "$set" = runtime ] || [ "$SET" = tests ] || continue
        present "$name" "$probe" && continue
        if ! has_dpkg; then
            MISSING+=("$elsewhere: $why")
        elif [ "$CHECK" = yes ] || ! is_root; then
            MISSING+=("package $name: $why (apt-get install $name)")
        else
            say "install $name: $why"
            wanted+=("$name")
        fi
    done <<<"$PACKAGES"
    [ ${#wanted[@]} -gt 0 ] || return 0
    apt_update_once
    no_daemon "${wanted[@]}"
    say "apt-get install ${wanted[*]}"
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        "${wanted[@]}" </dev/null >"$LOG" 2>&1 || {
        tail -n 20 "$LOG" >&2
        die "apt-get install failed; by hand: apt-get install ${wanted[*]}"
    }
}

# The tests' guests boot Debian's cloud kernel. It is unpacked into the cache and never
# installed: no boot loader, no initramfs of the host is touched.
check_kernel() {
    [ "$SET" = tests ] || return 0
    local dir package
    dir=$(cache_dir)/kernel
    [ -s "$dir/vmlinuz" ] && [ -d "$dir/modules" ] && return 0
    if ! has_dpkg || [ "$(dpkg --print-architecture)" != amd64 ]; then
        MISSING+=("a guest kernel for the tests: put an x86-64 kernel at $dir/vmlinuz and its modules (/lib/modules/VERSION) at $dir/modules")
        return 0
    fi
    if [ "$CHECK" = yes ]; then
        MISSING+=("a guest kernel for the tests in $dir: scripts/setup.sh --tests fetches it (no root needed)")
        return 0
    fi
    say "fetch linux-image-cloud-amd64 and unpack it (not installed): the guests' kernel"
    guest_kernel_name() {
        apt-cache depends linux-image-cloud-amd64 2>/dev/null |
            sed -n 's/^ *Depends: \(linux-image-[^ ]*\)$/\1/p' | head -n 1
    }
    if is_root; then apt_update_once; fi
    package=$(guest_kernel_name)
    [ -n "$package" ] || die "linux-image-cloud-amd64 is not in the package lists (apt-get update as root)"
    rm -rf "$dir.new"
    mkdir -p "$dir.new"
    (
        cd "$dir.new"
        # apt drops its privileges for a download only if it may write here; as root it may not.
        apt-get download -qq -o APT::Sandbox::User=root "$package" >"$LOG" 2>&1 ||
            { cat "$LOG" >&2 && die "apt-get download $package failed"; }
        dpkg -x ./*.deb tree
        mv tree/boot/vmlinuz-* vmlinuz
        mv tree/lib/modules/* modules
        rm -rf tree ./*.deb
    )
    rm -rf "$dir"
    mv "$dir.new" "$dir"
}

# The tester of the REST interface (crates/controller/tests/openapi.rs), in a folder of its own in the cache.
check_schemathesis() {
    [ "$SET" = tests ] || return 0
    local dir
    dir=$(cache_dir)/schemathesis
    [ "$(cat "$dir/version" 2>/dev/null)" = "$SCHEMATHESIS" ] && return 0
    if [ "$CHECK" = yes ]; then
        MISSING+=("schemathesis $SCHEMATHESIS in $dir: scripts/setup.sh --tests installs it (no root needed)")
        return 0
    fi
    say "install schemathesis $SCHEMATHESIS into $dir"
    rm -rf "$dir"
    # A venv cannot be moved: its version is written last, and says that it is whole.
    if ! { python3 -m venv "$dir" &&
        "$dir/bin/pip" install --quiet --disable-pip-version-check "schemathesis==$SCHEMATHESIS"; } >"$LOG" 2>&1; then
        tail -n 20 "$LOG" >&2
        MISSING+=("schemathesis: pip install schemathesis==$SCHEMATHESIS in a venv at $dir failed")
        return 0
    fi
    printf '%s\n' "$SCHEMATHESIS" >"$dir/version"
}

engine_answers() { docker info >/dev/null 2>&1; }

# The engine of the tests with containers. They do without, each skipped by name, where none can be started.
check_engine() {
    [ "$SET" = tests ] || return 0
    engine_answers && return 0
    if [ "$CHECK" = yes ] || ! is_root; then
        warn "no container engine answers: the tests with containers will be skipped (as root: dockerd, or systemctl start docker)"
        return 0
    fi
    say "start dockerd"
    if [ -d /run/systemd/system ]; then
        systemctl start docker >"$LOG" 2>&1 || true
    else
        mkdir -p "$(cache_dir)"
        setsid dockerd </dev/null >"$(cache_dir)/dockerd.log" 2>&1 &
    fi
    wait_for 30 "dockerd to answer" engine_answers ||
        warn "dockerd does not answer (see $(cache_dir)/dockerd.log): the tests with containers will be skipped"
}

check_hugepages() {
    local free
    free=$(huge_free)
    if [ ! -d "$SPP_HUGE_SYS" ]; then
        MISSING+=("a kernel with hugepages of 2 MB ($SPP_HUGE_SYS does not exist)")
    elif [ "$free" -ge "$PAGES" ]; then
        :
    elif [ "$CHECK" = yes ] || ! is_root; then
        # Too few to be sure, but enough to run is no reason to stop somebody without root.
        if [ "$free" -lt "$SPP_PAGES_LEAST" ] || [ "$CHECK" = yes ]; then
            MISSING+=("free hugepages of 2 MB: $free of $PAGES (as root: echo $(($(huge_total) + PAGES - free)) > $SPP_HUGE_SYS/nr_hugepages)")
        fi
    else
        say "reserve hugepages: $free of 2 MB are free, $PAGES wanted"
        if ! huge_reserve "$PAGES"; then
            free=$(huge_free)
            [ "$free" -ge "$SPP_PAGES_LEAST" ] || [ "$free" -ge "$PAGES" ] ||
                MISSING+=("free hugepages of 2 MB: the kernel found memory for $free of $PAGES; end what uses memory, or remove files of dead processes in /dev/hugepages")
            warn "only $free hugepages of 2 MB are free ($PAGES wanted)"
        fi
    fi
    huge_mount_of "$(id -u)" >/dev/null && return 0
    if [ "$CHECK" = no ] && is_root; then
        say "mount hugetlbfs on /dev/hugepages"
        mkdir -p /dev/hugepages
        mount -t hugetlbfs -o pagesize=2M nodev /dev/hugepages ||
            MISSING+=("hugetlbfs on /dev/hugepages: mount -t hugetlbfs -o pagesize=2M nodev /dev/hugepages failed")
    elif is_root; then
        MISSING+=("hugetlbfs mount: mount -t hugetlbfs -o pagesize=2M nodev /dev/hugepages")
    else
        MISSING+=("a hugetlbfs mount that $(id -un) owns: as root, once after each boot: $0 --user $(id -un)")
    fi
}

prepare_user() {
    [ -n "$RUN_USER" ] || return 0
    local uid gid base=/run/spp/$RUN_USER
    uid=$(id -u "$RUN_USER" 2>/dev/null) ||
        die "user '$RUN_USER' does not exist (as root: useradd --create-home $RUN_USER)"
    gid=$(id -g "$RUN_USER")
    if ! huge_mount_of "$uid" >/dev/null; then
        if [ "$CHECK" = yes ] || ! is_root; then
            MISSING+=("a hugetlbfs mount of user $RUN_USER: as root: $0 --user $RUN_USER")
            return 0
        fi
        mkdir -p "$base/hugepages"
        mount -t hugetlbfs -o "pagesize=2M,uid=$uid,gid=$gid,mode=0700" nodev "$base/hugepages" ||
            die "mounting hugetlbfs on $base/hugepages failed"
    fi
    if is_root && [ "$CHECK" = no ]; then
        install -d -o "$uid" -g "$gid" -m 0700 "$base/runtime"
    fi
    cat <<END
User $RUN_USER can run SPP without root (until the next boot; then say this again). In its shell:
  export XDG_RUNTIME_DIR=$base/runtime
  spp-primary --huge-dir $(huge_mount_of "$uid") …    and spp-nfv, dpdk-testpmd likewise
  ./scripts/quickstart.sh finds both by itself
Ring, vhost, memif, pcap and null ports work that way; the others need capabilities.
END
}

LOG=$(mktemp)
trap 'rm -f "$LOG"' EXIT
# With --user, or through sudo, it is another user who builds: root need not have a toolchain.
[ -n "$RUN_USER" ] || [ -n "${SUDO_USER:-}" ] || check_rust
check_packages
check_kernel
check_schemathesis
check_engine
check_hugepages
prepare_user

if [ ${#MISSING[@]} -gt 0 ]; then
    say "missing:"
    printf '  - %s\n' "${MISSING[@]}"
    if ! is_root && [ "$CHECK" = no ]; then
        cat <<END
You are $(id -un), not root. Either run once as root
  sudo $0 --$SET --user $(id -un)
which installs the packages, reserves hugepages and gives you a hugetlbfs mount and a runtime
folder of your own, and afterwards go on without root; or do the above by hand.
END
    fi
    exit 1
fi
say "$SET: everything is there ($(huge_free) hugepages of 2 MB free)"
