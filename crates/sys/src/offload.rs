//! Work that the kernel leaves to a network device: checksums and the cutting of long segments (`ethtool(8) -K`). A DPDK port at the
//! other end of a cable does not do it, so packets would arrive without checksums, or longer than its buffers.

use std::io;

use nix::libc::{self, c_char};
use rustix::fd::AsRawFd as _;

use crate::{Error, Result};

/// What can be switched: `ETHTOOL_STXCSUM`, `ETHTOOL_STSO`, `ETHTOOL_SGSO`, `ETHTOOL_SGRO` of `linux/ethtool.h`, with what it is called.
const SWITCHES: [(u32, &str); 4] = [
    (0x17, "checksums of sent packets"),
    (0x1f, "segmentation of TCP"),
    (0x24, "segmentation"),
    (0x2c, "merging of received packets"),
];

/// Switches all of it off for a device in the network namespace of the calling thread. What the device does not have counts as off.
///
/// # Errors
/// There is no such device, or it is not ours to change.
pub fn off(device: &str) -> Result<()> {
    let socket = rustix::net::socket_with(
        rustix::net::AddressFamily::INET,
        rustix::net::SocketType::DGRAM,
        rustix::net::SocketFlags::CLOEXEC,
        None,
    )
    .map_err(|e| Error::call("open a socket", e))?;
    for (command, what) in SWITCHES {
        let mut value = [command, 0];
        // SAFETY: all of it is numbers.
        let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
        let name = device.as_bytes();
        if name.len() >= request.ifr_name.len() || name.contains(&0) {
            return Err(Error::Invalid(format!(
                "'{device}' is no name of a device: 15 bytes at most"
            )));
        }
        for (to, &from) in request.ifr_name.iter_mut().zip(name) {
            *to = from as c_char;
        }
        request.ifr_ifru.ifru_data = value.as_mut_ptr().cast();
        // SAFETY: the name ends with a zero, and the data is a `struct ethtool_value`: two numbers of 32 bits that outlive the call.
        let result =
            unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCETHTOOL, &raw mut request) };
        if result != 0 {
            let error = io::Error::last_os_error();
            if error.raw_os_error() != Some(libc::EOPNOTSUPP) {
                return Err(Error::call(format!("switch off {what} of {device}"), error));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_that_is_not_there_or_cannot_be_is_named() {
        assert!(
            off("nowhere0")
                .unwrap_err()
                .to_string()
                .contains("nowhere0")
        );
        let long = "a".repeat(16);
        assert!(off(&long).unwrap_err().to_string().contains("15 bytes"));
    }
}
