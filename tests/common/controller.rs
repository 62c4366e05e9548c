//! A controller in this program, on ports that the kernel chose.

#![allow(dead_code)] // Each test program uses its part.

use std::net::SocketAddr;
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use controller::{Config, Controller};
use tokio::sync::oneshot;

/// For it to start on a busy machine, and for processes to answer it, which must not make a test fail.
const LIMIT: Duration = Duration::from_secs(60);

/// It ends when this is dropped.
pub struct Running {
    pub primary: SocketAddr,
    pub secondary: SocketAddr,
    pub rest: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    pub fn start() -> Self {
        let (stop, stopped) = oneshot::channel();
        let (tell, told) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime");
            runtime.block_on(async {
                let mut config = Config {
                    primary_port: 0,
                    secondary_port: 0,
                    rest_port: 0,
                    ..Config::default()
                };
                config.limits.handshake = LIMIT;
                config.limits.status = LIMIT;
                config.limits.command = LIMIT;
                let controller = Controller::start(config).await.expect("a controller");
                let addresses = [
                    controller.primary_address(),
                    controller.secondary_address(),
                    controller.rest_address(),
                ];
                tell.send(addresses).expect("told");
                let stop = async {
                    let _ = stopped.await;
                };
                controller.run(stop).await;
            });
        });
        let [primary, secondary, rest] = told.recv_timeout(LIMIT).expect("it starts");
        Self {
            primary,
            secondary,
            rest,
            stop: Some(stop),
            thread: Some(thread),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        let ended = self
            .thread
            .take()
            .is_none_or(|thread| thread.join().is_ok());
        assert!(ended || std::thread::panicking(), "the controller failed");
    }
}
