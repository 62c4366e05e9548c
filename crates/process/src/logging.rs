//! The log of a process: standard error, one line a message.

/// Starts logging at `level` (`error`, `warn`, `info`, `debug`, `trace`); `RUST_LOG` overrides it.
/// DPDK's own messages are shown from warnings on, or all with `debug`.
pub fn start(level: log::LevelFilter) {
    let dpdk = if level >= log::LevelFilter::Debug {
        level
    } else {
        log::LevelFilter::Warn
    };
    let mut builder = env_logger::Builder::new();
    builder
        .filter_level(level)
        .filter_module("dpdk", dpdk)
        .format_timestamp_millis();
    if let Ok(filters) = std::env::var("RUST_LOG") {
        builder.parse_filters(&filters);
    }
    // A second start in one process changes nothing.
    let _ = builder.try_init();
}
