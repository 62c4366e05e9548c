//! The guests' root file system: busybox, the virtio modules and an init that runs what comes over
//! the serial console. Written as a cpio archive in the "newc" format, which the kernel unpacks.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

use crate::equipment::Equipment;
use crate::machine;

/// In the order in which they depend on each other.
const MODULES: [&str; 8] = [
    "virtio_ring",
    "virtio",
    "virtio_pci_modern_dev",
    "virtio_pci_legacy_dev",
    "virtio_pci",
    "failover",
    "net_failover",
    "virtio_net",
];

/// Reads `NUMBER COMMAND` lines and answers each with its output and `@@NUMBER STATUS@@`.
const INIT: &str = r#"#!/bin/busybox sh
/bin/busybox mkdir -p /proc /sys /dev /tmp /home
/bin/busybox --install -s /bin
export PATH=/bin HOME=/home
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
for module in MODULES; do insmod /modules/$module.ko || echo "insmod $module failed"; done
ip link set lo up
exec </dev/ttyS0 >/dev/ttyS0 2>&1
# What the host reads is what a command wrote: no echo, no carriage returns.
stty -echo -onlcr
cd /home
echo '@@ready@@'
while IFS= read -r line; do
    ( eval "${line#* }" ) </dev/null
    printf '\n@@%s %s@@\n' "${line%% *}" $?
done
poweroff -f
"#;

/// The guests' kernel.
///
/// # Panics
/// If `scripts/setup.sh --tests` has not put it there.
pub(crate) fn kernel() -> PathBuf {
    let path = machine::cache_dir().join("kernel/vmlinuz");
    assert!(
        path.is_file(),
        "{} does not exist: scripts/setup.sh --tests fetches it",
        path.display()
    );
    path
}

/// The archive of a guest that has nothing special, written anew only if its contents changed.
pub(crate) fn initramfs() -> PathBuf {
    let archive = filled(&Equipment::default());
    let mut hasher = DefaultHasher::new();
    archive.0.hash(&mut hasher);
    let folder = machine::bin_dir()
        .parent()
        .expect("a target folder")
        .join("testbed");
    let path = folder.join(format!("initramfs-{:016x}.cpio", hasher.finish()));
    if !path.is_file() {
        std::fs::create_dir_all(&folder).expect("a folder for the initramfs");
        // Another test may be doing the same: whoever renames last wins with equal contents.
        let draft = folder.join(machine::unique("draft"));
        std::fs::write(&draft, &archive.0).expect("the initramfs written");
        std::fs::rename(&draft, &path).expect("the initramfs in place");
    }
    path
}

/// Writes the archive of a guest with this equipment.
pub(crate) fn write_equipped(path: &Path, equipment: &Equipment) {
    std::fs::write(path, filled(equipment).0).expect("the initramfs written");
}

fn filled(equipment: &Equipment) -> Archive {
    let mut archive = Archive::default();
    for folder in ["bin", "dev", "modules"] {
        archive.entry(folder, 0o040_755, (0, 0), &[]);
    }
    // Without it the kernel gives init no standard streams.
    archive.entry("dev/console", 0o020_600, (5, 1), &[]);
    archive.file("bin/busybox", 0o755, &read(&busybox()));
    let folder = machine::cache_dir().join("kernel/modules");
    let further = equipment.modules.iter().map(String::as_str);
    let modules: Vec<&str> = MODULES.into_iter().chain(further).collect();
    for module in &modules {
        let file = format!("{module}.ko");
        let path =
            find(&folder, &file).unwrap_or_else(|| panic!("no {file} below {}", folder.display()));
        archive.file(&format!("modules/{file}"), 0o644, &read(&path));
    }
    for (name, contents) in equipment.files() {
        archive.folders(&name);
        archive.file(&name, 0o755, &contents);
    }
    let init = INIT.replace("MODULES", &modules.join(" "));
    archive.file("init", 0o755, init.as_bytes());
    archive.entry("TRAILER!!!", 0, (0, 0), &[]);
    archive
}

fn read(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn busybox() -> PathBuf {
    std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())
        .chain(["/bin".into(), "/usr/bin".into()])
        .map(|folder| folder.join("busybox"))
        .find(|path| path.is_file())
        .expect("busybox (package busybox-static)")
}

fn find(folder: &Path, name: &str) -> Option<PathBuf> {
    let entries: Vec<_> = std::fs::read_dir(folder)
        .ok()?
        .flatten()
        .map(|e| e.path())
        .collect();
    entries
        .iter()
        .find(|path| path.file_name().is_some_and(|file| file == name))
        .cloned()
        .or_else(|| {
            entries
                .iter()
                .filter(|path| path.is_dir())
                .find_map(|path| find(path, name))
        })
}

/// A cpio archive in the format "newc": see the kernel's `initramfs-buffer-format`.
#[derive(Default)]
struct Archive(Vec<u8>);

impl Archive {
    /// The folders above a file; one that is there already is not changed by a second entry.
    fn folders(&mut self, name: &str) {
        for (at, _) in name.match_indices('/') {
            self.entry(&name[..at], 0o040_755, (0, 0), &[]);
        }
    }

    fn file(&mut self, name: &str, mode: u32, data: &[u8]) {
        self.entry(name, 0o100_000 | mode, (0, 0), data);
    }

    fn entry(&mut self, name: &str, mode: u32, (major, minor): (u32, u32), data: &[u8]) {
        // An inode of its own for each entry; entries of one inode would be hard links.
        let inode = self.0.len();
        self.0.extend_from_slice(
            format!(
                "070701{inode:08x}{mode:08x}{uid:08x}{gid:08x}{links:08x}{time:08x}{size:08x}\
                 {zero:08x}{zero:08x}{major:08x}{minor:08x}{name_size:08x}{zero:08x}",
                uid = 0,
                gid = 0,
                links = 1,
                time = 0,
                size = data.len(),
                zero = 0,
                name_size = name.len() + 1,
            )
            .as_bytes(),
        );
        self.0.extend_from_slice(name.as_bytes());
        self.0.push(0);
        self.pad();
        self.0.extend_from_slice(data);
        self.pad();
    }

    fn pad(&mut self) {
        self.0.resize(self.0.len().next_multiple_of(4), 0);
    }
}
