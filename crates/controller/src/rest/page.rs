//! The live panel in the browser. Its files are part of the program; nothing is loaded from
//! elsewhere, and the browser is told to see to that.

use axum::body::Body;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, LOCATION, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

use super::answer::Answer;
use super::body::Params;
use super::errors::RestError;

/// Name, type and content.
type File = (&'static str, &'static str, &'static str);

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const PICTURE: &str = "image/svg+xml";

macro_rules! file {
    ($name:literal, $kind:expr) => {
        ($name, $kind, include_str!(concat!("../../page/", $name)))
    };
}

const INDEX: File = file!("index.html", HTML);

const FILES: [File; 11] = [
    file!("api.js", SCRIPT),
    file!("boxes.js", SCRIPT),
    file!("dom.js", SCRIPT),
    file!("groups.js", SCRIPT),
    file!("hand.js", SCRIPT),
    file!("icon.svg", PICTURE),
    file!("links.js", SCRIPT),
    file!("main.js", SCRIPT),
    file!("model.js", SCRIPT),
    file!("panel.css", CSS),
    file!("units.js", SCRIPT),
];

/// What the browser may load: files of this server, and nothing that stands in the page itself.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
                      connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// `/` and `/panel`: names in the page are relative to `/panel/`.
pub(crate) async fn redirect() -> Response {
    let mut response = StatusCode::SEE_OTHER.into_response();
    let to = HeaderValue::from_static("/panel/");
    response.headers_mut().insert(LOCATION, to);
    response
}

/// `/panel/`
pub(crate) async fn index() -> Response {
    serve(&INDEX)
}

/// `/panel/{file}`
pub(crate) async fn file(params: Params) -> Answer<Response> {
    let wanted = params.text(0);
    let found = FILES.iter().find(|(name, ..)| *name == wanted);
    found.map(serve).ok_or(RestError::NotFound)
}

fn serve((_, kind, content): &File) -> Response {
    let mut response = Response::new(Body::from(*content));
    let headers = response.headers_mut();
    for (name, value) in [
        (CONTENT_TYPE, *kind),
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
        // A page of before an update would speak to the controller of after it.
        (CACHE_CONTROL, "no-cache"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}
