//! What a controller that is not open to everybody wants: a token, and TLS.

use std::path::Path;

use protocol::token::Token;
use ureq::tls::{Certificate, PemItem, parse_pem};

use crate::cli::Options;
use crate::failure::Failure;

/// Secret and certificates. Nothing of it is ever shown.
#[derive(Debug, Clone, Default)]
pub struct Access {
    /// Sent with every request.
    pub token: Option<Token>,
    /// TLS is spoken, and these are believed.
    pub roots: Option<Vec<Certificate<'static>>>,
}

impl Access {
    /// Reads the files that the options name.
    pub fn read(options: &Options) -> Result<Self, Failure> {
        let token = options.token_file.as_deref().map(Token::read).transpose();
        Ok(Self {
            token: token.map_err(|error| Failure::usage(error.to_string()))?,
            roots: options.tls_ca.as_deref().map(certificates).transpose()?,
        })
    }
}

fn certificates(path: &Path) -> Result<Vec<Certificate<'static>>, Failure> {
    let unfit = |words: String| Failure::usage(format!("--tls-ca {}: {words}", path.display()));
    let bytes = std::fs::read(path).map_err(|error| unfit(error.to_string()))?;
    let mut found = Vec::new();
    for item in parse_pem(&bytes) {
        // A file that holds the key as well is no reason to fail.
        let item = item.map_err(|error| unfit(error.to_string()))?;
        if let PemItem::Certificate(certificate) = item {
            found.push(certificate);
        }
    }
    match found.is_empty() {
        true => Err(unfit(
            "there is no certificate in it (PEM is read)".to_owned(),
        )),
        false => Ok(found),
    }
}
