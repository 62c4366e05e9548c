# shellcheck shell=bash
# Shared by the scripts in this folder: words to the user, waiting with a limit, hugepages.
# Source it; it runs nothing by itself.

# The top of the checkout.
SPP_TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# Pages of 2 MB that a panel with its test peers wants free, and the least the demo can do with
# (512 MB for the primary, 128 MB for each of two peers, the rest for the processes' own needs).
# shellcheck disable=SC2034 # both are read by those who source this
SPP_PAGES_WANTED=1024 SPP_PAGES_LEAST=448

SPP_HUGE_SYS=/sys/kernel/mm/hugepages/hugepages-2048kB

say() { printf '%s\n' "$*"; }
step() { printf '\n== %s\n' "$*"; }
warn() { printf 'warning: %s\n' "$*" >&2; }
die() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

is_root() { [ "$(id -u)" -eq 0 ]; }

# cache_dir: where downloads that no package manager keeps are put (the tests' guest kernel).
cache_dir() { printf '%s\n' "${SPP_CACHE:-${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/spp}"; }

# target_dir: where cargo puts what it builds.
target_dir() {
    local dir=${CARGO_TARGET_DIR:-target}
    case $dir in
    /*) printf '%s\n' "$dir" ;;
    *) printf '%s\n' "$SPP_TOP/$dir" ;;
    esac
}

# wait_for SECONDS WHAT COMMAND...: runs COMMAND until it succeeds; after SECONDS says that WHAT
# did not happen and fails.
wait_for() {
    local limit=$1 what=$2 end
    shift 2
    end=$((SECONDS + limit))
    until "$@"; do
        if [ "$SECONDS" -ge "$end" ]; then
            printf 'error: waited %s s in vain for %s\n' "$limit" "$what" >&2
            return 1
        fi
        sleep 0.05
    done
}

# Whether the kernel gives each session its share of a CPU, rather than each thread.
SPP_AUTOGROUP=/proc/sys/kernel/sched_autogroup_enabled SPP_AUTOGROUP_WAS=

# autogroup_off: what is started from now on is scheduled thread by thread, where that may be changed (docs/testing.md says why);
# autogroup_back: as it was before. To be called when the script ends.
autogroup_off() {
    [ "$(cat "$SPP_AUTOGROUP" 2>/dev/null)" = 1 ] || return 0
    if echo 0 2>/dev/null >"$SPP_AUTOGROUP"; then SPP_AUTOGROUP_WAS=1; fi
}
autogroup_back() {
    [ -z "$SPP_AUTOGROUP_WAS" ] || echo "$SPP_AUTOGROUP_WAS" >"$SPP_AUTOGROUP"
}

huge_total() { cat "$SPP_HUGE_SYS/nr_hugepages" 2>/dev/null || printf '0\n'; }
huge_free() { cat "$SPP_HUGE_SYS/free_hugepages" 2>/dev/null || printf '0\n'; }

# huge_reserve PAGES: makes that many pages free, if the kernel has the memory. Never lowers
# the number. Returns 1 if fewer than PAGES are free afterwards.
huge_reserve() {
    local want=$1 free total
    free=$(huge_free)
    [ "$free" -ge "$want" ] && return 0
    total=$(huge_total)
    # The write succeeds even when the kernel finds fewer pages: the file tells what it found.
    printf '%s\n' $((total + want - free)) 2>/dev/null >"$SPP_HUGE_SYS/nr_hugepages" || return 1
    [ "$(huge_free)" -ge "$want" ]
}

# huge_mount_of UID: prints the hugetlbfs mount of 2 MB pages that this user can write to: the
# user's own one, else /dev/hugepages for root. Fails if there is none.
huge_mount_of() {
    local uid=$1 type point opts
    while read -r _ point type opts _; do
        [ "$type" = hugetlbfs ] || continue
        [[ $opts == *pagesize=1024M* ]] && continue
        if [ "$(stat -c %u "$point" 2>/dev/null)" = "$uid" ]; then
            printf '%s\n' "$point"
            return 0
        fi
    done </proc/mounts
    return 1
}

# cpus_allowed: the CPUs that this process may use, one a line.
cpus_allowed() {
    local list part cpu
    list=$(sed -n 's/^Cpus_allowed_list:[[:space:]]*//p' /proc/self/status)
    for part in ${list//,/ }; do
        for ((cpu = ${part%-*}; cpu <= ${part#*-}; cpu++)); do
            printf '%s\n' "$cpu"
        done
    done
}
