//! Machines that have run out.
