//! Who runs: ids, lcore ids, ring ends, counters in shared memory.
