//! The operator command of SPP.

fn main() {}
