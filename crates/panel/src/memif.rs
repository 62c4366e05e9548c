//! memif ports: packets from and to the memory of a client.

use std::path::Path;
use std::sync::Arc;

use dpdk::{BURST, Burst};
use memif::{LONGEST, Link};

use crate::port::Context;

/// Bytes of a packet that go into one mbuf.
const ROOM: usize = 2048;

/// A memif socket that is open in this process.
pub struct Memif {
    socket: memif::Memif,
    link: Arc<Link>,
}

impl Memif {
    /// Makes the socket `path`. `up` is called, on a thread of the port's own, whenever a peer has come.
    pub fn open(path: &Path, up: Box<dyn Fn() + Send + Sync>) -> Result<Self, sys::Error> {
        let socket = memif::Memif::open(path, up)?;
        let link = socket.link();
        Ok(Memif { socket, link })
    }

    /// Path of the socket.
    pub fn path(&self) -> &Path {
        self.socket.path()
    }

    /// Whether a peer is connected and ready.
    #[inline(always)]
    pub fn is_up(&self) -> bool {
        self.link.is_up()
    }

    /// Whether a frame is longer than any that the port takes.
    pub(crate) fn is_too_long(&self, len: u32) -> bool {
        len as usize > LONGEST
    }

    /// Receives up to `most` packets. What no mbuf is left for stays with the client.
    #[inline(always)]
    pub(crate) fn receive(&self, cx: &mut Context, burst: &mut Burst, most: usize) -> usize {
        let taken = self.link.receive(|receiver| {
            while burst.len() < most.min(BURST) {
                let Some(packet) = receiver.peek()? else {
                    break;
                };
                let i = burst.len();
                if cx.cache.alloc(burst, 1) != 1 {
                    break;
                }
                let written = if packet.len() <= ROOM {
                    burst
                        .write_packet(i, packet.len())
                        .map(|to| receiver.copy(&packet, to))
                        .is_some()
                } else {
                    let bytes = receiver.bytes(&packet);
                    let written = burst.write_frame(i, bytes, &mut cx.cache, ROOM);
                    cx.cache.balance();
                    written
                };
                if !written {
                    // The pool ran dry in the middle of it: once more, when it has mbufs again.
                    burst.drop_last();
                    break;
                }
                receiver.pass(&packet);
            }
            receiver.done();
            Ok(())
        });
        // What was copied before a fault was found is whole.
        let _ = taken;
        burst.len()
    }

    /// Sends copies of the packets from number `from` on, until one is refused. Returns how many.
    #[inline(always)]
    pub(crate) fn offer(&self, burst: &Burst, from: usize) -> usize {
        let mut at = from;
        self.link.send(|sender| {
            while let Some(first) = burst.packet(at) {
                let len = burst.copy_packet(at, &mut []).unwrap_or(0);
                let put = if len == first.len() && len <= LONGEST {
                    sender.put(first)
                } else {
                    let mut scratch = sender.borrow_scratch();
                    burst.copy_packet(at, &mut scratch);
                    // One that is too long is refused; the worker finds it and drops it.
                    let put = scratch
                        .get(..len)
                        .map_or(Ok(false), |data| sender.put(data));
                    sender.give_back(scratch);
                    put
                };
                if !put? {
                    break;
                }
                at += 1;
            }
            sender.done()
        });
        at - from
    }
}
