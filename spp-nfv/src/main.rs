//! A worker process that patches ports.

fn main() {}
