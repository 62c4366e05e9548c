use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use super::*;
use crate::config::Limits;
use crate::peer::Link;
use protocol::reply::ProcessKind;

async fn peer(id: u32) -> Arc<Peer> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let stream = TcpStream::connect(address).await.unwrap();
    Peer::new(
        ProcessKind::Nfv,
        id,
        None,
        Link::new(stream),
        Limits::default(),
    )
    .0
}

fn look(status: &Value) -> Option<Look> {
    Some(Look::of_status(status))
}

/// What the reader is told next, in words.
async fn told(reader: &mut Reader) -> String {
    match timeout(std::time::Duration::from_secs(20), reader.next()).await {
        Ok(Some(Item::Hello(hello))) => format!("hello {}", hello.snapshot),
        Ok(Some(Item::Event(entry))) => format!("{} {}", entry.seq, entry.name),
        Ok(Some(Item::Resync(_, resync))) => format!("resync: {}", resync.reason),
        Ok(None) => "the end".to_owned(),
        Err(_) => "nothing".to_owned(),
    }
}

/// `count` events.
fn make(events: &Events, peer: &Peer, count: usize) {
    for number in 0..count {
        let status = if number % 2 == 0 { "running" } else { "idling" };
        events.looked(peer, look(&json!({"status": status})));
    }
}

#[tokio::test]
async fn events_come_in_order_and_without_gaps() {
    let events = Arc::new(Events::default());
    let mut reader = events.read(None).unwrap();
    let nfv = peer(1).await;
    events.joined(&nfv);
    events.looked(
        &nfv,
        look(&json!({"status": "running", "ports": ["ring:0"]})),
    );
    events.looked(&nfv, None);
    events.looked(&nfv, None);
    events.looked(
        &nfv,
        look(&json!({"status": "running", "ports": ["ring:0"]})),
    );
    events.left(&nfv, "closed its connection", false);
    // What is answered after the end is of no process any more.
    events.looked(&nfv, look(&json!({"ports": ["ring:1"]})));
    events.left(&nfv, "again", false);
    for expected in [
        "hello 0",
        "1 process-joined",
        "2 port-added",
        "3 forward-started",
        "4 process-silent",
        "5 process-back",
        "6 process-left",
    ] {
        assert_eq!(told(&mut reader).await, expected);
    }
    events.close();
    assert_eq!(told(&mut reader).await, "the end");
    assert_eq!(events.figures(), (6, 0, 1));
}

#[tokio::test]
async fn a_reader_goes_on_where_it_was() {
    let events = Arc::new(Events::default());
    let nfv = peer(1).await;
    events.joined(&nfv);
    make(&events, &nfv, 3);
    let mut reader = events.read(Some(&events.id(2))).unwrap();
    assert_eq!(told(&mut reader).await, "hello 2");
    assert_eq!(told(&mut reader).await, "3 forward-stopped");
    assert_eq!(told(&mut reader).await, "4 forward-started");
    let mut reader = events.read(Some(&events.id(4))).unwrap();
    assert_eq!(told(&mut reader).await, "hello 4");
    make(&events, &nfv, 2);
    assert_eq!(told(&mut reader).await, "5 forward-stopped");
}

#[tokio::test]
async fn what_was_missed_is_said() {
    let events = Arc::new(Events::default());
    let nfv = peer(1).await;
    events.joined(&nfv);
    make(&events, &nfv, BACKLOG);
    let last = BACKLOG as u64 + 1;
    let anew = "the controller was started anew";
    for (id, reason) in [
        (events.id(0), "1 events were missed"),
        (events.id(last + 1), anew),
        ("0000000000000000-1".to_owned(), anew),
        ("nonsense".to_owned(), "the id in Last-Event-ID is none"),
    ] {
        let mut reader = events.read(Some(&id)).unwrap();
        assert_eq!(told(&mut reader).await, format!("hello {last}"), "{id}");
        let resync = told(&mut reader).await;
        assert!(resync.starts_with(&format!("resync: {reason}")), "{resync}");
    }
    // It is not cut off: what follows is whole again.
    let mut reader = events.read(Some("nonsense")).unwrap();
    make(&events, &nfv, 1);
    for expected in ["hello ", "resync", &format!("{} forward-", last + 1)] {
        let told = told(&mut reader).await;
        assert!(told.starts_with(expected), "{told}");
    }
}

#[tokio::test]
async fn a_slow_reader_is_told_and_cut_off_and_holds_up_nobody() {
    let events = Arc::new(Events::default());
    let (mut slow, mut quick) = (events.read(None).unwrap(), events.read(None).unwrap());
    let nfv = peer(1).await;
    events.joined(&nfv);
    assert_eq!(told(&mut quick).await, "hello 0");
    for expected in 0..2 * BACKLOG {
        assert!(
            told(&mut quick)
                .await
                .starts_with(&format!("{} ", expected + 1))
        );
        let status = if expected % 2 == 0 {
            "running"
        } else {
            "idling"
        };
        events.looked(&nfv, look(&json!({"status": status})));
    }
    assert_eq!(told(&mut slow).await, "hello 0");
    let missed = format!(
        "resync: {} events were missed: this reader is too slow",
        BACKLOG + 1
    );
    assert_eq!(told(&mut slow).await, missed);
    assert_eq!(told(&mut slow).await, "the end");
    assert_eq!(
        events.figures(),
        (2 * BACKLOG as u64 + 1, BACKLOG as u64 + 1, 2)
    );
}

#[tokio::test]
async fn the_number_of_readers_has_a_bound() {
    let events = Arc::new(Events::default());
    let mut readers: Vec<_> = (0..READERS).map(|_| events.read(None).unwrap()).collect();
    assert!(events.read(None).is_none());
    readers.pop();
    assert!(events.read(None).is_some());
}
