#!/usr/bin/env bash
# machine.sh NAME UNITS PROGRAMS [VARIABLE=VALUE …]: a systemd of its own over this machine's files, of which it changes a copy that goes with it. UNITS are
# its units, PROGRAMS lie in /usr/local/bin, the variables in /etc/default/spp. Ends when its input does, and so with whoever started it.
set -euo pipefail
name=$1 units=$2 programs=$3

hierarchies() {
    # A machine with one hierarchy of control groups, or systemd's among several.
    if [ -f /sys/fs/cgroup/cgroup.controllers ]; then
        echo /sys/fs/cgroup
    else
        ls -d /sys/fs/cgroup/systemd /sys/fs/cgroup/unified
    fi
}

if [ -z "${INSIDE:-}" ]; then
    INSIDE=$(mktemp -d)
    export INSIDE
    clean() {
        local top left
        # Its processes are ended by the kernel, which takes its time.
        for _ in {1..200}; do
            left=no
            for top in $(hierarchies); do
                [ -d "$top/$name" ] || continue
                find "$top/$name" -depth -type d -exec rmdir {} \; 2>/dev/null || true
                [ ! -d "$top/$name" ] || left=yes
            done
            [ $left = yes ] || break
            sleep 0.1
        done
        rmdir "$INSIDE"
    }
    trap clean EXIT
    (
        for top in $(hierarchies); do
            mkdir "$top/$name"
            echo "$BASHPID" >"$top/$name/cgroup.procs"
        done
        exec unshare --mount --propagation private --pid --fork --kill-child --uts --ipc --net --cgroup \
            bash "$0" "$@"
    ) &
    child=$!
    while kill -0 "$child" 2>/dev/null; do
        read -r -t 0.2 && continue
        # More than 128: nothing came, and nothing has ended.
        [ $? -gt 128 ] || kill -KILL "$child" 2>/dev/null || true
    done
    { wait "$child"; } 2>/dev/null || true
    exit
fi

root=$INSIDE
mount -t tmpfs tmpfs "$root"
mkdir "$root/new" "$root/work" "$root/root"
mount -t overlay -o "lowerdir=/,upperdir=$root/new,workdir=$root/work" overlay "$root/root"
cd "$root/root"
# Before anything else is mounted there.
rm -rf var/lib/spp var/lib/private/spp var/lib/spp-captures var/lib/spp-primary
printf '%s\n' "${@:4}" >etc/default/spp
mount -t proc proc proc
# What is set there is this machine's.
mount --bind proc/sys proc/sys
mount -o remount,bind,ro proc/sys
mount -t sysfs -o ro sysfs sys
if [ -f /sys/fs/cgroup/cgroup.controllers ]; then
    mount -t cgroup2 cgroup sys/fs/cgroup
else
    mount -t tmpfs tmpfs sys/fs/cgroup
    mkdir sys/fs/cgroup/systemd sys/fs/cgroup/unified
    mount -t cgroup -o none,name=systemd cgroup sys/fs/cgroup/systemd
    mount -t cgroup2 cgroup sys/fs/cgroup/unified
fi
mount -t tmpfs tmpfs dev
mkdir dev/hugepages dev/pts dev/shm
for device in null zero full random urandom tty; do
    touch "dev/$device"
    mount --bind "/dev/$device" "dev/$device"
done
ln -s /proc/self/fd dev/fd
mount -t devpts -o newinstance,ptmxmode=666 devpts dev/pts
ln -s pts/ptmx dev/ptmx
mount -t tmpfs tmpfs dev/shm
mount -t tmpfs tmpfs run
mount -t tmpfs tmpfs tmp
mount --bind "$programs" usr/local/bin
# Of this machine's units none but these.
mount -t tmpfs tmpfs etc/systemd/system
mount -t tmpfs tmpfs usr/lib/systemd/system/sysinit.target.wants
ln -s /usr/lib/systemd/system/{dev-hugepages.mount,systemd-journald.service} usr/lib/systemd/system/sysinit.target.wants/
cp "$units"/*.service etc/systemd/system/
ip link set lo up
pivot_root . mnt
umount -l mnt
exec env -i container=spp-test PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    /lib/systemd/systemd --system --unit=sysinit.target
