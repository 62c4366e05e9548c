//! The process that owns hugepage memory, rings and NICs.

fn main() {}
