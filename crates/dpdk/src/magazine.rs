//! The word that says who may touch what lies in a magazine.
//!
//! Whoever claims a magazine by it has it alone, and sees what others did with it before. The crate `orderings` tries this
//! in every order in which the threads can meet.

use super::sync::atomic::{AtomicU32, Ordering};

/// Holds nothing.
pub const EMPTY: u32 = 0;
/// Holds as many mbufs as there is room for.
pub const FULL: u32 = 1;
/// Claimed by the lcore in the lower bits, who takes out what is there.
pub const TAKING: u32 = 0x100;
/// Claimed likewise by one who puts something in; it holds as many as the upper half says until then, which stay in it.
pub const FILLING: u32 = 0x200;
/// Holds fewer than there is room for, as the lower bits say, until the primary gathers them.
pub const PART: u32 = 0x400;
const KIND: u32 = 0xff00;
const LOWER: u32 = 0xff;
const HELD: u32 = 16;

/// Claims a magazine that is in the state `from`, and no other; false if it is in another one.
#[inline]
pub fn claim(state: &AtomicU32, from: u32, to: u32) -> bool {
    state.load(Ordering::Relaxed) == from
        && state
            .compare_exchange(from, to, Ordering::Acquire, Ordering::Relaxed)
            .is_ok()
}

/// Ends a claim: the magazine is as `then` says.
#[inline]
pub fn release(state: &AtomicU32, then: u32) {
    state.store(then, Ordering::Release);
}

/// The claim of `lcore` who puts something behind the `held` mbufs that are there.
pub fn filling(lcore: u32, held: usize) -> u32 {
    FILLING | lcore | (held as u32) << HELD
}

/// The state of a magazine with `n` of `room` mbufs.
pub fn holding(n: usize, room: usize) -> u32 {
    match n {
        0 => EMPTY,
        n if n == room => FULL,
        n => PART | n as u32,
    }
}

/// mbufs that lie in a magazine of this state that nobody has claimed; `None` if somebody has.
pub fn held(state: u32, room: usize) -> Option<usize> {
    match state & KIND {
        PART => Some((state & LOWER) as usize),
        _ if state == FULL => Some(room),
        _ if state == EMPTY => Some(0),
        _ => None,
    }
}

/// mbufs that lie in a magazine of this state or are being moved out of it, so that they are its own still if who does that dies.
pub fn kept(state: u32, room: usize) -> usize {
    match state & KIND {
        FILLING => (state >> HELD) as usize,
        TAKING => room,
        _ => held(state, room).unwrap_or(0),
    }
}

/// Ends the claim of an lcore that is dead, if it has this magazine: a half taken one is full again, a half filled one holds
/// what it held before.
pub fn mend(state: &AtomicU32, lcore: u32, room: usize) {
    let now = state.load(Ordering::Acquire);
    if matches!(now & KIND, TAKING | FILLING) && now & LOWER == lcore {
        release(state, holding(kept(now, room), room));
    }
}
