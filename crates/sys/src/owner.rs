//! Whose a file is.

use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::str::FromStr;

use nix::unistd;
use rustix::fs::{AtFlags, CWD, FileType, Gid, Mode, OFlags, Uid, chmod, chownat, fstat, openat};
use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// A user, and a group that shares with it, as numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// The user.
    pub user: u32,
    /// The group.
    pub group: Option<u32>,
}

impl FromStr for Owner {
    type Err = Error;

    /// Reads `USER[:GROUP]`, names or numbers.
    fn from_str(text: &str) -> Result<Self> {
        let (user, group) = match text.split_once(':') {
            Some((user, group)) => (user, Some(group)),
            None => (text, None),
        };
        let unknown = |kind: &str, name: &str| {
            Error::Invalid(format!(
                "there is no {kind} '{name}': write USER[:GROUP], names or numbers"
            ))
        };
        let user_of = |name: &str| {
            let found = unistd::User::from_name(name).ok().flatten();
            name.parse().ok().or(found.map(|user| user.uid.as_raw()))
        };
        let group_of = |name: &str| {
            let found = unistd::Group::from_name(name).ok().flatten();
            name.parse().ok().or(found.map(|group| group.gid.as_raw()))
        };
        Ok(Owner {
            user: user_of(user).ok_or_else(|| unknown("user", user))?,
            group: group
                .map(|name| group_of(name).ok_or_else(|| unknown("group", name)))
                .transpose()?,
        })
    }
}

/// Whether a file or folder that is there can be written only by another user, or by who may write everything.
#[must_use]
pub fn is_foreign(path: &Path) -> bool {
    let found = std::fs::metadata(path);
    found.is_ok_and(|m| m.uid() != crate::proc::effective_uid() && m.mode() & 0o002 == 0)
}

/// Makes a socket file of ours one that others cannot connect to (mode 0600), or gives it to `owner`: then with mode 0660 if it has a
/// group. A link, another kind of file, or somebody else's is refused, whatever becomes of the name meanwhile.
///
/// # Errors
/// As said; the kernel refuses.
pub fn settle_socket(path: &Path, owner: Option<Owner>) -> Result<()> {
    let shown = path.display();
    let failed = |e| match owner {
        None => Error::call(format!("keep the socket {shown} private"), e),
        Some(owner) => Error::call(format!("give the socket {shown} to user {}", owner.user), e),
    };
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = openat(CWD, path, flags, Mode::empty()).map_err(failed)?;
    let found = fstat(&file).map_err(failed)?;
    if FileType::from_raw_mode(found.st_mode) != FileType::Socket
        || found.st_uid != crate::proc::effective_uid()
    {
        return Err(Error::Invalid(format!(
            "{shown} is not the socket that was made: somebody has replaced it (choose a folder where others may not write)"
        )));
    }
    let group = owner.and_then(|owner| owner.group);
    if let Some(owner) = owner {
        let (user, group) = (Uid::from_raw(owner.user), group.map(Gid::from_raw));
        chownat(&file, "", Some(user), group, AtFlags::EMPTY_PATH).map_err(failed)?;
    }
    let mode = if group.is_some() { 0o660 } else { 0o600 };
    // By the descriptor, which leads to this very file.
    let name = format!("/proc/self/fd/{}", file.as_raw_fd());
    chmod(name, Mode::from_raw_mode(mode)).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;

    #[test]
    fn owners_are_names_or_numbers() {
        let of = |text: &str| text.parse::<Owner>();
        let owner = |user, group| Owner { user, group };
        assert_eq!(of("root").unwrap(), owner(0, None));
        assert_eq!(of("61723:root").unwrap(), owner(61723, Some(0)));
        assert_eq!(of("root:12").unwrap(), owner(0, Some(12)));
        for bad in ["", ":", "root:", "no such user", "-1", "root:no such group"] {
            let told = of(bad).unwrap_err().to_string();
            assert!(told.contains("there is no "), "{bad}: {told}");
        }
    }

    #[test]
    fn only_a_socket_of_ours_is_given_away() {
        let folder = tempfile::tempdir().unwrap();
        let (socket, link) = (folder.path().join("s"), folder.path().join("l"));
        let _listener = UnixListener::bind(&socket).unwrap();
        let us = Owner {
            user: crate::proc::effective_uid(),
            group: None,
        };
        let mode = || std::fs::metadata(&socket).unwrap().mode() & 0o777;
        settle_socket(&socket, None).unwrap();
        assert_eq!(mode(), 0o600);
        symlink(&socket, &link).unwrap();
        let told = settle_socket(&link, Some(us)).unwrap_err().to_string();
        assert!(told.contains("replaced"), "{told}");
        std::fs::remove_file(&link).unwrap();
        std::fs::write(&link, "").unwrap();
        assert!(settle_socket(&link, Some(us)).is_err());
        if us.user == 0 {
            let other = Owner {
                user: 61_723,
                group: Some(61_724),
            };
            settle_socket(&socket, Some(other)).unwrap();
            let found = std::fs::metadata(&socket).unwrap();
            assert_eq!((found.uid(), found.gid(), mode()), (61_723, 61_724, 0o660));
            assert!(
                settle_socket(&socket, Some(us)).is_err(),
                "it is not ours any more"
            );
        }
    }
}
