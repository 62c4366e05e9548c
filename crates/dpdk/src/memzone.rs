//! Structures in named shared memory.

use std::marker::PhantomData;
use std::ops::Deref;
use std::sync::atomic::{AtomicI32, AtomicU8, AtomicU16, AtomicU32, AtomicU64, Ordering};

use dpdk_sys as ffi;

use crate::{Error, c_string};

/// Data that several processes may see at once.
///
/// # Safety
/// All bit patterns, zero among them, are valid; every field can be changed by another process at
/// any time (that is: is an atomic, or made of such); the layout is `repr(C)`; nothing needs dropping.
pub unsafe trait Shared: Sync + Sized + 'static {}

// SAFETY: integers that may change under a shared reference.
unsafe impl Shared for AtomicU8 {}
// SAFETY: as above.
unsafe impl Shared for AtomicU16 {}
// SAFETY: as above.
unsafe impl Shared for AtomicU32 {}
// SAFETY: as above.
unsafe impl Shared for AtomicI32 {}
// SAFETY: as above.
unsafe impl Shared for AtomicU64 {}
// SAFETY: an array of shared data is shared data.
unsafe impl<T: Shared, const N: usize> Shared for [T; N] {}

/// Declares a `repr(C)` structure that may live in a [`Memzone`]: every field must be [`Shared`].
/// Extra attributes such as `#[repr(align(64))]` go before `struct`.
#[macro_export]
macro_rules! shared_struct {
    ($(#[$meta:meta])* $vis:vis struct $name:ident { $($(#[$fmeta:meta])* $fvis:vis $field:ident : $type:ty),* $(,)? }) => {
        $(#[$meta])* #[repr(C)] $vis struct $name { $($(#[$fmeta])* $fvis $field: $type),* }
        // SAFETY: repr(C), and every field is checked to be shared data itself.
        unsafe impl $crate::Shared for $name where $($type: $crate::Shared),* {}
    };
}

#[repr(C, align(64))]
struct Header {
    magic: AtomicU64,
    layout: AtomicU32,
    size: AtomicU32,
}

const MAGIC: u64 = u64::from_le_bytes(*b"SPPzone1");

/// A `T` in a memzone (`rte_memzone_reserve`), zeroed at its creation and there until the primary ends.
pub struct Memzone<T: Shared> {
    at: *const T,
    _shared: PhantomData<&'static T>,
}

impl<T: Shared> Clone for Memzone<T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T: Shared> Copy for Memzone<T> {}
// SAFETY: `T: Sync`, and the memory is never unmapped while the process lives.
unsafe impl<T: Shared> Send for Memzone<T> {}
// SAFETY: as above.
unsafe impl<T: Shared> Sync for Memzone<T> {}

impl<T: Shared> Memzone<T> {
    const BODY: usize = {
        let align = align_of::<T>();
        size_of::<Header>().div_ceil(align) * align
    };

    /// Reserves the zone `name` (primary only). `layout` is the version of `T`; readers must ask for the same.
    pub fn create(name: &str, layout: u32) -> Result<Self, Error> {
        let len = Self::BODY + size_of::<T>();
        let c_name = c_string(name)?;
        // SAFETY: plain values; the result is checked.
        let zone = unsafe {
            ffi::rte_memzone_reserve_aligned(
                c_name.as_ptr(),
                len,
                ffi::rte_socket_id() as i32,
                0,
                128,
            )
        };
        if zone.is_null() {
            return Err(Error::last(format!(
                "reserving {len} bytes for memzone {name}"
            )));
        }
        // SAFETY: the zone is valid and at least `len` bytes long, 128-byte aligned and ours alone yet.
        let base = unsafe {
            let base = ffi::spp_memzone_addr(zone).cast::<u8>();
            std::ptr::write_bytes(base, 0, len);
            base
        };
        // SAFETY: the header lies at the start; it is atomics, so sharing it is fine.
        let header = unsafe { &*base.cast::<Header>() };
        header.layout.store(layout, Ordering::Relaxed);
        header.size.store(size_of::<T>() as u32, Ordering::Relaxed);
        header.magic.store(MAGIC, Ordering::Release);
        // SAFETY: within the zone, aligned (BODY is a multiple of T's alignment).
        let at = unsafe { base.add(Self::BODY) }.cast();
        Ok(Memzone {
            at,
            _shared: PhantomData,
        })
    }

    /// Finds the zone `name` and checks that it holds a `T` of this layout.
    pub fn lookup(name: &str, layout: u32) -> Result<Self, Error> {
        let c_name = c_string(name)?;
        // SAFETY: plain values; the result is checked.
        let zone = unsafe { ffi::rte_memzone_lookup(c_name.as_ptr()) };
        if zone.is_null() {
            return Err(Error::NotFound {
                kind: "memzone",
                name: name.into(),
            });
        }
        let refuse = |reason: String| {
            Err(Error::Layout {
                name: name.into(),
                reason,
            })
        };
        // SAFETY: a zone that was found is mapped for the life of the process.
        let (base, len) = unsafe {
            (
                ffi::spp_memzone_addr(zone).cast::<u8>(),
                ffi::spp_memzone_len(zone),
            )
        };
        if len < Self::BODY + size_of::<T>() || base.align_offset(align_of::<T>().max(64)) != 0 {
            return refuse(format!(
                "is {len} bytes, {} are needed",
                Self::BODY + size_of::<T>()
            ));
        }
        // SAFETY: at least a header long, and made of atomics.
        let header = unsafe { &*base.cast::<Header>() };
        if header.magic.load(Ordering::Acquire) != MAGIC {
            return refuse("was not made by SPP".into());
        }
        let (theirs, size) = (
            header.layout.load(Ordering::Relaxed),
            header.size.load(Ordering::Relaxed),
        );
        if theirs != layout || size as usize != size_of::<T>() {
            return refuse(format!(
                "has layout {theirs} of {size} bytes, this program knows layout {layout} of {} bytes: start processes of one version",
                size_of::<T>()
            ));
        }
        // SAFETY: checked above.
        let at = unsafe { base.add(Self::BODY) }.cast();
        Ok(Memzone {
            at,
            _shared: PhantomData,
        })
    }

    /// The data, for as long as the process lives.
    pub fn get(&self) -> &'static T {
        // SAFETY: mapped until the process ends, valid for every bit pattern, made of atomics.
        unsafe { &*self.at }
    }
}

impl<T: Shared> Deref for Memzone<T> {
    type Target = T;
    fn deref(&self) -> &T {
        self.get()
    }
}

/// Reserves the zone `name` for a `T` without a header, for readers that are not ours (primary only).
pub fn create_bare<T: Shared>(name: &str) -> Result<&'static T, Error> {
    let c_name = c_string(name)?;
    // SAFETY: plain values; the result is checked.
    let zone = unsafe {
        ffi::rte_memzone_reserve_aligned(
            c_name.as_ptr(),
            size_of::<T>(),
            ffi::rte_socket_id() as i32,
            0,
            128,
        )
    };
    if zone.is_null() {
        return Err(Error::last(format!(
            "reserving {} bytes for memzone {name}",
            size_of::<T>()
        )));
    }
    // SAFETY: a fresh zone of that size, aligned to 128 bytes, ours alone yet; zero is a valid T.
    unsafe {
        let at = ffi::spp_memzone_addr(zone).cast::<T>();
        std::ptr::write_bytes(at, 0, 1);
        Ok(&*at)
    }
}

/// Finds a zone made by [`create_bare`], whose size is all that can be checked.
pub fn lookup_bare<T: Shared>(name: &str) -> Result<&'static T, Error> {
    let c_name = c_string(name)?;
    // SAFETY: plain values; the result is checked.
    let zone = unsafe { ffi::rte_memzone_lookup(c_name.as_ptr()) };
    if zone.is_null() {
        return Err(Error::NotFound {
            kind: "memzone",
            name: name.into(),
        });
    }
    // SAFETY: a zone that was found is mapped for the life of the process.
    let (at, len) = unsafe { (ffi::spp_memzone_addr(zone), ffi::spp_memzone_len(zone)) };
    if len < size_of::<T>() {
        let reason = format!("is {len} bytes, {} are needed", size_of::<T>());
        return Err(Error::Layout {
            name: name.into(),
            reason,
        });
    }
    // SAFETY: large enough, page-aligned or better by DPDK, valid for every bit pattern.
    Ok(unsafe { &*at.cast::<T>() })
}

/// How full DPDK's heap is, all sockets together: bytes that are allocated and that are free
/// (`rte_malloc_get_socket_stats`). `None` before EAL runs.
pub fn heap() -> Option<(u64, u64)> {
    let (mut allocated, mut free) = (0, 0);
    // SAFETY: two places to write to.
    let ret = unsafe { ffi::spp_heap(&mut allocated, &mut free) };
    (ret == 0).then_some((allocated as u64, free as u64))
}
