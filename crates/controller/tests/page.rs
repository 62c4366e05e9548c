//! The files of the page, as a browser gets them.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // In helpers of tests, too.

mod support;

use support::*;

#[tokio::test]
async fn the_page_is_served_with_all_it_names_and_loads_nothing_else() {
    let ctl = Ctl::start(|_| {}).await;
    for path in ["/", "/panel"] {
        let response = ctl.get(path).await;
        assert_eq!(response.status, 303, "{path}");
        assert!(response.head.contains("\r\nlocation: /panel/\r\n"));
    }
    let index = ctl.get("/panel/").await;
    assert_eq!(index.status, 200);
    let policy = "\r\ncontent-security-policy: default-src 'none'; script-src 'self'; ";
    assert!(index.head.contains(policy), "{}", index.head);
    assert!(
        index
            .head
            .contains("\r\nx-content-type-options: nosniff\r\n")
    );

    // Everything that a file names is there; nothing names another server.
    let mut wanted = vec!["panel.css".to_owned(), "icon.svg".into(), "main.js".into()];
    let mut seen = 0;
    while let Some(name) = wanted.get(seen).cloned() {
        seen += 1;
        let file = ctl.get(&format!("/panel/{name}")).await;
        assert_eq!(file.status, 200, "{name}");
        let kind = match name.rsplit('.').next() {
            Some("js") => "text/javascript; charset=utf-8",
            Some("css") => "text/css; charset=utf-8",
            _ => "image/svg+xml",
        };
        let line = format!("\r\ncontent-type: {kind}\r\n");
        assert!(file.head.contains(&line), "{name}: {}", file.head);
        for part in file.body.split("from \"./").skip(1) {
            let import = part.split('"').next().unwrap().to_owned();
            if !wanted.contains(&import) {
                wanted.push(import);
            }
        }
        let names = ["http://www.w3.org/"];
        let left = file.body.replace(names[0], "");
        assert!(
            !left.contains("http://") && !left.contains("https://"),
            "{name}"
        );
        // The ways to turn a text into markup or code.
        for way in [
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
        ] {
            assert!(!file.body.contains(way), "{name}: {way}");
        }
    }
    assert!(wanted.len() > 9, "{wanted:?}");
    assert_eq!(ctl.get("/panel/nope.js").await.status, 404);
    assert_eq!(ctl.get("/panel/..%2fmain.js").await.status, 404);
    ctl.expect("PUT", "/panel/", "", 405, "Method not allowed.")
        .await;
}

#[tokio::test]
async fn pages_of_other_servers_are_refused() {
    let ctl = Ctl::start(|_| {}).await;
    let path = "/v1/processes";
    for (origin, status) in [
        ("http://localhost", 200),
        ("https://localhost", 200),
        ("http://elsewhere", 403),
        ("http://localhost.elsewhere", 403),
        ("null", 403),
    ] {
        let headers = format!("Origin: {origin}\r\n");
        let response = ctl.request_with("GET", path, b"", &headers).await;
        assert_eq!(response.status, status, "{origin}: {}", response.body);
    }
}
