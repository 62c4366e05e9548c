//! `spp container` with a real container engine: images, applications on the sockets of a running panel, processes of a panel in
//! containers.

#![allow(clippy::expect_used, clippy::panic)]

mod apps;
mod demo;
mod engine;
mod examples;
mod foreign;
mod panel;
mod podman;
mod refused;
mod rights;
