//! Ports of the panel that an application gets: `-d vhost:1,memif:2,tap:3`, and the older `-d 1,2` for vhost.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::{Error, Result};

/// Highest number of a port.
const MOST: u32 = 9999;
/// Where sockets are in the container of an application.
const GUEST: &str = "/var/run";

/// Types of ports that reach into containers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A vhost-user socket.
    Vhost,
    /// A memif socket.
    Memif,
    /// A network device of the kernel, made by the application.
    Tap,
}

/// A port of the panel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Uid {
    /// Its type.
    pub kind: Kind,
    /// Its number.
    pub number: u32,
}

impl fmt::Display for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            Kind::Vhost => "vhost",
            Kind::Memif => "memif",
            Kind::Tap => "tap",
        };
        write!(f, "{kind}:{}", self.number)
    }
}

impl Uid {
    /// Reads the ports of `-d`.
    ///
    /// # Errors
    /// A type that is not supported, a number that is none, a port that is named twice.
    pub fn list(text: &str) -> Result<Vec<Uid>> {
        let mut uids: Vec<Uid> = Vec::new();
        for part in text.split(',') {
            let uid = Self::read(part.trim())
                .map_err(|reason| Error::usage(format!("Invalid option: -d {text}: {reason}")))?;
            if uids.contains(&uid) {
                return Err(Error::usage(format!(
                    "Invalid option: -d {text}: {uid} is named twice, but its socket takes one application"
                )));
            }
            uids.push(uid);
        }
        Ok(uids)
    }

    fn read(part: &str) -> std::result::Result<Uid, String> {
        let (kind, number) = match part.split_once(':') {
            None => (Kind::Vhost, part),
            Some(("vhost", number)) => (Kind::Vhost, number),
            Some(("memif", number)) => (Kind::Memif, number),
            Some(("tap", number)) => (Kind::Tap, number),
            Some((other, _)) => {
                return Err(format!(
                    "'{other}' is not supported (vhost:N, memif:N and tap:N are)"
                ));
            }
        };
        let digits = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        match number.parse::<u32>().ok().filter(|n| digits && *n <= MOST) {
            Some(number) => Ok(Uid { kind, number }),
            None => Err(format!(
                "'{part}' has no number from 0 to {MOST}, as vhost:1 has"
            )),
        }
    }

    /// Its socket on the host, in the folder of the panel's sockets.
    pub fn socket(&self, folder: &Path) -> Option<PathBuf> {
        match self.kind {
            Kind::Vhost => Some(folder.join(format!("sock{}", self.number))),
            Kind::Memif => Some(folder.join(format!("memif{}", self.number))),
            Kind::Tap => None,
        }
    }

    /// Where an application's container has that socket.
    pub fn guest_socket(&self) -> Option<String> {
        match self.kind {
            Kind::Vhost => Some(format!("{GUEST}/usvhost{}", self.number)),
            Kind::Memif => Some(format!("{GUEST}/memif{}", self.number)),
            Kind::Tap => None,
        }
    }

    /// DPDK's device for it in an application, with so many queues.
    pub fn application_device(&self, queues: u32) -> String {
        let number = self.number;
        let socket = self.guest_socket().unwrap_or_default();
        match self.kind {
            Kind::Vhost => format!("virtio_user{number},queues={queues},path={socket}"),
            // Since DPDK 20.11 a socket is an abstract one unless told otherwise.
            Kind::Memif => format!("net_memif{number},id=0,socket={socket},socket-abstract=no"),
            Kind::Tap => self.tap(),
        }
    }

    /// DPDK's device for it in a primary of the panel, whose sockets are in `folder`.
    pub fn primary_device(&self, folder: &Path) -> String {
        let number = self.number;
        let socket = self.socket(folder).unwrap_or_default();
        let socket = socket.display();
        match self.kind {
            Kind::Vhost => format!("eth_vhost{number},iface={socket}"),
            Kind::Memif => {
                format!("net_memif{number},id=0,role=server,socket={socket},socket-abstract=no")
            }
            Kind::Tap => self.tap(),
        }
    }

    fn tap(&self) -> String {
        let number = self.number;
        format!("net_tap{number},iface=spp_tap{number}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_the_original_are_read() {
        let new = Uid::list("vhost:1,vhost:2").unwrap();
        assert_eq!(new, Uid::list("1,2").unwrap());
        let names: Vec<_> = Uid::list("3,tap:1, memif:12")
            .unwrap()
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(names, ["vhost:3", "tap:1", "memif:12"]);
    }

    #[test]
    fn what_is_no_port_is_refused_with_its_reason() {
        for (text, reason) in [
            ("foo:1", "'foo' is not supported"),
            ("ring:0", "'ring' is not supported"),
            ("vhost:", "no number"),
            ("", "no number"),
            ("1,,2", "no number"),
            ("vhost:+1", "no number"),
            ("vhost:99999", "no number"),
            ("1,vhost:1", "vhost:1 is named twice"),
        ] {
            let error = Uid::list(text).unwrap_err().to_string();
            assert!(error.contains(reason), "{text}: {error}");
            assert!(error.starts_with("Invalid option: "), "{error}");
        }
    }
}
