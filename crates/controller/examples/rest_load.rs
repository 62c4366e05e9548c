//! Load on a controller's REST interface: clients that read paths by turns on kept connections.
//!
//! `rest_load ADDRESS CLIENTS SECONDS PATH…` prints one line of JSON: requests a second, percentiles of the
//! time from request to answer in milliseconds, and answers that were not 200. Used by `scripts/bench.sh --case http`.

#![forbid(unsafe_code)]

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Longest wait for an answer.
const LIMIT: Duration = Duration::from_secs(10);

/// What a client saw.
#[derive(Default)]
struct Seen {
    times: Vec<Duration>,
    failed: usize,
}

fn main() -> anyhow::Result<()> {
    let usage = "usage: rest_load ADDRESS CLIENTS SECONDS PATH…";
    let mut arguments = std::env::args().skip(1);
    let mut next = || arguments.next().context(usage);
    let address: SocketAddr = next()?.parse().context(usage)?;
    let clients: usize = next()?.parse().context(usage)?;
    let seconds: f64 = next()?.parse().context(usage)?;
    let paths: Vec<String> = arguments.collect();
    if paths.is_empty() {
        bail!(usage);
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let began = Instant::now();
    let end = began + Duration::from_secs_f64(seconds);
    let seen = runtime.block_on(run(address, clients, end, &paths))?;
    let spent = began.elapsed().as_secs_f64();
    let mut times: Vec<f64> = seen
        .times
        .iter()
        .map(|time| time.as_secs_f64() * 1e3)
        .collect();
    times.sort_by(f64::total_cmp);
    let at = |share: f64| {
        let place = (times.len() as f64 * share) as usize;
        times
            .get(place.min(times.len().saturating_sub(1)))
            .copied()
            .unwrap_or(f64::NAN)
    };
    println!(
        "{{\"rate\": {:.0}, \"p50-ms\": {:.3}, \"p99-ms\": {:.3}, \"max-ms\": {:.3}, \"failed\": {}, \"samples\": {}}}",
        times.len() as f64 / spent,
        at(0.5),
        at(0.99),
        at(1.0),
        seen.failed,
        times.len()
    );
    Ok(())
}

async fn run(
    address: SocketAddr,
    clients: usize,
    end: Instant,
    paths: &[String],
) -> anyhow::Result<Seen> {
    let requests: Vec<Vec<u8>> = paths
        .iter()
        .map(|path| format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n").into_bytes())
        .collect();
    let running: Vec<_> = (0..clients)
        .map(|number| {
            let mut requests = requests.clone();
            let places = requests.len();
            // Not all ask for the same at the same time.
            requests.rotate_left(number % places);
            tokio::spawn(client(address, end, requests))
        })
        .collect();
    let mut all = Seen::default();
    for client in running {
        let seen = client.await??;
        all.times.extend(seen.times);
        all.failed += seen.failed;
    }
    Ok(all)
}

async fn client(address: SocketAddr, end: Instant, requests: Vec<Vec<u8>>) -> anyhow::Result<Seen> {
    let stream = TcpStream::connect(address)
        .await
        .context("cannot connect")?;
    stream.set_nodelay(true)?;
    let mut stream = BufReader::new(stream);
    let mut seen = Seen::default();
    let mut body = Vec::new();
    for request in requests.iter().cycle() {
        let began = Instant::now();
        if began >= end {
            break;
        }
        let good = timeout(LIMIT, ask(&mut stream, request, &mut body))
            .await
            .context("no answer")??;
        seen.times.push(began.elapsed());
        seen.failed += usize::from(!good);
    }
    Ok(seen)
}

/// Sends a request and reads its answer; gives whether it is 200.
async fn ask(
    stream: &mut BufReader<TcpStream>,
    request: &[u8],
    body: &mut Vec<u8>,
) -> anyhow::Result<bool> {
    stream.get_mut().write_all(request).await?;
    let mut line = String::new();
    stream.read_line(&mut line).await?;
    let good = line.starts_with("HTTP/1.1 200 ");
    let mut length = 0;
    loop {
        line.clear();
        if stream.read_line(&mut line).await? == 0 {
            bail!("the connection was closed in the middle of an answer");
        }
        let Some((name, value)) = line.split_once(':') else {
            break;
        };
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse()?;
        }
    }
    body.resize(length, 0);
    stream.read_exact(body).await?;
    Ok(good)
}
