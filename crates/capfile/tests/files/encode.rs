//! Writes capture files of every kind, independently of the crate's own writer.

/// Byte order of a file.
#[derive(Clone, Copy, Debug)]
pub enum Order {
    Little,
    Big,
}

impl Order {
    pub fn u16(self, number: u16) -> [u8; 2] {
        match self {
            Order::Little => number.to_le_bytes(),
            Order::Big => number.to_be_bytes(),
        }
    }

    pub fn u32(self, number: u32) -> [u8; 4] {
        match self {
            Order::Little => number.to_le_bytes(),
            Order::Big => number.to_be_bytes(),
        }
    }
}

pub fn pcap_header(order: Order, nanos: bool, link: u32) -> Vec<u8> {
    let magic = if nanos { 0xa1b2_3c4d } else { 0xa1b2_c3d4 };
    let mut file = order.u32(magic).to_vec();
    file.extend(order.u16(2));
    file.extend(order.u16(4));
    for number in [0, 0, 262_144, link] {
        file.extend(order.u32(number));
    }
    file
}

pub fn pcap_record(order: Order, seconds: u32, part: u32, data: &[u8], original: u32) -> Vec<u8> {
    let mut record = Vec::new();
    for number in [seconds, part, data.len() as u32, original] {
        record.extend(order.u32(number));
    }
    record.extend(data);
    record
}

pub fn block(order: Order, kind: u32, body: &[u8]) -> Vec<u8> {
    let padded = body.len().next_multiple_of(4);
    let total = order.u32(12 + padded as u32);
    let mut block = order.u32(kind).to_vec();
    block.extend(total);
    block.extend(body);
    block.resize(8 + padded, 0);
    block.extend(total);
    block
}

pub fn option(order: Order, code: u16, value: &[u8]) -> Vec<u8> {
    let mut option = order.u16(code).to_vec();
    option.extend(order.u16(value.len() as u16));
    option.extend(value);
    option.resize(4 + value.len().next_multiple_of(4), 0);
    option
}

pub fn section(order: Order) -> Vec<u8> {
    let mut body = order.u32(0x1a2b_3c4d).to_vec();
    body.extend(order.u16(1));
    body.extend(order.u16(0));
    body.extend([0xff; 8]);
    body.extend(option(order, 3, b"an operating system"));
    body.extend(option(order, 0, b""));
    block(order, 0x0a0d_0d0a, &body)
}

pub fn interface(order: Order, link: u16, snaplen: u32, options: &[u8]) -> Vec<u8> {
    let mut body = order.u16(link).to_vec();
    body.extend([0, 0]);
    body.extend(order.u32(snaplen));
    body.extend(options);
    block(order, 1, &body)
}

pub fn enhanced(order: Order, number: u32, time: u64, data: &[u8], original: u32) -> Vec<u8> {
    let mut body = Vec::new();
    for part in [
        number,
        (time >> 32) as u32,
        time as u32,
        data.len() as u32,
        original,
    ] {
        body.extend(order.u32(part));
    }
    body.extend(data);
    body.resize(body.len().next_multiple_of(4), 0);
    body.extend(option(order, 1, b"a comment"));
    body.extend(option(order, 0, b""));
    block(order, 6, &body)
}

/// The packet block that came before the enhanced one.
pub fn obsolete(order: Order, number: u16, time: u64, data: &[u8]) -> Vec<u8> {
    let mut body = order.u16(number).to_vec();
    body.extend(order.u16(7));
    for part in [
        (time >> 32) as u32,
        time as u32,
        data.len() as u32,
        data.len() as u32,
    ] {
        body.extend(order.u32(part));
    }
    body.extend(data);
    block(order, 2, &body)
}

pub fn simple(order: Order, data: &[u8], original: u32) -> Vec<u8> {
    let mut body = order.u32(original).to_vec();
    body.extend(data);
    block(order, 3, &body)
}
