//! Filters in tcpdump's language: compiled by libpcap (`pcap_compile`) and run by it (`bpf_filter`).
//!
//! The language is described in `pcap-filter(7)`.

use std::ffi::{CStr, CString, c_char, c_int, c_uint};
use std::ptr::NonNull;

/// libpcap's link type of Ethernet (`DLT_EN10MB`).
const ETHERNET: c_int = 1;
/// `PCAP_NETMASK_UNKNOWN`: only `ip broadcast` needs a netmask, and is refused then.
const NO_NETMASK: u32 = u32::MAX;

/// `pcap_t`, of which nothing is known here.
#[repr(C)]
struct Handle {
    _private: [u8; 0],
}

/// `struct bpf_insn`.
#[repr(C)]
struct Instruction {
    code: u16,
    jump_true: u8,
    jump_false: u8,
    operand: u32,
}

/// `struct bpf_program`.
#[repr(C)]
struct Program {
    length: c_uint,
    instructions: *mut Instruction,
}

#[link(name = "pcap")]
unsafe extern "C" {
    fn pcap_open_dead(linktype: c_int, snaplen: c_int) -> *mut Handle;
    fn pcap_compile(
        handle: *mut Handle,
        program: *mut Program,
        text: *const c_char,
        optimize: c_int,
        netmask: u32,
    ) -> c_int;
    fn pcap_geterr(handle: *mut Handle) -> *const c_char;
    fn pcap_freecode(program: *mut Program);
    fn pcap_close(handle: *mut Handle);
    fn bpf_filter(
        instructions: *const Instruction,
        packet: *const u8,
        wire_length: c_uint,
        length: c_uint,
    ) -> c_uint;
}

/// A compiled filter for Ethernet frames.
pub struct Filter(Program);

// SAFETY: the program belongs to nobody else, and running it changes nothing in it.
unsafe impl Send for Filter {}
// SAFETY: as above.
unsafe impl Sync for Filter {}

impl Filter {
    /// Compiles `text`; without a word in it every frame passes. `snaplen` is the longest frame in bytes.
    ///
    /// # Errors
    /// libpcap's own words on what it does not understand.
    pub fn compile(text: &str, snaplen: u32) -> Result<Self, String> {
        let text = CString::new(text).map_err(|_| "a NUL in the filter".to_owned())?;
        let snaplen = c_int::try_from(snaplen).unwrap_or(c_int::MAX);
        // SAFETY: takes numbers only; the result is checked.
        let handle = NonNull::new(unsafe { pcap_open_dead(ETHERNET, snaplen) })
            .ok_or_else(|| "libpcap has no memory left".to_owned())?;
        let mut program = Program {
            length: 0,
            instructions: std::ptr::null_mut(),
        };
        // SAFETY: an open handle, a valid string, and a program for libpcap to fill in.
        let result =
            unsafe { pcap_compile(handle.as_ptr(), &mut program, text.as_ptr(), 1, NO_NETMASK) };
        let compiled = if result == 0 {
            Ok(Filter(program))
        } else {
            // SAFETY: a string in the handle, which is open until it has been copied.
            let words = unsafe { CStr::from_ptr(pcap_geterr(handle.as_ptr())) };
            Err(words.to_string_lossy().into_owned())
        };
        // SAFETY: opened above and not used again; a compiled program does not need it.
        unsafe { pcap_close(handle.as_ptr()) };
        compiled
    }

    /// Whether the frame passes. `wire_length` is its whole length, of which `bytes` may be the beginning.
    #[inline]
    pub fn passes(&self, bytes: &[u8], wire_length: u32) -> bool {
        let length = bytes.len() as c_uint;
        // SAFETY: a program that pcap_compile made and checked; the frame has `length` bytes.
        let verdict =
            unsafe { bpf_filter(self.0.instructions, bytes.as_ptr(), wire_length, length) };
        verdict != 0
    }
}

impl Drop for Filter {
    fn drop(&mut self) {
        // SAFETY: compiled by libpcap, and freed once.
        unsafe { pcap_freecode(&mut self.0) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An IPv4 frame with TCP or UDP from port 1000 to `port`.
    fn frame(protocol: u8, port: u16) -> Vec<u8> {
        let mut frame = vec![0u8; 60];
        frame[12..14].copy_from_slice(&[8, 0]);
        frame[14] = 0x45;
        frame[23] = protocol;
        frame[34..36].copy_from_slice(&1000u16.to_be_bytes());
        frame[36..38].copy_from_slice(&port.to_be_bytes());
        frame
    }

    #[test]
    fn a_filter_lets_through_what_it_says() {
        let filter = Filter::compile("tcp port 80", 65535).unwrap();
        let passes = |frame: &[u8]| filter.passes(frame, frame.len() as u32);
        assert!(passes(&frame(6, 80)));
        assert!(!passes(&frame(6, 81)) && !passes(&frame(17, 80)));
        assert!(!passes(&[]) && !passes(&frame(6, 80)[..20]));
        let longer = Filter::compile("greater 1000", 65535).unwrap();
        assert!(longer.passes(&frame(6, 80), 1500) && !longer.passes(&frame(6, 80), 60));
        assert!(Filter::compile("", 65535).unwrap().passes(&[0; 60], 60));
    }

    #[test]
    fn what_libpcap_refuses_is_refused_in_its_words() {
        let words = |text: &str| Filter::compile(text, 65535).err().unwrap();
        assert!(
            words("tcp prot 80").contains("syntax error"),
            "{}",
            words("tcp prot 80")
        );
        assert!(words("port x\0").contains("NUL"));
    }
}
