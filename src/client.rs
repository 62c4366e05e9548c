//! The controller's REST interface, as this program uses it. Blocking; every wait has a limit.

use std::io::Read;
use std::time::Duration;

use protocol::detail::ProcessDetail;
use protocol::rest::{Problem, ProcessEntry};
use serde::de::DeserializeOwned;
use serde_json::Value;
use ureq::Agent;
use ureq::http::{Method, Request, Response};
use ureq::tls::{RootCerts, TlsConfig};

use crate::access::Access;
use crate::address::Address;
use crate::failure::Failure;

const CONNECT_LIMIT: Duration = Duration::from_secs(2);
const READ_LIMIT: Duration = Duration::from_secs(10);
/// Longest time for which events are read from one connection; then it is made anew.
const FOLLOW_LIMIT: Duration = Duration::from_secs(3600);
/// Larger than the details of a panel with thousands of patches, and than a thousand whole packets in hex.
const BODY_LIMIT: u64 = 192 << 20;
/// Larger than the largest trace.
const FILE_LIMIT: u64 = 80 << 20;
/// Media type by which the controller gives finer status codes and reasons as JSON (RFC 9457).
const PROBLEM_TYPE: &str = "application/problem+json";

/// One controller.
#[derive(Debug, Clone)]
pub struct Client {
    agent: Agent,
    address: Address,
    connect: Duration,
    read: Duration,
    access: Access,
}

impl Client {
    /// A client for the controller at `address`; connects when it is first used.
    pub fn new(address: Address) -> Self {
        Self::with_limits(address, CONNECT_LIMIT, READ_LIMIT)
    }

    /// The same with other limits for the connection and for each read.
    pub fn with_limits(address: Address, connect: Duration, read: Duration) -> Self {
        Self {
            agent: agent(connect, read, &Access::default()),
            address,
            connect,
            read,
            access: Access::default(),
        }
    }

    /// The same with a token, or over TLS.
    pub fn secured(self, access: Access) -> Self {
        Self {
            agent: agent(self.connect, self.read, &access),
            access,
            ..self
        }
    }

    /// The same access to another controller.
    pub fn at(&self, address: Address) -> Self {
        Self {
            address,
            ..self.clone()
        }
    }

    /// The same access with other limits for the connection and for each read.
    pub fn with_other_limits(&self, connect: Duration, read: Duration) -> Self {
        Self::with_limits(self.address.clone(), connect, read).secured(self.access.clone())
    }

    /// Address of the controller.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Where its resources are: `http://127.0.0.1:7777`.
    pub fn origin(&self) -> String {
        let scheme = match self.access.roots {
            Some(_) => "https",
            None => "http",
        };
        format!("{scheme}://{}", self.address)
    }

    /// Reads a resource. `path` begins with `/v1/`.
    pub fn get(&self, path: &str) -> Result<Value, Failure> {
        self.call(Method::GET, path, None)
    }

    /// Changes a resource.
    pub fn put(&self, path: &str, body: &Value) -> Result<(), Failure> {
        self.call(Method::PUT, path, Some(body)).map(drop)
    }

    /// Changes a resource that answers with what was done.
    pub fn put_for<T: DeserializeOwned>(&self, path: &str, body: &Value) -> Result<T, Failure> {
        let answer = self.call(Method::PUT, path, Some(body))?;
        serde_json::from_value(answer).map_err(|error| {
            Failure::refused(format!(
                "the controller's answer to PUT {path} has another form: {error}"
            ))
        })
    }

    /// Makes a resource; gives what the controller answers.
    pub fn post(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        self.call(Method::POST, path, Some(body))
    }

    /// Makes something that is a file of this media type, and gives its bytes.
    pub fn post_for_file(&self, path: &str, body: &Value, kind: &str) -> Result<Vec<u8>, Failure> {
        let request = self.request(Method::POST, path);
        let request = request
            .header("Accept", format!("{kind}, {PROBLEM_TYPE}"))
            .header("Content-Type", "application/json")
            .body(body.to_string());
        let response = request.map_err(ureq::Error::from);
        let response = response.and_then(|request| self.agent.run(request));
        let mut response = response.map_err(|error| self.unreachable(&error))?;
        let limited = response.body_mut().with_config().limit(FILE_LIMIT);
        let bytes = limited.read_to_vec();
        let bytes = bytes.map_err(|error| self.unreachable(&error))?;
        match response.status().is_success() {
            true => Ok(bytes),
            false => Err(Failure::Refused {
                text: reason(response.status().as_u16(), &bytes),
                status: Some(response.status().as_u16()),
            }),
        }
    }

    /// Deletes a resource.
    pub fn delete(&self, path: &str) -> Result<(), Failure> {
        self.delete_for(path).map(drop)
    }

    /// Deletes a resource; gives what the controller answers.
    pub fn delete_for(&self, path: &str) -> Result<Value, Failure> {
        self.call(Method::DELETE, path, None)
    }

    /// Reads a resource of a known form.
    pub fn read<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        serde_json::from_value(self.get(path)?).map_err(|error| {
            Failure::refused(format!(
                "the controller's answer to GET {path} has another form: {error}"
            ))
        })
    }

    /// The processes that are registered.
    pub fn processes(&self) -> Result<Vec<ProcessEntry>, Failure> {
        self.read("/v1/processes")
    }

    /// What all processes say of themselves.
    pub fn details(&self) -> Result<Vec<ProcessDetail>, Failure> {
        self.read("/v1/details")
    }

    /// What one process says of itself; 0 is the primary. `None` if the controller is not one of
    /// ours, which has no such resource.
    pub fn detail(&self, id: u32) -> Result<Option<ProcessDetail>, Failure> {
        match self.read(&format!("/v1/details/{id}")) {
            Ok(detail) => Ok(Some(detail)),
            Err(failure) if failure.status() == Some(404) => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, Failure> {
        let request = self.request(method, path).header("Accept", PROBLEM_TYPE);
        let response = match body {
            Some(body) => request
                .header("Content-Type", "application/json")
                .body(body.to_string())
                .map_err(ureq::Error::from)
                .and_then(|request| self.agent.run(request)),
            None => request
                .body(())
                .map_err(ureq::Error::from)
                .and_then(|request| self.agent.run(request)),
        };
        let mut response = response.map_err(|error| self.unreachable(&error))?;
        let text = response
            .body_mut()
            .with_config()
            .limit(BODY_LIMIT)
            .read_to_vec()
            .map_err(|error| self.unreachable(&error))?;
        answer(&response, path, &text)
    }

    /// Reads a resource that has no end, such as events; what `follow` gives blocks as long as
    /// nothing comes. `after` is the id of the last event that was seen.
    pub fn follow(&self, path: &str, after: Option<&str>) -> Result<impl Read + use<>, Failure> {
        let mut request = self
            .request(Method::GET, path)
            .header("Accept", "text/event-stream, application/problem+json");
        if let Some(id) = after {
            request = request.header("Last-Event-ID", id);
        }
        let response = request.body(()).map_err(ureq::Error::from);
        let response = response.and_then(|request| {
            let request = self.agent.configure_request(request);
            let request = request
                .timeout_global(None)
                .timeout_recv_body(Some(FOLLOW_LIMIT));
            self.agent.run(request.build())
        });
        let mut response = response.map_err(|error| self.unreachable(&error))?;
        if response.status().is_success() {
            return Ok(response.into_body().into_reader());
        }
        let text = response
            .body_mut()
            .with_config()
            .limit(BODY_LIMIT)
            .read_to_vec();
        let text = text.map_err(|error| self.unreachable(&error))?;
        match answer(&response, path, &text) {
            Err(failure) => Err(failure),
            Ok(_) => Err(Failure::refused("the controller answered with no events")),
        }
    }

    fn request(&self, method: Method, path: &str) -> ureq::http::request::Builder {
        let uri = format!("{}{path}", self.origin());
        let request = Request::builder().method(method).uri(&uri);
        match &self.access.token {
            Some(token) => request.header("Authorization", token.bearer()),
            None => request,
        }
    }

    fn unreachable(&self, error: &ureq::Error) -> Failure {
        let reason = match error {
            ureq::Error::Timeout(ureq::Timeout::RecvResponse | ureq::Timeout::RecvBody) => {
                format!("it did not answer within {} s", self.read.as_secs_f64())
            }
            ureq::Error::Io(error) => error.to_string(),
            other => other.to_string(),
        };
        Failure::Unreachable(format!(
            "Is not spp-ctl running on {}, nor correct IP address? ({reason}; name another with -b ADDR:PORT)",
            self.address
        ))
    }
}

fn agent(connect: Duration, read: Duration, access: &Access) -> Agent {
    let config = Agent::config_builder()
        .http_status_as_error(false)
        .timeout_connect(Some(connect))
        .timeout_recv_response(Some(read))
        .timeout_recv_body(Some(read))
        // Names that do not resolve and requests that are not taken end, too.
        .timeout_global(Some(connect + read * 2))
        // A controller is near; a proxy of the environment would be asked in vain.
        .proxy(None)
        .max_redirects(0)
        // A connection kept from before a restart of the controller would fail the next command.
        .max_idle_connections(0)
        .user_agent(concat!("spp/", env!("CARGO_PKG_VERSION")));
    let config = match &access.roots {
        Some(roots) => {
            let roots = RootCerts::new_with_certs(roots);
            config.tls_config(TlsConfig::builder().root_certs(roots).build())
        }
        None => config,
    };
    config.build().into()
}

/// What an answer means: a value (null for none), or the reason of a failure.
fn answer<B>(response: &Response<B>, path: &str, body: &[u8]) -> Result<Value, Failure> {
    let status = response.status();
    if !status.is_success() {
        return Err(Failure::Refused {
            text: reason(status.as_u16(), body),
            status: Some(status.as_u16()),
        });
    }
    if body.is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_slice(body).map_err(|error| Failure::Refused {
        text: format!("the controller's answer for {path} is not JSON: {error}"),
        status: Some(status.as_u16()),
    })
}

/// The reason in a refusal: member `detail` of a problem document, else the text itself.
fn reason(status: u16, body: &[u8]) -> String {
    if let Ok(problem) = serde_json::from_slice::<Problem>(body) {
        return problem.detail;
    }
    let text = String::from_utf8_lossy(body);
    let text = text.trim();
    if text.is_empty() || text.starts_with('<') || text.len() > 4096 {
        return format!("the controller answered with status {status} and gave no reason");
    }
    text.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_is_the_detail_of_a_problem_or_the_plain_text() {
        let problem =
            br#"{"type":"about:blank","title":"Conflict","status":409,"detail":"no ring:9"}"#;
        assert_eq!(reason(409, problem), "no ring:9");
        assert_eq!(reason(404, b"primary not found.\n"), "primary not found.");
        assert!(reason(500, b"").contains("status 500"));
        assert!(reason(500, b"<html>").contains("status 500"));
    }
}
