//! How things look: text from documents, without asking anybody.

pub mod boxes;
pub mod columns;
pub mod components;
pub mod counters;
pub mod dot;
pub mod flow;
pub mod launched;
pub mod layout;
pub mod mermaid;
mod names;
pub mod probes;
pub mod raster;
pub mod rates;
pub mod status;
pub mod svg;
pub mod units;
pub mod wires;
