//! vhost-user ports: `librte_vhost` used directly, in the process that polls them.
//!
//! A device comes and goes with its peer, on vhost's own thread. The worker looks at [`Link`] once a
//! burst; before a device is destroyed, the callback takes its id away and waits until the worker
//! is out of the burst that may still use it.

use std::collections::HashMap;
use std::ffi::{CStr, CString, OsStr, c_int, c_void};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use dpdk_sys as ffi;

use crate::ahead::Ahead;
use crate::burst::Burst;
use crate::guest::{Fault, Guard};
use crate::pool::PoolCache;
use crate::{Error, Lcore, c_string};

/// Queue that the guest receives from: we put packets in.
const TO_GUEST: u16 = 0;
/// Queue that the guest sends to: we take packets out.
const FROM_GUEST: u16 = 1;

/// What a guest may not negotiate: segmentation and checksums left to us. Frames between two guests
/// are whole and carry valid checksums, whoever is at the other end (virtio 1.1, 5.1.3).
const SWITCHED_OFF: u64 = 1 << 0 // VIRTIO_NET_F_CSUM
    | 1 << 1 // GUEST_CSUM
    | 1 << 7 // GUEST_TSO4
    | 1 << 8 // GUEST_TSO6
    | 1 << 9 // GUEST_ECN
    | 1 << 10 // GUEST_UFO
    | 1 << 11 // HOST_TSO4
    | 1 << 12 // HOST_TSO6
    | 1 << 13 // HOST_ECN
    | 1 << 14; // HOST_UFO

/// Longest path of a UNIX socket, which `librte_vhost` would cut silently.
pub const MAX_PATH: usize = 107;

/// Who creates the socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// We do; the peer connects.
    Server,
    /// The peer does; we connect, again and again.
    Client,
}

/// The connection of a vhost port, shared by its owner, its worker and vhost's thread.
pub struct Link {
    vid: AtomicI32,
    receiving: AtomicBool,
    sending: AtomicBool,
    /// We are told of its messages before they are handled.
    watched: AtomicBool,
    from_guest: Ahead,
    to_guest: Ahead,
    pub(crate) guard: Guard,
    /// Connections so far.
    connections: AtomicU64,
    /// Called when a peer has come.
    up: Box<dyn Fn() + Send + Sync>,
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Link")
            .field("vid", &self.vid)
            .finish_non_exhaustive()
    }
}

static PORTS: Mutex<Option<HashMap<Vec<u8>, Arc<Link>>>> = Mutex::new(None);

fn ports() -> MutexGuard<'static, Option<HashMap<Vec<u8>, Arc<Link>>>> {
    PORTS
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// The open ports, by the paths of their sockets.
pub(crate) fn links() -> Vec<(PathBuf, Arc<Link>)> {
    let ports = ports();
    let all = ports.iter().flatten();
    all.map(|(path, link)| (PathBuf::from(OsStr::from_bytes(path)), link.clone()))
        .collect()
}

fn link_of(vid: c_int) -> Option<Arc<Link>> {
    let mut name = [0; 256];
    // SAFETY: room for the path; vhost ends it with a NUL.
    let ret = unsafe { ffi::rte_vhost_get_ifname(vid, name.as_mut_ptr(), name.len()) };
    if ret != 0 {
        return None;
    }
    // SAFETY: a terminated string, as above.
    let path = unsafe { CStr::from_ptr(name.as_ptr()) };
    ports().as_ref()?.get(path.to_bytes()).cloned()
}

unsafe extern "C" fn new_device(vid: c_int) -> c_int {
    let Some(link) = link_of(vid) else { return -1 };
    for queue in [TO_GUEST, FROM_GUEST] {
        // SAFETY: the device is ready; the guest need not kick a poller.
        unsafe { ffi::rte_vhost_enable_guest_notification(vid, queue, 0) };
    }
    link.open_ahead(vid);
    link.connections.fetch_add(1, Ordering::Relaxed);
    link.vid.store(vid, Ordering::SeqCst);
    // Unwinding must not cross into C.
    let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| (link.up)()));
    0
}

unsafe extern "C" fn destroy_device(vid: c_int) {
    if let Some(link) = link_of(vid) {
        link.leave(vid);
    }
}

/// Its memory is about to be unmapped.
unsafe extern "C" fn destroy_connection(vid: c_int) {
    if let Some(link) = link_of(vid) {
        link.leave(vid);
        link.guard.forget(vid);
    }
}

unsafe extern "C" fn new_connection(vid: c_int) -> c_int {
    let Some(link) = link_of(vid) else { return -1 };
    // SAFETY: the device is there; the table is static, and the functions fit it.
    let ret =
        unsafe { ffi::rte_vhost_extern_callback_register(vid, &MESSAGES, std::ptr::null_mut()) };
    link.watched.store(ret == 0, Ordering::Relaxed);
    0
}

/// Whatever the message changes, memory or queues: nobody reads them meanwhile.
unsafe extern "C" fn before_message(
    vid: c_int,
    _message: *mut c_void,
) -> ffi::rte_vhost_msg_result {
    if let Some(link) = link_of(vid) {
        link.close_ahead();
        link.guard.before();
    }
    ffi::RTE_VHOST_MSG_RESULT_NOT_HANDLED
}

unsafe extern "C" fn after_message(vid: c_int, message: *mut c_void) -> ffi::rte_vhost_msg_result {
    if let Some(link) = link_of(vid) {
        // SAFETY: vhost's message, as it comes.
        unsafe { link.guard.after(vid, message) };
        if link.vid.load(Ordering::SeqCst) == vid {
            link.open_ahead(vid);
        }
    }
    ffi::RTE_VHOST_MSG_RESULT_NOT_HANDLED
}

static MESSAGES: ffi::rte_vhost_user_extern_ops = ffi::rte_vhost_user_extern_ops {
    pre_msg_handle: Some(before_message),
    post_msg_handle: Some(after_message),
};

struct Operations(ffi::rte_vhost_device_ops);
// SAFETY: function pointers and NULLs, never written.
unsafe impl Send for Operations {}
// SAFETY: as above.
unsafe impl Sync for Operations {}

static OPERATIONS: std::sync::LazyLock<Operations> = std::sync::LazyLock::new(|| {
    Operations(ffi::rte_vhost_device_ops {
        new_device: Some(new_device),
        destroy_device: Some(destroy_device),
        new_connection: Some(new_connection),
        destroy_connection: Some(destroy_connection),
        ..Default::default()
    })
});

/// A vhost-user port of this process. Dropping it closes it; that may wait for vhost's thread, so it
/// is done on the control thread.
pub struct Vhost {
    path: CString,
    mode: Mode,
    link: Arc<Link>,
}

impl Vhost {
    /// Opens the socket `path` as server or client (`rte_vhost_driver_register`, `_start`), with one
    /// queue pair. `up` is called on vhost's thread whenever a peer has come.
    pub fn open(path: &str, mode: Mode, up: Box<dyn Fn() + Send + Sync>) -> Result<Self, Error> {
        if path.len() > MAX_PATH {
            return Err(Error::Invalid(format!(
                "the socket path {path} has {} bytes: at most {MAX_PATH} are possible (choose a shorter --vhost-dir)",
                path.len()
            )));
        }
        let c_path = c_string(path)?;
        let link = Arc::new(Link {
            vid: AtomicI32::new(-1),
            receiving: AtomicBool::new(false),
            sending: AtomicBool::new(false),
            watched: AtomicBool::new(false),
            from_guest: Ahead::new(FROM_GUEST),
            to_guest: Ahead::new(TO_GUEST),
            guard: Guard::default(),
            connections: AtomicU64::new(0),
            up,
        });
        {
            let mut ports = ports();
            let ports = ports.get_or_insert_default();
            if ports.contains_key(c_path.as_bytes()) {
                return Err(Error::Invalid(format!("the socket {path} is open already")));
            }
            ports.insert(c_path.as_bytes().to_vec(), link.clone());
        }
        let mut flags = u64::from(ffi::RTE_VHOST_USER_NET_COMPLIANT_OL_FLAGS);
        if mode == Mode::Client {
            flags |= u64::from(ffi::RTE_VHOST_USER_CLIENT);
        }
        // From here on dropping `port` undoes what was done.
        let port = Vhost {
            path: c_path,
            mode,
            link,
        };
        let call = |what: &str, ret: i32| {
            if ret == 0 {
                Ok(())
            } else {
                Err(Error::Call {
                    what: format!("{what} {path}"),
                    errno: last_errno(),
                })
            }
        };
        let p = port.path.as_ptr();
        // SAFETY: a valid string; the path is not registered, as the map above shows.
        call("registering the vhost socket", unsafe {
            ffi::rte_vhost_driver_register(p, flags)
        })?;
        // SAFETY: registered.
        call("setting the features of", unsafe {
            ffi::rte_vhost_driver_disable_features(p, SWITCHED_OFF)
        })?;
        // SAFETY: registered; the table is static.
        call("setting the callbacks of", unsafe {
            ffi::rte_vhost_driver_callback_register(p, &OPERATIONS.0)
        })?;
        // SAFETY: registered.
        call("opening the vhost socket", unsafe {
            ffi::rte_vhost_driver_start(p)
        })?;
        Ok(port)
    }

    /// The connection, for the worker.
    pub fn link(&self) -> Arc<Link> {
        self.link.clone()
    }

    /// Who makes the socket.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// Path of the socket.
    pub fn path(&self) -> &str {
        self.path.to_str().unwrap_or_default()
    }
}

fn last_errno() -> i32 {
    std::io::Error::last_os_error()
        .raw_os_error()
        .unwrap_or(libc::EIO)
}

impl Drop for Vhost {
    fn drop(&mut self) {
        // SAFETY: a valid string; a path that is not registered is refused.
        unsafe { ffi::rte_vhost_driver_unregister(self.path.as_ptr()) };
        if let Some(ports) = ports().as_mut() {
            ports.remove(self.path.as_bytes());
        }
    }
}

/// Clears the flag when the burst is over, on every way out.
struct InBurst<'a>(&'a AtomicBool);

impl<'a> InBurst<'a> {
    /// Says that a burst begins. The swap is a full barrier: the id read after it is either gone or protected.
    #[inline(always)]
    fn enter(flag: &'a AtomicBool) -> Self {
        flag.swap(true, Ordering::SeqCst);
        InBurst(flag)
    }
}

impl Drop for InBurst<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

impl Link {
    fn open_ahead(&self, vid: c_int) {
        if self.watched.load(Ordering::Relaxed) {
            self.from_guest.open(vid);
            self.to_guest.open(vid);
        }
    }

    fn close_ahead(&self) {
        self.from_guest.close();
        self.to_guest.close();
    }

    /// Takes the device `vid` away from the workers, and comes back when none of them is in a burst of it.
    fn leave(&self, vid: c_int) {
        let _ = self
            .vid
            .compare_exchange(vid, -1, Ordering::SeqCst, Ordering::SeqCst);
        while self.receiving.load(Ordering::SeqCst) || self.sending.load(Ordering::SeqCst) {
            std::thread::yield_now();
        }
        self.close_ahead();
    }

    /// How many peers were cut off, and why the last one was.
    pub fn record(&self) -> Option<(u64, Fault)> {
        self.guard.record()
    }

    /// Whether a worker rings this descriptor for the guest, or takes back what the guest rang.
    pub(crate) fn has_bell(&self, fd: c_int) -> bool {
        let vid = self.vid.load(Ordering::SeqCst);
        // SAFETY: an unknown device or queue gives -1.
        let bells = |queue| unsafe {
            [
                ffi::spp_vhost_callfd(vid, queue),
                ffi::spp_vhost_kickfd(vid, queue),
            ]
        };
        vid >= 0
            && [TO_GUEST, FROM_GUEST]
                .map(bells)
                .as_flattened()
                .contains(&fd)
    }

    /// Whether a peer is connected and ready.
    #[inline(always)]
    pub fn is_up(&self) -> bool {
        self.vid.load(Ordering::Relaxed) >= 0
    }

    /// Connections so far.
    pub fn connections(&self) -> u64 {
        self.connections.load(Ordering::Relaxed)
    }

    /// Receives up to `most` packets from the guest (`rte_vhost_dequeue_burst`).
    #[inline(always)]
    pub fn receive(
        &self,
        _lcore: &Lcore,
        cache: &PoolCache,
        burst: &mut Burst,
        most: usize,
    ) -> usize {
        if !self.is_up() {
            return 0;
        }
        let _busy = InBurst::enter(&self.receiving);
        let vid = self.vid.load(Ordering::SeqCst);
        if vid < 0 || !self.guard.is_whole() {
            return 0;
        }
        let room = burst.room();
        let most = most.min(room.len()) as u16;
        self.from_guest.before_receiving(vid);
        // SAFETY: room for that many pointers; the device stays while `receiving` is set; the mbufs
        // come from this lcore's cache.
        let n = unsafe {
            ffi::rte_vhost_dequeue_burst(vid, FROM_GUEST, cache.pool().raw, room.as_mut_ptr(), most)
        } as usize;
        let before = burst.bytes();
        burst.received_own(n);
        self.from_guest.came(n, burst.bytes() - before);
        n
    }

    /// Sends from the front of the burst to the guest (`rte_vhost_enqueue_burst`, which copies) and
    /// frees what was sent; the rest stays in the burst. Returns packets and bytes; (0, 0) if nobody
    /// is connected.
    #[inline(always)]
    pub fn send(&self, _lcore: &Lcore, burst: &mut Burst) -> (usize, u64) {
        if !self.is_up() {
            return (0, 0);
        }
        let _busy = InBurst::enter(&self.sending);
        let vid = self.vid.load(Ordering::SeqCst);
        if vid < 0 || !self.guard.is_whole() {
            return (0, 0);
        }
        let step = burst.step();
        let n = self.copy_to(vid, &burst.held()[..step], burst.bytes());
        // Copied, and forgotten below.
        burst.free(n);
        (n, burst.passed_on(n))
    }

    /// Sends copies of the packets from number `from` on, until one is refused, and returns how many. They all stay in the
    /// burst.
    pub fn offer(&self, burst: &Burst, from: usize) -> usize {
        if !self.is_up() {
            return 0;
        }
        let _busy = InBurst::enter(&self.sending);
        let vid = self.vid.load(Ordering::SeqCst);
        let mut sent = from;
        while vid >= 0 && self.guard.is_whole() && sent < burst.len() {
            let n = self.copy_to(vid, &burst.held()[sent..], burst.bytes());
            if n == 0 {
                break;
            }
            sent += n;
        }
        sent - from
    }

    /// Copies packets of `bytes` bytes to the guest, from the first on; returns how many. Called while `sending` is set.
    #[inline(always)]
    fn copy_to(&self, vid: c_int, mbufs: &[*mut ffi::rte_mbuf], bytes: u64) -> usize {
        self.to_guest.before_sending(vid, mbufs, bytes);
        let n = mbufs.len() as u16;
        // SAFETY: so many mbufs that somebody holds, of which the array is only read; the device stays while `sending` is set.
        let n =
            unsafe { ffi::rte_vhost_enqueue_burst(vid, TO_GUEST, mbufs.as_ptr().cast_mut(), n) };
        usize::from(n)
    }

    /// Asks the guest to kick (or not) when it sends, and gives the descriptor that it kicks, for a
    /// worker that wants to rest; asking it not to takes back what it has kicked. `None` if nobody is
    /// connected.
    pub fn kick(&self, wanted: bool) -> Option<i32> {
        let _busy = InBurst::enter(&self.receiving);
        let vid = self.vid.load(Ordering::SeqCst);
        if vid < 0 {
            return None;
        }
        // SAFETY: the device stays while `receiving` is set.
        unsafe {
            ffi::rte_vhost_enable_guest_notification(vid, FROM_GUEST, c_int::from(wanted));
            let fd = ffi::spp_vhost_kickfd(vid, FROM_GUEST);
            if fd < 0 {
                return None;
            }
            if !wanted {
                let mut ready = libc::pollfd {
                    fd,
                    events: libc::POLLIN,
                    revents: 0,
                };
                let mut count = [0u8; 8];
                // Only when there is something: the guest may have made the descriptor a blocking one.
                if libc::poll(&mut ready, 1, 0) == 1 && ready.revents & libc::POLLIN != 0 {
                    libc::read(fd, count.as_mut_ptr().cast(), count.len());
                }
            }
            Some(fd)
        }
    }
}
