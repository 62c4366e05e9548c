//! Where the controller listens: `ADDR[:PORT]`.

use std::fmt;
use std::str::FromStr;

/// Port of the controller's REST interface if none is given.
pub const DEFAULT_PORT: u16 = 7777;

/// Host and port of a controller. Shown as `host:port`, an IPv6 address in brackets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// Name, IPv4 address or IPv6 address in brackets, as it stands in a URL.
    pub host: String,
    /// TCP port.
    pub port: u16,
}

impl Default for Address {
    /// Where a controller listens if nobody said otherwise.
    fn default() -> Self {
        Self {
            host: "127.0.0.1".to_owned(),
            port: DEFAULT_PORT,
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:{}", self.host, self.port)
    }
}

impl FromStr for Address {
    type Err = String;

    /// Reads `host`, `host:port`, `::1`, `[::1]` or `[::1]:port`.
    fn from_str(text: &str) -> Result<Self, String> {
        let bad_address = || {
            format!(
                "Error: Invalid address \"{text}\" (expected ADDR or ADDR:PORT, such as 127.0.0.1:7777)"
            )
        };
        let (host, port) = if let Some(rest) = text.strip_prefix('[') {
            let (host, rest) = rest.split_once(']').ok_or_else(bad_address)?;
            let port = match rest.strip_prefix(':') {
                Some(port) => Some(port),
                None if rest.is_empty() => None,
                None => return Err(bad_address()),
            };
            (host, port)
        } else if text.matches(':').count() > 1 {
            (text, None)
        } else {
            match text.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (text, None),
            }
        };
        let port = match port {
            None => DEFAULT_PORT,
            Some(port) => port.parse().ok().filter(|port| *port != 0).ok_or_else(|| {
                format!("Error: Invalid port in \"{text}\" (expected 1 to 65535)")
            })?,
        };
        let host = if host.contains(':') || text.starts_with('[') {
            let address = host
                .parse::<std::net::Ipv6Addr>()
                .map_err(|_| bad_address())?;
            format!("[{address}]")
        } else if is_host(host) {
            host.to_owned()
        } else {
            return Err(bad_address());
        };
        Ok(Self { host, port })
    }
}

/// An IPv4 address in full, or a host name. Digits and dots alone must be an address.
fn is_host(host: &str) -> bool {
    if host
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b'.')
    {
        return host.parse::<std::net::Ipv4Addr>().is_ok();
    }
    host.len() <= 253
        && host
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_every_form() {
        for (text, shown) in [
            ("127.0.0.1", "127.0.0.1:7777"),
            ("10.0.0.2:8080", "10.0.0.2:8080"),
            ("localhost:1", "localhost:1"),
            ("::1", "[::1]:7777"),
            ("[::1]:9", "[::1]:9"),
            ("[fe80::1]", "[fe80::1]:7777"),
        ] {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), shown);
        }
    }

    #[test]
    fn refuses_the_rest_in_the_words_of_the_original() {
        for text in ["127.0.0.1:", "127.0.0.1:0", "127.0.0.1:65536", "h:x"] {
            let error = text.parse::<Address>().unwrap_err();
            assert!(
                error.starts_with(&format!("Error: Invalid port in \"{text}\"")),
                "{error}"
            );
        }
        for text in [
            "",
            ":7777",
            "1.2.3",
            "256.1.1.1",
            "a b",
            "http://x",
            "[::1",
            "[x]:1",
            "[::1]7",
        ] {
            let error = text.parse::<Address>().unwrap_err();
            assert!(error.starts_with("Error: Invalid"), "{error}");
        }
    }
}
