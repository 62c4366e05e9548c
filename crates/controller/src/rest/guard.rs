//! Who may ask: names of the host, pages of others, and the token.

mod attempts;

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, HOST, HeaderName, ORIGIN, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::Response;
use protocol::token::Token;
use thiserror::Error;

use super::errors::RestError;
use attempts::Attempts;

/// The browser page, which holds no secret and changes nothing: a browser cannot send a token for
/// it. What it then asks for has the token.
fn is_open(path: &str) -> bool {
    matches!(path, "/" | "/panel") || path.starts_with("/panel/")
}

/// Longest name of a host that is quoted, in characters.
const QUOTED: usize = 64;

/// Why a request is not listened to.
#[derive(Debug, Clone, Error)]
pub(crate) enum Denied {
    /// The name in `Host` is none of ours.
    #[error(
        "this controller is not '{0}': it listens on loopback only, as localhost or {1} (a page in \
         a browser that got here by another name is refused)"
    )]
    Host(String, IpAddr),
    /// A page of somebody else asks.
    #[error("a page of '{0}' may not ask this controller")]
    Origin(String),
    /// There is no token in the request.
    #[error(
        "this controller wants a token: send the header 'Authorization: Bearer TOKEN' \
         (spp --token-file FILE)"
    )]
    NoToken,
    /// The token is another.
    #[error("the token is wrong: it is not the one in the controller's --token-file")]
    WrongToken,
    /// The address sent too many wrong tokens.
    #[error("too many wrong tokens came from this address: try again in {0} s")]
    TooMany(u64),
}

impl Denied {
    /// Status and a header that goes with it.
    pub fn status(&self) -> (StatusCode, Option<(HeaderName, HeaderValue)>) {
        match self {
            Self::Host(..) | Self::Origin(_) => (StatusCode::FORBIDDEN, None),
            Self::NoToken | Self::WrongToken => {
                // A primary that looks for its controller knows this name, too.
                let realm = HeaderValue::from_static("Bearer realm=\"spp-ctl\"");
                (StatusCode::UNAUTHORIZED, Some((WWW_AUTHENTICATE, realm)))
            }
            Self::TooMany(seconds) => (
                StatusCode::TOO_MANY_REQUESTS,
                Some((RETRY_AFTER, (*seconds).into())),
            ),
        }
    }
}

/// The address of the client, as serving knows it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Client(pub SocketAddr);

/// What is asked of every request.
pub(crate) struct Guard {
    /// The address that we listen on.
    bound: IpAddr,
    token: Option<Token>,
    attempts: Attempts,
}

impl Guard {
    /// For a controller that listens on `bound`.
    pub fn new(bound: IpAddr, token: Option<Token>) -> Self {
        Self {
            bound,
            token,
            attempts: Attempts::default(),
        }
    }

    fn check(&self, request: &Request) -> Result<(), Denied> {
        let headers = request.headers();
        self.check_host(headers)?;
        check_origin(headers)?;
        if is_open(request.uri().path()) {
            return Ok(());
        }
        let client = request.extensions().get::<Client>();
        let client = client.map_or(Ipv6Addr::UNSPECIFIED.into(), |client| client.0.ip());
        self.check_token(headers, client)
    }

    /// A page of anywhere whose name is made to point to loopback would else be of our origin.
    fn check_host(&self, headers: &HeaderMap) -> Result<(), Denied> {
        if !self.bound.is_loopback() {
            return Ok(());
        }
        for value in headers.get_all(HOST) {
            let text = String::from_utf8_lossy(value.as_bytes());
            if !self.is_ours(&text) {
                let shown = text.chars().take(QUOTED).collect();
                return Err(Denied::Host(shown, self.bound));
            }
        }
        Ok(())
    }

    fn is_ours(&self, host: &str) -> bool {
        let name = match host.strip_prefix('[') {
            Some(rest) => rest.split(']').next(),
            None => host.split(':').next(),
        };
        let name = name.unwrap_or_default();
        let ours = |address: IpAddr| address.is_loopback() || address == self.bound;
        name.eq_ignore_ascii_case("localhost") || name.parse().is_ok_and(ours)
    }

    fn check_token(&self, headers: &HeaderMap, client: IpAddr) -> Result<(), Denied> {
        let Some(token) = &self.token else {
            return Ok(());
        };
        let given = headers.get(AUTHORIZATION).ok_or(Denied::NoToken)?;
        let given = given.as_bytes();
        let secret = match given.split_at_checked(7) {
            Some((scheme, secret)) if scheme.eq_ignore_ascii_case(b"bearer ") => secret,
            _ => return Err(Denied::NoToken),
        };
        // First: who guesses from behind an operator's address must not shut the operator out.
        if token.is(secret.trim_ascii()) {
            return Ok(());
        }
        if let Some(seconds) = self.attempts.blocked(client) {
            return Err(Denied::TooMany(seconds));
        }
        if self.attempts.failed(client) {
            log::warn!("too many wrong tokens from {client}: somebody may be guessing");
        }
        Err(Denied::WrongToken)
    }
}

/// Browsers say which page asks, whenever it is not an ordinary reading of its own.
fn check_origin(headers: &HeaderMap) -> Result<(), Denied> {
    let Some(origin) = headers.get(ORIGIN) else {
        return Ok(());
    };
    let text = String::from_utf8_lossy(origin.as_bytes());
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    let authority = text.split_once("://").map(|(_, authority)| authority);
    match (authority, host) {
        (Some(authority), Some(host)) if authority.eq_ignore_ascii_case(host) => Ok(()),
        _ => Err(Denied::Origin(text.chars().take(QUOTED).collect())),
    }
}

/// Lets a request pass, or not.
pub(crate) async fn guard(
    State(guard): State<Arc<Guard>>,
    request: Request,
    next: Next,
) -> Result<Response, RestError> {
    guard.check(&request)?;
    Ok(next.run(request).await)
}
