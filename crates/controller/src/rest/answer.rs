//! Successful answers.

use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use protocol::json;
use serde::Serialize;

use super::errors::RestError;

/// 200 with JSON as the original writes it.
pub(crate) struct Json(String);

impl Json {
    /// Writes `value`.
    pub fn of<T: Serialize + ?Sized>(value: &T) -> Self {
        Self(json::spaced(value))
    }
}

impl IntoResponse for Json {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::from(self.0));
        let kind = HeaderValue::from_static("application/json");
        response.headers_mut().insert(CONTENT_TYPE, kind);
        response
    }
}

/// 204: it took effect.
pub(crate) struct Done;

impl IntoResponse for Done {
    fn into_response(self) -> Response {
        StatusCode::NO_CONTENT.into_response()
    }
}

/// What a handler gives.
pub(crate) type Answer<T> = Result<T, RestError>;
