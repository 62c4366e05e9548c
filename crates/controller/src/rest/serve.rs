//! HTTP connections, with TLS or without.

mod connections;

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};
use tokio_io_timeout::TimeoutStream;
use tokio_rustls::TlsAcceptor;
use tower_service::Service;

use super::guard::Client;
use crate::config::Limits;
use crate::metrics::Figures;
use connections::{Connection, Connections, Guarded};

/// Time that running requests have to end.
const FAREWELL: Duration = Duration::from_secs(1);

/// Largest head of a request, in bytes, and most fields in it.
const MAX_HEAD: usize = 16 << 10;
const MAX_FIELDS: usize = 64;

/// First byte of a TLS connection.
const TLS_HANDSHAKE: u8 = 0x16;

/// Answer to HTTP where TLS is spoken. A primary that looks for its controller knows the name.
const PLAIN_REFUSED: &str = "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\n\
    Connection: close\r\n\r\nThis \"spp-ctl\" speaks TLS on this port: use https:// (spp --tls-ca FILE).\n";

/// How to serve.
pub(crate) struct Settings {
    pub router: Router,
    pub limits: Limits,
    pub tls: Option<TlsAcceptor>,
    pub figures: Arc<Figures>,
}

/// Serves until `stop` is ready, then lets running requests end.
pub(crate) async fn serve(
    listener: TcpListener,
    settings: Settings,
    stop: impl Future<Output = ()>,
) {
    let graceful = GracefulShutdown::new();
    let connections = Arc::new(Connections::new(settings.figures.clone()));
    let settings = Arc::new(settings);
    let accept = async {
        loop {
            match listener.accept().await {
                Ok((stream, client)) => {
                    let connection = connections.add().await;
                    let (settings, watcher) = (settings.clone(), graceful.watcher());
                    tokio::spawn(async move {
                        let closing = connection.clone();
                        let closing = closing.closing();
                        tokio::select! {
                            () = begin(stream, client, &settings, watcher, connection) => {}
                            () = closing => log::debug!("connection from {client}: closed, to make room"),
                        }
                    });
                }
                Err(error) => {
                    log::error!("cannot accept a REST connection: {error}");
                    // Out of descriptors, most likely.
                    sleep(Duration::from_millis(100)).await;
                }
            }
        }
    };
    tokio::select! {
        () = accept => {}
        () = stop => {}
    }
    drop(listener);
    if timeout(FAREWELL, graceful.shutdown()).await.is_err() {
        log::warn!("some requests did not end within {FAREWELL:?}");
    }
}

/// Serves one connection.
async fn begin(
    stream: TcpStream,
    client: SocketAddr,
    settings: &Settings,
    watcher: Watcher,
    connection: Arc<Connection>,
) {
    let Some(tls) = &settings.tls else {
        return talk(stream, client, settings, watcher, connection).await;
    };
    let refused = |reason| settings.figures.refused("rest", reason);
    let mut stream = stream;
    let mut first = [0];
    // What has not begun in time is given up.
    match timeout(settings.limits.head, stream.peek(&mut first)).await {
        Ok(Ok(1)) if first[0] == TLS_HANDSHAKE => {}
        Ok(Ok(1)) => {
            refused("plain-http");
            // Who is not there to read it has lost nothing.
            let _ = timeout(FAREWELL, refuse(&mut stream)).await;
            return;
        }
        _ => return refused("silent"),
    }
    match timeout(settings.limits.head, tls.accept(stream)).await {
        Ok(Ok(stream)) => talk(stream, client, settings, watcher, connection).await,
        Ok(Err(error)) => {
            refused("tls");
            log::debug!("TLS with {client}: {error}");
        }
        Err(_) => refused("silent"),
    }
}

/// Says that this is no way to talk to us, and takes what is still sent, so that it can be read.
async fn refuse(stream: &mut TcpStream) -> std::io::Result<()> {
    stream.write_all(PLAIN_REFUSED.as_bytes()).await?;
    stream.shutdown().await?;
    tokio::io::copy(stream, &mut tokio::io::sink()).await?;
    Ok(())
}

/// Speaks HTTP until the connection ends.
async fn talk<S>(
    stream: S,
    client: SocketAddr,
    settings: &Settings,
    watcher: Watcher,
    connection: Arc<Connection>,
) where
    S: AsyncRead + AsyncWrite + Send + 'static,
{
    let mut stream = TimeoutStream::new(stream);
    // Who reads nothing of an answer does not keep it for ever.
    stream.set_write_timeout(Some(settings.limits.write));
    let service = service_fn(|mut request: Request<Incoming>| {
        request.extensions_mut().insert(Client(client));
        let busy = connection.begin();
        let answer = settings.router.clone().call(request);
        async {
            answer
                .await
                .map(|response| response.map(|body| Guarded::new(body, busy)))
        }
    });
    let http = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(settings.limits.head)
        .max_buf_size(MAX_HEAD)
        .max_headers(MAX_FIELDS)
        .serve_connection(TokioIo::new(Box::pin(stream)), service);
    if let Err(error) = watcher.watch(http).await {
        log::debug!("HTTP connection: {error}");
    }
}
