//! A time that a packet carries with it through the panel, also from process to process.
//!
//! It lies in dynamic fields of the mbuf (`rte_mbuf_dynfield_register`), and a dynamic flag
//! (`rte_mbuf_dynflag_register`) says that it is there. The flag is one of `ol_flags`, which DPDK and the
//! drivers set anew whenever an mbuf is allocated or received into: so a stamp of an earlier packet in the
//! same mbuf is never taken for one of this packet.

use std::ffi::CStr;
use std::sync::OnceLock;

use dpdk_sys as ffi;

use crate::Error;
use crate::burst::Burst;
use crate::mbuf::Mbuf;

const TIME: &CStr = c"spp_stamp_time";
const TAG: &CStr = c"spp_stamp_tag";
const FLAG: &CStr = c"spp_stamp";

/// Where stamps lie in the mbufs of this panel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamps {
    time: u32,
    tag: u32,
    flag: u64,
}

static FOUND: OnceLock<Stamps> = OnceLock::new();

impl Stamps {
    /// Registers the fields (in the primary, at its start) or looks them up (in a secondary); the first call
    /// needs EAL, later ones give the same.
    ///
    /// # Errors
    /// No room is left in the mbuf, or the primary did not register them.
    pub fn find() -> Result<Self, Error> {
        if let Some(found) = FOUND.get() {
            return Ok(*found);
        }
        // SAFETY: reads a number that EAL set at its start.
        let register = unsafe { ffi::rte_eal_process_type() } == ffi::RTE_PROC_PRIMARY;
        let found = Stamps {
            time: field(TIME, register)?,
            tag: field(TAG, register)?,
            flag: flag(register)?,
        };
        Ok(*FOUND.get_or_init(|| found))
    }

    /// Stamps packet `i` with `tag` and `time`, in place of an older stamp. False if there is no such packet, or
    /// if others hold the same mbuf, which is then left alone.
    #[inline]
    pub fn put(&self, burst: &mut Burst, i: usize, tag: u64, time: u64) -> bool {
        let Some(m) = burst.mbufs().get(i) else {
            return false;
        };
        let m = Mbuf(*m);
        if !alone(m) {
            return false;
        }
        // SAFETY: a valid mbuf that the burst owns, and nobody else; offsets of aligned u64 that DPDK
        // reserved for us.
        unsafe {
            *m.field::<u64>(self.time) = time;
            *m.field::<u64>(self.tag) = tag;
            *m.field::<u64>(ffi::SPP_MBUF_OL_FLAGS) |= self.flag;
        }
        true
    }

    /// Takes the stamps with this tag off the packets of `burst` and gives their times, in order. From an mbuf
    /// that others hold too the stamp is read and not taken off.
    #[inline]
    pub fn take(&self, burst: &mut Burst, tag: u64, mut each: impl FnMut(u64)) {
        for m in burst.mbufs() {
            let m = Mbuf(*m);
            // SAFETY: a valid mbuf; the offset is that of an aligned u64.
            let flags = unsafe { *m.field::<u64>(ffi::SPP_MBUF_OL_FLAGS) };
            if flags & self.flag == 0 {
                continue;
            }
            // SAFETY: as above; both fields were written together with the flag.
            let (time, of) = unsafe { (*m.field::<u64>(self.time), *m.field::<u64>(self.tag)) };
            if of != tag {
                continue;
            }
            if alone(m) {
                // SAFETY: as above, and nobody else holds the mbuf.
                unsafe { *m.field::<u64>(ffi::SPP_MBUF_OL_FLAGS) = flags & !self.flag };
            }
            each(time);
        }
    }
}

/// Whether nobody else holds this mbuf.
#[inline(always)]
fn alone(m: Mbuf) -> bool {
    // SAFETY: a valid mbuf; the offset is that of an aligned u16, which DPDK itself uses as an atomic.
    let count = unsafe { &*m.field::<std::sync::atomic::AtomicU16>(ffi::SPP_MBUF_REFCNT) };
    count.load(std::sync::atomic::Ordering::Relaxed) == 1
}

/// Copies a name into the fixed room that DPDK has for it.
fn name_into(to: &mut [std::ffi::c_char], name: &CStr) {
    for (to, from) in to.iter_mut().zip(name.to_bytes_with_nul()) {
        *to = *from as std::ffi::c_char;
    }
}

/// Offset of an eight-byte field.
fn field(name: &CStr, register: bool) -> Result<u32, Error> {
    // SAFETY: valid strings and structures; results are checked.
    let offset = unsafe {
        if register {
            let mut wanted = ffi::rte_mbuf_dynfield {
                size: 8,
                align: 8,
                ..Default::default()
            };
            name_into(&mut wanted.name, name);
            ffi::rte_mbuf_dynfield_register(&wanted)
        } else {
            ffi::rte_mbuf_dynfield_lookup(name.as_ptr(), std::ptr::null_mut())
        }
    };
    u32::try_from(offset).map_err(|_| Error::last("finding room for a time in the mbuf"))
}

/// The bit of the flag.
fn flag(register: bool) -> Result<u64, Error> {
    // SAFETY: valid strings and structures; results are checked.
    let bit = unsafe {
        if register {
            let mut wanted = ffi::rte_mbuf_dynflag::default();
            name_into(&mut wanted.name, FLAG);
            ffi::rte_mbuf_dynflag_register(&wanted)
        } else {
            ffi::rte_mbuf_dynflag_lookup(FLAG.as_ptr(), std::ptr::null_mut())
        }
    };
    u32::try_from(bit)
        .ok()
        .and_then(|bit| 1u64.checked_shl(bit))
        .ok_or_else(|| Error::last("finding a flag for a time in the mbuf"))
}
