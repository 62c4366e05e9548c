//! DPDK programs as nodes: what EAL is told, and when their ports are there.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::Path;

use nix::sys::stat::Mode;

use crate::error::{Error, Result};
use crate::file::{Dpdk, Driver, Shell};
use crate::plan::{Interface, Node};

/// The command of a node with EAL's arguments in the place of `{eal}`.
pub fn line(network: &str, node: &Node, dpdk: &Dpdk, command: &Shell) -> String {
    command
        .0
        .replace("{eal}", &eal(network, node, dpdk).join(" "))
}

/// EAL's arguments: a port for each link, in their order; ordinary memory and nothing in the file system, so that nothing collides with
/// another program and nothing stays when it is killed.
fn eal(network: &str, node: &Node, dpdk: &Dpdk) -> Vec<String> {
    let mut words = vec![
        format!("--lcores={}", dpdk.lcores),
        format!("-m {}", dpdk.memory),
        format!("--file-prefix={}", prefix(network, node)),
    ];
    words.extend(
        [
            "--no-pci",
            "--no-huge",
            "--no-shconf",
            "--no-telemetry",
            "--iova-mode=va",
        ]
        .map(str::to_owned),
    );
    words.extend(devices(node).map(|device| format!("--vdev={device}")));
    words
}

/// The name of the program's memory.
pub fn prefix(network: &str, node: &Node) -> String {
    format!("lab-{network}-{}", node.name)
}

/// EAL's devices for the links of a node, in their order.
pub fn devices(node: &Node) -> impl Iterator<Item = String> {
    let port = |(number, interface): (usize, &Interface)| {
        let (driver, device) = match interface.driver {
            Some(Driver::AfXdp) => ("net_af_xdp", interface.name.clone()),
            Some(Driver::Tap) => ("net_tap", tap(number)),
            Some(Driver::AfPacket) | None => ("net_af_packet", interface.name.clone()),
        };
        format!("{driver}{number},iface={device}")
    };
    node.interfaces.iter().enumerate().map(port)
}

/// The kernel's name of a tap port before it is moved to the other end of its link.
pub fn tap(port: usize) -> String {
    format!("vtap{port}")
}

/// An input that never ends and never has anything: programs that wait for a key go on waiting. `folder` is for a name that is
/// gone when this returns.
///
/// # Errors
/// The kernel refuses.
pub fn quiet_input(folder: &Path) -> Result<OwnedFd> {
    let path = folder.join("input");
    let failed = |e: std::io::Error| Error::io(format!("make a pipe in {}", folder.display()), e);
    nix::unistd::mkfifo(&path, Mode::S_IRUSR | Mode::S_IWUSR).map_err(|e| failed(e.into()))?;
    // Its own writer: the end of the input never comes.
    let opened = File::options().read(true).write(true).open(&path);
    std::fs::remove_file(&path).map_err(failed)?;
    Ok(opened.map_err(failed)?.into())
}

/// Whether a program has taken all interfaces of its node: each has a socket of its driver. To be called in the node's namespace.
///
/// # Errors
/// The kernel does not list them.
pub fn has_taken(node: &Node) -> Result<bool> {
    let read = |name: &str| {
        let path = format!("/proc/thread-self/net/{name}");
        std::fs::read_to_string(&path).map_err(|e| Error::io(format!("read {path}"), e))
    };
    let (sockets, devices) = (read("packet")?, read("dev")?);
    // Type, protocol and number of the interface are columns 3 to 5 (`packet(7)`).
    let taken: Vec<u32> = sockets
        .lines()
        .filter_map(|line| line.split_whitespace().nth(4)?.parse().ok())
        .collect();
    let made: Vec<&str> = devices
        .lines()
        .filter_map(|line| Some(line.split_once(':')?.0.trim()))
        .collect();
    let mut ports = node.interfaces.iter().enumerate();
    Ok(ports.all(|(number, interface)| match interface.driver {
        Some(Driver::AfPacket) | None => taken.contains(&interface.index),
        Some(Driver::Tap) => made.contains(&tap(number).as_str()),
        // The kernel lists these by a socket of their own only; the text of `ready` has to do.
        Some(Driver::AfXdp) => true,
    }))
}
