//! What a guest may have beyond busybox and its NICs: programs of ours, with the libraries that they need.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::machine::{self, TempDir};

/// What a guest has beyond busybox and its NICs, in a machine with two CPUs and a gigabyte of memory, an eighth of
/// it in hugepages of 2 MB.
#[derive(Debug, Clone, Default)]
pub struct Equipment {
    pub(crate) modules: Vec<String>,
    programs: Vec<PathBuf>,
    libraries: Vec<PathBuf>,
}

impl Equipment {
    /// Kernel modules, loaded in this order. Those on which they depend have to come first.
    pub fn modules(mut self, names: &[&str]) -> Self {
        self.modules
            .extend(names.iter().map(|&name| name.to_owned()));
        self
    }

    /// Programs of ours, put into `/bin` with all the libraries that they are linked to.
    #[track_caller]
    pub fn programs(mut self, names: &[&str]) -> Self {
        self.programs
            .extend(names.iter().map(|name| machine::bin(name)));
        self
    }

    /// Drivers of DPDK, such as `net_tap`, put where EAL loads them from, with their libraries. Not what a program is
    /// linked to (`bus_vdev`): it would be there twice.
    ///
    /// # Panics
    /// If DPDK's folder of drivers is not found.
    #[track_caller]
    pub fn drivers(mut self, names: &[&str]) -> Self {
        let folder = drivers();
        self.libraries.extend(
            names
                .iter()
                .map(|name| folder.join(format!("librte_{name}.so"))),
        );
        self
    }

    /// Whether there is anything.
    pub(crate) fn is_empty(&self) -> bool {
        self.modules.is_empty() && self.programs.is_empty() && self.libraries.is_empty()
    }

    /// All files by their paths in the guest, without the slash in front.
    pub(crate) fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let mut files = BTreeMap::new();
        let folder = TempDir::new();
        for program in &self.programs {
            let name = program.file_name().expect("a program").to_string_lossy();
            // Debug information would fill the guest's memory.
            let bare = folder.join(&name);
            run(Command::new("strip").arg("-o").arg(&bare).arg(program));
            files.insert(format!("bin/{name}"), read(&bare));
        }
        for library in &self.libraries {
            put(&mut files, library);
        }
        for binary in self.programs.iter().chain(&self.libraries) {
            for line in run(Command::new("ldd").arg(binary)).lines() {
                // `NAME => PATH (…)`, or `PATH (…)` for the loader.
                let path = line.split_whitespace().find(|word| word.starts_with('/'));
                if let Some(path) = path {
                    put(&mut files, Path::new(path));
                }
            }
        }
        files
    }
}

fn put(files: &mut BTreeMap<String, Vec<u8>>, path: &Path) {
    let name = path.to_string_lossy().trim_start_matches('/').to_owned();
    files.entry(name).or_insert_with(|| read(path));
}

fn read(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn run(command: &mut Command) -> String {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// DPDK's folder of drivers: `dpdk/pmds-VERSION` beside its libraries.
fn drivers() -> PathBuf {
    let libraries = run(Command::new("pkg-config").args(["--variable=libdir", "libdpdk"]));
    let folder = Path::new(libraries.trim()).join("dpdk");
    let entries = std::fs::read_dir(&folder);
    let entries = entries.unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    entries
        .flatten()
        .map(|entry| entry.path())
        .find(|path| path.to_string_lossy().contains("/pmds-"))
        .unwrap_or_else(|| panic!("no drivers of DPDK in {}", folder.display()))
}
