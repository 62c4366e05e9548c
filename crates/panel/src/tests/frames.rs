//! Frames that go into the panel and come out of it.

use super::*;

impl Bench {
    /// Sends frames into a ring, as another process would, in chains of segments of at most `room` bytes.
    pub fn put(&mut self, n: u16, frames: &[Vec<u8>], room: usize) {
        let port = self.port(ring(n));
        for frame in frames {
            self.cx.cache.balance();
            let mut burst = Burst::new();
            assert_eq!(self.cx.cache.alloc(&mut burst, 1), 1);
            assert!(burst.write_frame(0, frame, &mut self.cx.cache, room));
            let end = Instant::now() + LIMIT;
            while port.send(&mut self.cx, &mut burst).0 == 0 {
                assert!(Instant::now() < end, "no room in ring:{n}");
                std::thread::yield_now();
            }
        }
    }

    /// Takes frames out of a ring until there are so many.
    pub fn take(&mut self, n: u16, count: usize) -> Vec<Vec<u8>> {
        let port = self.port(ring(n));
        let mut frames = Vec::new();
        let end = Instant::now() + LIMIT;
        while frames.len() < count {
            let got = frames.len();
            assert!(Instant::now() < end, "only {got} of {count} in ring:{n}");
            self.cx.cache.balance();
            let mut burst = Burst::new();
            port.receive(&mut self.cx, &mut burst, BURST);
            frames.extend((0..burst.len()).map(|i| content(&burst, i)));
            burst.clear(&mut self.cx.cache);
        }
        assert_eq!(frames.len(), count, "ring:{n}");
        frames
    }

    /// Ends the workers and finds every mbuf once.
    pub fn assert_whole(mut self, mut board: Board) {
        assert!(board.end());
        drop(board);
        for n in 0..RINGS {
            self.empty(n);
        }
        self.cx.cache.flush();
        self.pool.stock(&self.cx.lcore);
        assert_eq!(dpdk::audit(&self.pool, &self.rings), Default::default());
    }
}

/// All bytes of packet `i`.
pub fn content(burst: &Burst, i: usize) -> Vec<u8> {
    let mut bytes = vec![0; 70_000];
    let len = burst.copy_packet(i, &mut bytes).unwrap();
    bytes.truncate(len);
    bytes
}

/// An Ethernet frame of `len` bytes with number `n` in it, where there is room.
pub fn frame(n: u32, len: usize) -> Vec<u8> {
    let mut frame = vec![0x02, 0, 0, 0, 0, 1, 0x02, 0, 0, 0, 0, 2, 0x88, 0xb5];
    frame.extend(n.to_be_bytes());
    frame.extend((frame.len()..len).map(|i| (i as u32).wrapping_mul(n + 7) as u8));
    frame.truncate(len);
    frame
}

/// What the test sends into the mirror or the component: many lengths, from truncated to jumbo.
pub fn mixture(count: u32) -> Vec<Vec<u8>> {
    const LENS: [usize; 10] = [60, 64, 1514, 255, 256, 9018, 13, 100, 2048, 4097];
    let len = |n: u32| LENS[n as usize % LENS.len()];
    (0..count).map(|n| frame(n, len(n))).collect()
}

/// The frame with an 802.1Q header.
pub fn tagged(frame: &[u8], tci: u16) -> Vec<u8> {
    let mut out = frame.to_vec();
    if frame.len() >= 14 {
        let [high, low] = tci.to_be_bytes();
        out.splice(12..12, [0x81, 0x00, high, low]);
    }
    out
}
