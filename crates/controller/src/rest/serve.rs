//! HTTP connections.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use crate::config::Limits;

/// Connections at the same time; further ones wait until one closes.
const AT_ONCE: usize = 512;

/// Time that running requests have to end.
const FAREWELL: Duration = Duration::from_secs(1);

/// Serves until `stop` is ready, then lets running requests end.
pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    limits: Limits,
    stop: impl Future<Output = ()>,
) {
    let graceful = GracefulShutdown::new();
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(limits.head);
    let service = TowerToHyperService::new(router);
    let slots = Arc::new(Semaphore::new(AT_ONCE));
    let accept = async {
        // The semaphore is never closed.
        while let Ok(slot) = slots.clone().acquire_owned().await {
            match listener.accept().await {
                Ok((stream, _)) => {
                    let connection = http.serve_connection(TokioIo::new(stream), service.clone());
                    let connection = graceful.watch(connection);
                    tokio::spawn(async move {
                        if let Err(error) = connection.await {
                            log::debug!("HTTP connection: {error}");
                        }
                        drop(slot);
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
