//! What hugepages there are, and where they can be used
//! (`/sys/kernel/mm/hugepages`, `/proc/mounts`).

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, AtFlags, CWD, accessat, statvfs};

use crate::{Error, Result};

const POOLS: &str = "/sys/kernel/mm/hugepages";
const MOUNTS: &str = "/proc/mounts";

/// The hugepages of one size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HugePool {
    /// Bytes in a page.
    pub page_size: u64,
    /// Pages there are.
    pub total: u64,
    /// Pages nobody uses; some may be promised (`reserved`) already.
    pub free: u64,
    /// Free pages that are promised to somebody who has not touched them yet.
    pub reserved: u64,
}

impl HugePool {
    /// Bytes that can still be had.
    #[must_use]
    pub fn available_bytes(&self) -> u64 {
        self.free
            .saturating_sub(self.reserved)
            .saturating_mul(self.page_size)
    }
}

/// A mounted hugetlbfs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HugeMount {
    /// Where.
    pub path: PathBuf,
    /// Bytes in a page of it; `None` if the mount does not say.
    pub page_size: Option<u64>,
    /// Whether this process may make files in it.
    pub writable: bool,
    /// Bytes that it still gives, if it was mounted with a size.
    pub free: Option<u64>,
}

/// The hugepages of each size that the kernel knows, the smallest first.
///
/// # Errors
/// The kernel's files cannot be read. A kernel without hugepages has none: an empty list.
pub fn pools() -> Result<Vec<HugePool>> {
    pools_in(Path::new(POOLS))
}

/// Likewise those of another folder of this form: that of a NUMA node (`/sys/devices/system/node/nodeN/hugepages`), where the
/// kernel does not say what is reserved (0).
///
/// # Errors
/// As [`pools`].
pub fn pools_in(folder: &Path) -> Result<Vec<HugePool>> {
    let failed = |e| Error::call(format!("read {}", folder.display()), e);
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(failed(e)),
    };
    let mut pools = Vec::new();
    for entry in entries {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name();
        let size = name
            .to_str()
            .and_then(|name| name.strip_prefix("hugepages-"))
            .and_then(bytes);
        let Some(page_size) = size else { continue };
        let number = |file: &str| number_in(&entry.path().join(file));
        pools.push(HugePool {
            page_size,
            total: number("nr_hugepages")?,
            free: number("free_hugepages")?,
            reserved: match entry.path().join("resv_hugepages").exists() {
                true => number("resv_hugepages")?,
                false => 0,
            },
        });
    }
    pools.sort_by_key(|pool| pool.page_size);
    Ok(pools)
}

fn number_in(path: &Path) -> Result<u64> {
    let name = path.display();
    let text = fs::read_to_string(path).map_err(|e| Error::call(format!("read {name}"), e))?;
    text.trim()
        .parse()
        .map_err(|_| Error::Invalid(format!("{name} holds '{}', not a number", text.trim())))
}

/// The hugetlbfs mounts that this process sees.
///
/// # Errors
/// `/proc/mounts` cannot be read.
pub fn mounts() -> Result<Vec<HugeMount>> {
    let text = fs::read(MOUNTS).map_err(|e| Error::call(format!("read {MOUNTS}"), e))?;
    Ok(mounts_in(&text))
}

/// Those that a text in the form of `/proc/mounts` names.
#[must_use]
pub fn mounts_in(text: &[u8]) -> Vec<HugeMount> {
    text.split(|&b| b == b'\n').filter_map(mount).collect()
}

/// One line of `/proc/mounts`: device, path, type, options.
fn mount(line: &[u8]) -> Option<HugeMount> {
    let mut fields = line.split(|&b| b == b' ').skip(1);
    let (path, kind, options) = (fields.next()?, fields.next()?, fields.next()?);
    if kind != b"hugetlbfs" {
        return None;
    }
    let path = PathBuf::from(OsString::from_vec(unescape(path)));
    let page_size = std::str::from_utf8(options)
        .ok()?
        .split(',')
        .find_map(|option| option.strip_prefix("pagesize="))
        .and_then(bytes);
    // As the effective user, which is who will make the files.
    let rights = Access::WRITE_OK | Access::EXEC_OK;
    let writable = accessat(CWD, &path, rights, AtFlags::EACCESS).is_ok();
    let room = statvfs(&path).ok().filter(|room| room.f_blocks > 0);
    let free = room.map(|room| room.f_bavail.saturating_mul(room.f_frsize));
    Some(HugeMount {
        path,
        page_size,
        writable,
        free,
    })
}

/// Blanks and backslashes in a path are written as `\` and three octal digits.
fn unescape(field: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((&byte, tail)) = rest.split_first() {
        let code = (byte == b'\\')
            .then(|| tail.get(..3))
            .flatten()
            .and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok());
        out.push(code.unwrap_or(byte));
        rest = if code.is_some() { &tail[3..] } else { tail };
    }
    out
}

/// A size as the kernel writes it: `2048kB`, `2M`, `1024M`, `1G`.
fn bytes(text: &str) -> Option<u64> {
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let unit: u64 = match &text[digits.len()..] {
        "" => 1,
        "k" | "K" | "kB" => 1 << 10,
        "M" => 1 << 20,
        "G" => 1 << 30,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mount_lines_are_understood() {
        let folder = tempfile::tempdir().unwrap();
        let here = folder.path().join("with blank");
        fs::create_dir(&here).unwrap();
        let escaped = here.to_str().unwrap().replace(' ', "\\040");
        let text = format!(
            "tmpfs /tmp tmpfs rw 0 0\nnodev {escaped} hugetlbfs rw,relatime,pagesize=2M 0 0\n\
             nodev /nowhere/huge hugetlbfs rw,uid=5,pagesize=1024M,size=1G 0 0\n\
             short line\nnodev /x hugetlbfs rw 0 0\n"
        );
        let found = mounts_in(text.as_bytes());
        assert_eq!(found.len(), 3);
        let first = &found[0];
        assert_eq!(
            (&first.path, first.page_size, first.writable),
            (&here, Some(2 << 20), true)
        );
        // It has a limit, being none in truth; what is not there has none.
        assert!(first.free.is_some() && found[1].free.is_none());
        assert_eq!(
            (found[1].page_size, found[1].writable),
            (Some(1 << 30), false)
        );
        assert_eq!(found[2].page_size, None);
    }

    #[test]
    fn pools_are_counted() {
        let folder = tempfile::tempdir().unwrap();
        for (name, total) in [("hugepages-1048576kB", "1"), ("hugepages-2048kB", "10")] {
            let pool = folder.path().join(name);
            fs::create_dir(&pool).unwrap();
            fs::write(pool.join("nr_hugepages"), total).unwrap();
            fs::write(pool.join("free_hugepages"), "1\n").unwrap();
            fs::write(pool.join("resv_hugepages"), "0\n").unwrap();
        }
        let pools = pools_in(folder.path()).unwrap();
        assert_eq!(
            pools[0],
            HugePool {
                page_size: 2 << 20,
                total: 10,
                free: 1,
                reserved: 0
            }
        );
        assert_eq!(pools[1].available_bytes(), 1 << 30);
        assert_eq!(pools_in(&folder.path().join("none")).unwrap(), []);
        let node = folder.path().join("hugepages-1048576kB/resv_hugepages");
        fs::remove_file(node).unwrap();
        assert_eq!(pools_in(folder.path()).unwrap()[1].reserved, 0);
        fs::write(
            folder.path().join("hugepages-2048kB/free_hugepages"),
            "many",
        )
        .unwrap();
        assert!(
            pools_in(folder.path())
                .unwrap_err()
                .to_string()
                .contains("'many'")
        );
    }

    #[test]
    fn this_machine_can_be_asked() {
        for pool in pools().unwrap() {
            assert!(pool.free <= pool.total && pool.page_size.is_power_of_two());
        }
        mounts().unwrap();
    }

    #[test]
    fn sizes() {
        assert_eq!(bytes("2048kB"), Some(2 << 20));
        assert_eq!(bytes("1G"), Some(1 << 30));
        for bad in ["", "M", "2X", "99999999999999999999", "99999999999999G"] {
            assert_eq!(bytes(bad), None, "{bad}");
        }
        assert_eq!(unescape(b"a\\040b\\134\\9\\04"), b"a b\\\\9\\04");
    }
}
