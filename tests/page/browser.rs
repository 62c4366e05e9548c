//! A real Chromium without a window, told what to do over its debugging pipe: JSON documents with
//! a NUL after each, on its descriptors 3 and 4. No port, no library of bindings: what the tests
//! need of that protocol is a dozen methods.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use testbed::{Panel, wait_until};

/// For the browser to start, to end, or to show what is waited for.
const LONG: Duration = Duration::from_secs(30);

/// One page in a browser of its own. Ended on drop.
pub struct Browser {
    child: Child,
    to: Option<ChildStdin>,
    from: Receiver<Value>,
    calls: u64,
    session: Option<String>,
    /// Everything that happened, in the protocol's form.
    events: Vec<Value>,
}

impl Browser {
    /// Starts it with its files in the panel's folder; the panel's end checks that it has ended.
    pub fn start(panel: &Panel) -> Self {
        let folder = panel.dir().join("browser");
        let log = File::create(panel.dir().join("browser.log")).expect("a log file");
        let mut command = panel.command(Command::new("sh"));
        // Debian's `chromium` is a script, which hands descriptors on.
        command
            .args(["-c", "exec chromium \"$@\" 3<&0 4>&1 </dev/null >/dev/null"])
            .args(["sh", "--headless=new", "--remote-debugging-pipe"])
            // As root there is no sandbox; in containers /dev/shm is small.
            .args(["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"])
            .args(["--no-first-run", "--disable-background-networking"])
            .args(["--disable-component-update", "--disable-extensions"])
            .args(["--disable-sync", "--disable-default-apps", "--mute-audio"])
            // No name is looked up.
            .args(["--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"])
            .arg(format!("--user-data-dir={}", folder.display()))
            .args(["--window-size=1280,800", "about:blank"])
            .env("HOME", panel.dir())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log);
        let mut child = command.spawn().expect("sh starts");
        let to = child.stdin.take();
        let output = child.stdout.take().expect("piped");
        let (sender, from) = channel();
        // Ends with the pipe.
        std::thread::spawn(move || {
            for document in BufReader::new(output).split(0).map_while(Result::ok) {
                let document = serde_json::from_slice(&document).expect("JSON from the browser");
                if sender.send(document).is_err() {
                    return;
                }
            }
        });
        let mut browser = Self {
            child,
            to,
            from,
            calls: 0,
            session: None,
            events: Vec::new(),
        };
        let target = browser.call("Target.createTarget", json!({"url": "about:blank"}));
        let attach = json!({"targetId": target["targetId"], "flatten": true});
        let session = browser.call("Target.attachToTarget", attach);
        browser.session = session["sessionId"].as_str().map(str::to_owned);
        for domain in ["Page", "Runtime", "Log", "Network"] {
            browser.call(&format!("{domain}.enable"), json!({}));
        }
        browser
    }

    /// Calls a method of the protocol and gives its result.
    #[track_caller]
    pub fn call(&mut self, method: &str, params: Value) -> Value {
        self.calls += 1;
        let mut request = json!({"id": self.calls, "method": method, "params": params});
        if let Some(session) = &self.session {
            request["sessionId"] = json!(session);
        }
        let to = self.to.as_mut().expect("the browser is not closed");
        to.write_all(format!("{request}\0").as_bytes())
            .expect("sent to the browser");
        let end = Instant::now() + LONG;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let answer = match self.from.recv_timeout(left) {
                Ok(answer) => answer,
                Err(error) => panic!("{method}: no answer of the browser: {error}"),
            };
            if answer["id"] == json!(self.calls) {
                assert!(answer["error"].is_null(), "{method}: {answer}");
                return answer["result"].clone();
            }
            self.events.push(answer);
        }
    }

    /// Opens an address.
    pub fn open(&mut self, url: &str) {
        self.call("Page.navigate", json!({"url": url}));
    }

    /// The value of a JavaScript expression.
    #[track_caller]
    pub fn value(&mut self, expression: &str) -> Value {
        let params = json!({"expression": expression, "returnByValue": true, "awaitPromise": true});
        let result = self.call("Runtime.evaluate", params);
        let thrown = &result["exceptionDetails"];
        assert!(thrown.is_null(), "{expression}: {thrown}");
        result["result"]["value"].clone()
    }

    /// Waits until an expression is true.
    #[track_caller]
    pub fn wait(&mut self, expression: &str) {
        let mut last = Value::Null;
        let found = testbed::wait::poll(LONG, || {
            // A page that is just being left has no element yet.
            last = self.value(&format!(
                "(() => {{ try {{ return {expression} }} catch (e) {{ return String(e) }} }})()"
            ));
            (last == json!(true)).then_some(())
        });
        if found.is_none() {
            let text = self.value("document.body.innerText");
            panic!("never came true: {expression} (last: {last}); the page shows: {text}");
        }
    }

    /// Where on the screen the middle of an element is, after it was scrolled there. `element` is
    /// an expression.
    #[track_caller]
    pub fn middle(&mut self, element: &str) -> (f64, f64) {
        self.wait(&format!("Boolean({element})"));
        let spot = self.value(&format!(
            "(() => {{ const e = {element}; e.scrollIntoView({{block: 'nearest'}});
               const r = e.getBoundingClientRect();
               return [r.x + r.width / 2, r.y + r.height / 2] }})()"
        ));
        let number = |at: usize| spot[at].as_f64().expect("a position");
        (number(0), number(1))
    }

    fn mouse(&mut self, kind: &str, (x, y): (f64, f64), buttons: u32) {
        let button = if kind == "mouseMoved" { "none" } else { "left" };
        let params = json!({"type": kind, "x": x, "y": y, "button": button, "buttons": buttons, "clickCount": 1});
        self.call("Input.dispatchMouseEvent", params);
    }

    /// Clicks.
    pub fn click(&mut self, at: (f64, f64)) {
        self.mouse("mouseMoved", at, 0);
        self.mouse("mousePressed", at, 1);
        self.mouse("mouseReleased", at, 0);
    }

    /// Presses the mouse button at one place, moves and releases it at another.
    pub fn drag(&mut self, from: (f64, f64), to: (f64, f64)) {
        self.mouse("mouseMoved", from, 0);
        self.mouse("mousePressed", from, 1);
        for step in 1..=5 {
            let part = f64::from(step) / 5.0;
            let at = (
                from.0 + (to.0 - from.0) * part,
                from.1 + (to.1 - from.1) * part,
            );
            self.mouse("mouseMoved", at, 1);
        }
        self.mouse("mouseReleased", to, 0);
    }

    /// Presses and releases a key.
    pub fn key(&mut self, name: &str) {
        let code = match name {
            "Tab" => 9,
            "Enter" => 13,
            "Escape" => 27,
            "ArrowLeft" => 37,
            "ArrowUp" => 38,
            "ArrowRight" => 39,
            "ArrowDown" => 40,
            "Delete" => 46,
            other => panic!("no code for the key {other}"),
        };
        let mut params = json!({"key": name, "code": name, "windowsVirtualKeyCode": code});
        params["type"] = json!("rawKeyDown");
        if name == "Enter" {
            (params["type"], params["text"]) = (json!("keyDown"), json!("\r"));
        }
        self.call("Input.dispatchKeyEvent", params.clone());
        params["type"] = json!("keyUp");
        self.call("Input.dispatchKeyEvent", params);
    }

    /// Types a text where the focus is.
    pub fn write(&mut self, text: &str) {
        self.call("Input.insertText", json!({"text": text}));
    }

    /// Writes a picture of what is shown.
    pub fn picture(&mut self, file: &Path) {
        let shot = self.call("Page.captureScreenshot", json!({"format": "png"}));
        let mut decoder = Command::new("base64")
            .arg("-d")
            .stdin(Stdio::piped())
            .stdout(File::create(file).expect("the picture's file"))
            .spawn()
            .expect("base64 starts");
        let mut input = decoder.stdin.take().expect("piped");
        let data = shot["data"].as_str().expect("a picture");
        input.write_all(data.as_bytes()).expect("decoded");
        drop(input);
        assert!(decoder.wait().expect("base64 ends").success());
    }

    /// Statuses of the answers from an address, in order.
    pub fn answers(&mut self, url: &str) -> Vec<u64> {
        self.value("0");
        let told = self.events.iter().filter(|event| {
            event["method"] == "Network.responseReceived"
                && event["params"]["response"]["url"] == url
        });
        told.filter_map(|event| event["params"]["response"]["status"].as_u64())
            .collect()
    }

    /// Requests by their address, and the complaints in the console.
    pub fn log(&mut self) -> (BTreeMap<String, usize>, Vec<String>) {
        // What was under way has been told before this is answered.
        self.value("0");
        let mut requests = BTreeMap::new();
        let mut complaints = Vec::new();
        for event in &self.events {
            let params = &event["params"];
            match event["method"].as_str() {
                Some("Network.requestWillBeSent") => {
                    let url = params["request"]["url"].as_str().unwrap_or_default();
                    *requests.entry(url.to_owned()).or_default() += 1;
                }
                Some("Log.entryAdded") => {
                    let entry = &params["entry"];
                    let text = entry["text"].as_str().unwrap_or_default();
                    let url = entry["url"].as_str().unwrap_or_default();
                    complaints.push(format!("{text}: {url}"));
                }
                Some("Runtime.exceptionThrown" | "Runtime.consoleAPICalled") => {
                    complaints.push(params.to_string());
                }
                _ => {}
            }
        }
        (requests, complaints)
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // It ends when its pipe is closed.
        self.to = None;
        let ended = testbed::wait::poll(LONG, || self.child.try_wait().ok().flatten());
        if ended.is_none() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// Waits until no process of the panel's mark that is a browser runs.
pub fn wait_ended(panel: &Panel) {
    wait_until("the browser's processes to end", LONG, || {
        testbed::proc::marked(panel.prefix()).iter().all(|pid| {
            let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
            !name.contains("chrom")
        })
    });
}
