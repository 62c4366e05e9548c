//! Capture with rotation under load, for a while.
