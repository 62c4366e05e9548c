//! Command lines of spp-nfv: ours, and the original's.

use clap::Parser;
use process::Error;
use process::cli::{
    Common, Joining, Polling, Registering, Start, Succeeding, Workers, endpoint, original_lcores,
    original_options, vhost_mode,
};
use process::confine::Confining;
use process::eal_options::{EalOptions, split_original};
use process::secondary::Options;

/// A worker process of the patch panel: moves packets between ports.
///
/// The original's form works too: spp-nfv EAL-OPTIONS -- -n ID -s HOST:PORT [--vhost-client]
#[derive(Parser, Debug)]
#[command(name = "spp-nfv", version)]
struct Args {
    #[command(flatten)]
    joining: Joining,
    #[command(flatten)]
    polling: Polling,
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    workers: Workers,
    #[command(flatten)]
    registering: Registering,
    #[command(flatten)]
    succeeding: Succeeding,
    /// Start with forwarding stopped, and do not attach rings by patching them
    #[arg(long, env = "SPP_IDLE")]
    idle: bool,
}

/// The words after `--` in the original's form.
#[derive(Parser, Debug)]
#[command(name = "spp-nfv", no_binary_name = true)]
struct Original {
    #[arg(short = 'n', value_name = "ID", value_parser = clap::value_parser!(u32).range(1..=127))]
    id: u32,
    #[arg(short = 's', value_name = "HOST:PORT")]
    server: String,
    #[arg(long)]
    vhost_client: bool,
    #[command(flatten)]
    confining: Confining,
}

/// Reads the command line (without the program's name); clap's own messages end the process.
pub fn parse(args: &[String]) -> Result<Start, Error> {
    match split_original(args) {
        Some((eal, own)) => original(eal, own),
        None => ours(args),
    }
}

fn ours(args: &[String]) -> Result<Start, Error> {
    let args = Args::parse_from(std::iter::once("spp-nfv".to_string()).chain(args.iter().cloned()));
    let options = Options {
        kind: "nfv",
        id: args.joining.sec_id,
        file_prefix: args.common.file_prefix.clone(),
        main_lcore: None,
        placement: args.workers.placement()?,
        wait: args.joining.wait()?,
        vhost_mode: args.common.vhost_mode(),
        pcap_dir: args.common.pcap_dir,
        poll: args.polling.poll(),
        stall: args.polling.stall()?,
        forwarding: !args.idle,
        controller: args.registering.controller()?,
        confinement: args.common.confining.confinement(),
        take_over: args.succeeding.take_over,
        huge_dir: args.common.huge_dir,
        eal: args.common.eal,
    };
    Ok(Start {
        options,
        log_level: args.common.log_level,
    })
}

fn original(eal: &[String], own: &[String]) -> Result<Start, Error> {
    let own = Original::parse_from(own);
    let eal = EalOptions::parse(eal)?;
    let (main, mut workers) = original_lcores(&eal)?;
    if workers.is_empty() {
        workers.extend(eal.lcores.first().cloned());
    }
    let options = Options {
        vhost_mode: vhost_mode(own.vhost_client),
        controller: Some(endpoint("-s", own.server)?),
        confinement: own.confining.confinement(),
        ..original_options("nfv", own.id, eal, main, workers)?
    };
    Ok(Start {
        options,
        log_level: log::LevelFilter::Info,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use process::secondary::Placement;
    use protocol::command::VhostMode;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(String::from).collect()
    }

    #[test]
    fn the_new_form_forwards_at_once_and_the_originals_idles() {
        let new = parse(&words("--sec-id 3 --lcores 1")).unwrap();
        assert!(new.options.forwarding && new.options.controller.is_none());
        assert_eq!(
            (new.options.id, new.options.file_prefix.as_str()),
            (3, "spp")
        );
        let old = parse(&words("-l 1,2 -m 64 --proc-type secondary --file-prefix x -- -n 5 -s 127.0.0.1:6666 --vhost-client")).unwrap();
        assert!(!old.options.forwarding);
        assert_eq!(old.options.main_lcore, Some(1));
        assert_eq!(old.options.vhost_mode, VhostMode::Client);
        assert_eq!(old.options.controller.as_deref(), Some("127.0.0.1:6666"));
        assert!(
            matches!(&old.options.placement, Placement::On(w) if w.len() == 1 && w[0].cpu == 2)
        );
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for bad in [
            "x",
            "127.0.0.1",
            "127.0.0.1:x",
            "127.0.0.1:0",
            "127.0.0.1:65536",
            ":1",
        ] {
            let ours = format!("--sec-id 1 --ctl {bad}");
            let theirs = format!("-l 1 -- -n 1 -s {bad}");
            assert!(parse(&words(&ours)).is_err(), "{ours}");
            assert!(parse(&words(&theirs)).is_err(), "{theirs}");
        }
        for good in ["localhost:6666", "[::1]:6666"] {
            assert!(
                parse(&words(&format!("--sec-id 1 --ctl {good}"))).is_ok(),
                "{good}"
            );
        }
    }

    #[test]
    fn the_original_form_without_lcores_is_refused() {
        assert!(parse(&words("-m 64 -- -n 5 -s 127.0.0.1:6666")).is_err());
    }
}
