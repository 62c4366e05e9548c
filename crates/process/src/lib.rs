//! The frame that every process hangs in.
