//! What a request says: bodies and elements of the path.

use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use axum::http::request::Parts;
use http_body_util::BodyExt;
use protocol::{PortName, json};
use serde::de::DeserializeOwned;
use serde_json::error::Category;
use serde_json::{Map, Value};
use tokio::time::timeout;

use super::Shared;
use super::errors::RestError;

/// Largest body, in bytes.
pub(crate) const MAX_BODY: usize = 102_400;

/// Bytes of a body that are read at most, to throw them away. Closing with unread bytes would
/// reset the connection, and the client would never see why it was refused.
const MAX_DISCARDED: usize = 64 << 20;

/// The body, or why there is none. Read before anything else, looked at when it is its turn.
pub(crate) struct Body(Result<Vec<u8>, RestError>);

impl FromRequest<Shared> for Body {
    type Rejection = RestError;

    async fn from_request(request: Request, shared: &Shared) -> Result<Self, RestError> {
        let read = timeout(shared.limits.body, read(request)).await;
        Ok(Self(read.unwrap_or(Err(RestError::SlowBody))))
    }
}

async fn read(request: Request) -> Result<Vec<u8>, RestError> {
    let mut body = request.into_body();
    let mut bytes = Vec::new();
    let mut size = 0;
    while let Some(frame) = body.frame().await {
        // The client went away in the middle; it reads no answer either.
        let frame = frame.map_err(|_| RestError::NotJson)?;
        let Some(data) = frame.data_ref() else {
            continue;
        };
        size += data.len();
        if size <= MAX_BODY {
            bytes.extend_from_slice(data);
        } else if size > MAX_DISCARDED {
            break;
        }
    }
    if size > MAX_BODY {
        Err(RestError::TooLarge(MAX_BODY))
    } else {
        Ok(bytes)
    }
}

impl Body {
    /// The body as a document of a known form.
    pub fn document<T: DeserializeOwned>(self) -> Result<T, RestError> {
        serde_json::from_slice(&self.0?).map_err(|error| match error.classify() {
            Category::Data => RestError::Document(error.to_string()),
            Category::Io | Category::Syntax | Category::Eof => RestError::NotJson,
        })
    }

    /// The body as JSON. Whatever is no object has no members.
    pub fn fields(self) -> Result<Fields, RestError> {
        let value = serde_json::from_slice(&self.0?).map_err(|_| RestError::NotJson)?;
        match value {
            Value::Object(members) => Ok(Fields(members)),
            _ => Ok(Fields(Map::new())),
        }
    }
}

/// Members of a JSON object.
pub(crate) struct Fields(Map<String, Value>);

impl Fields {
    /// Those of `value`, if it is an object.
    pub fn of(key: &'static str, value: &Value) -> Result<Self, RestError> {
        match value {
            Value::Object(members) => Ok(Self(members.clone())),
            other => Err(invalid(key, other, "It has to be an object.")),
        }
    }

    /// Checks that all of `keys` are there, in their order.
    pub fn require(&self, keys: &[&'static str]) -> Result<(), RestError> {
        match keys.iter().find(|key| !self.0.contains_key(**key)) {
            Some(key) => Err(RestError::Missing(key)),
            None => Ok(()),
        }
    }

    /// A member that has to be there.
    pub fn get(&self, key: &'static str) -> Result<&Value, RestError> {
        self.0.get(key).ok_or(RestError::Missing(key))
    }

    /// A member that may be absent. `null` is a value.
    pub fn optional(&self, key: &str) -> Option<&Value> {
        self.0.get(key)
    }

    /// A string.
    pub fn text(&self, key: &'static str) -> Result<&str, RestError> {
        let value = self.get(key)?;
        value
            .as_str()
            .ok_or_else(|| invalid(key, value, "It has to be a string."))
    }

    /// A whole number; `None` if it is negative, or beyond 64 bits.
    pub fn whole(&self, key: &'static str) -> Result<Option<u64>, RestError> {
        match self.get(key)? {
            Value::Number(number) if number.is_u64() || number.is_i64() => Ok(number.as_u64()),
            other => Err(invalid(key, other, "It has to be a whole number.")),
        }
    }

    /// One of `words`.
    pub fn choice<'a>(&self, key: &'static str, words: &[&'a str]) -> Result<&'a str, RestError> {
        let value = self.get(key)?;
        let found = words.iter().find(|word| value.as_str() == Some(**word));
        let reason = || format!("It has to be one of: {}.", words.join(", "));
        found.copied().ok_or_else(|| invalid(key, value, reason()))
    }

    /// A port.
    pub fn port(&self, key: &'static str) -> Result<PortName, RestError> {
        let text = self.text(key)?;
        text.parse()
            .map_err(|error| RestError::invalid(key, text, error))
    }

    /// An array of strings.
    pub fn texts(&self, key: &'static str) -> Result<Vec<&str>, RestError> {
        let value = self.get(key)?;
        let texts: Option<Vec<&str>> = value
            .as_array()
            .and_then(|texts| texts.iter().map(Value::as_str).collect());
        texts.ok_or_else(|| invalid(key, value, "It has to be an array of strings."))
    }
}

/// A value that cannot be taken, with the reason.
pub(crate) fn invalid(key: &'static str, value: &Value, reason: impl ToString) -> RestError {
    match value {
        Value::String(text) => RestError::invalid(key, text, reason),
        other => RestError::invalid(key, &json::spaced(other), reason),
    }
}

/// Elements of the path, in their order, decoded.
pub(crate) struct Params(Vec<String>);

impl FromRequestParts<Shared> for Params {
    type Rejection = RestError;

    async fn from_request_parts(parts: &mut Parts, shared: &Shared) -> Result<Self, RestError> {
        let path = Path::<Vec<String>>::from_request_parts(parts, shared).await;
        path.map(|Path(elements)| Self(elements))
            .map_err(|_| RestError::NotFound)
    }
}

impl Params {
    /// The element at `at`.
    pub fn text(&self, at: usize) -> &str {
        self.0.get(at).map_or("", String::as_str)
    }

    /// The element at `at` as a port.
    pub fn port(&self, at: usize) -> Result<PortName, RestError> {
        let text = self.text(at);
        text.parse()
            .map_err(|error| RestError::invalid("src", text, error))
    }
}

/// A whole number of the path, as text without leading zeros; other text is an unknown path.
pub(crate) fn path_number(text: &str) -> Result<String, RestError> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", text),
    };
    if digits.is_empty() || digits.len() > 20 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(RestError::NotFound);
    }
    let digits = digits.trim_start_matches('0');
    Ok(if digits.is_empty() {
        "0".to_owned()
    } else {
        format!("{sign}{digits}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_digits_are_a_number_of_the_path() {
        assert_eq!(path_number("007").ok().as_deref(), Some("7"));
        assert_eq!(path_number("-0").ok().as_deref(), Some("0"));
        assert_eq!(path_number("-1").ok().as_deref(), Some("-1"));
        for text in [
            "",
            "-",
            "+1",
            "1 ",
            "٣",
            "x",
            "--1",
            "123456789012345678901",
        ] {
            assert!(path_number(text).is_err(), "{text}");
        }
    }
}
