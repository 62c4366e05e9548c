//! The data plane: ports, patches, workers, counters.
