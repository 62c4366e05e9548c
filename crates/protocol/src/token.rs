//! The secret that lets a client use a controller off loopback, and the file that holds it.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use subtle::ConstantTimeEq;
use thiserror::Error;

/// Fewest bytes of a token.
pub const SHORTEST: usize = 16;

/// Most bytes of a token.
pub const LONGEST: usize = 1024;

/// Why a token file cannot be used. The words never hold what is in the file.
#[derive(Debug, Error)]
pub enum TokenError {
    /// The file cannot be read.
    #[error("the token file {path} cannot be read: {error}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: std::io::Error,
    },
    /// It is a folder, a device or a pipe.
    #[error("the token file {0} is no ordinary file")]
    NoFile(PathBuf),
    /// Others may read it, or others than the owner may write it.
    #[error(
        "the token file {path} has mode {mode:04o}: everybody may read or change the token; \
         chmod 600 {path} (or 640, to share it with a group)"
    )]
    Open {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// Too short, too long, or with characters that no header takes.
    #[error(
        "the token in {path} has {problem}: it has to be {SHORTEST} to {LONGEST} visible ASCII \
         characters without blanks, in one line (openssl rand -hex 32 makes one)"
    )]
    Unfit {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
}

/// A secret. It is compared in constant time, and never shown.
#[derive(Clone)]
pub struct Token(Box<str>);

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

impl Token {
    /// Reads the token from the one line of `path`.
    ///
    /// # Errors
    /// [`TokenError`], also if everybody may read the file.
    pub fn read(path: &Path) -> Result<Self, TokenError> {
        let unreadable = |error| TokenError::Unreadable {
            path: path.to_owned(),
            error,
        };
        // Opening a pipe would wait for a writer.
        if !std::fs::metadata(path).map_err(unreadable)?.is_file() {
            return Err(TokenError::NoFile(path.to_owned()));
        }
        let file = File::open(path).map_err(unreadable)?;
        let mode = file.metadata().map_err(unreadable)?.permissions().mode() & 0o7777;
        if mode & 0o027 != 0 {
            return Err(TokenError::Open {
                path: path.to_owned(),
                mode,
            });
        }
        let mut bytes = Vec::new();
        let most = LONGEST as u64 + 3;
        file.take(most)
            .read_to_end(&mut bytes)
            .map_err(unreadable)?;
        let text = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        Self::of(text).map_err(|problem| TokenError::Unfit {
            path: path.to_owned(),
            problem,
        })
    }

    fn of(text: &[u8]) -> Result<Self, String> {
        if text.len() < SHORTEST {
            return Err(format!("{} characters", text.len()));
        }
        if text.len() > LONGEST {
            return Err(format!("more than {LONGEST} characters"));
        }
        match std::str::from_utf8(text) {
            Ok(text) if text.bytes().all(|byte| byte.is_ascii_graphic()) => Ok(Self(text.into())),
            _ => Err("a blank, a line break or a character beyond ASCII in it".to_owned()),
        }
    }

    /// Whether `given` is this token; takes as long for every text of its length.
    pub fn is(&self, given: &[u8]) -> bool {
        self.0.as_bytes().ct_eq(given).into()
    }

    /// The value of the header `Authorization` for it.
    pub fn bearer(&self) -> String {
        format!("Bearer {}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;

    use super::*;

    const GOOD: &str = "0123456789abcdef";

    fn file(text: &[u8], mode: u32) -> PathBuf {
        use std::sync::atomic::{AtomicU32, Ordering};
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("spp-token-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        path
    }

    fn read(text: &[u8], mode: u32) -> Result<Token, TokenError> {
        let path = file(text, mode);
        let token = Token::read(&path);
        std::fs::remove_file(&path).unwrap();
        token
    }

    #[test]
    fn a_token_is_the_line_of_its_file() {
        for text in [GOOD.to_owned(), format!("{GOOD}\n"), format!("{GOOD}\r\n")] {
            for mode in [0o600, 0o640, 0o400] {
                let token = read(text.as_bytes(), mode).unwrap();
                assert!(token.is(GOOD.as_bytes()));
                assert!(!token.is(b"0123456789abcdeX"));
                assert!(!token.is(&GOOD.as_bytes()[1..]));
                assert!(!token.is(b""));
                assert_eq!(token.bearer(), format!("Bearer {GOOD}"));
            }
        }
    }

    #[test]
    fn what_is_unfit_is_refused_and_not_shown() {
        for text in [
            "".to_owned(),
            GOOD[1..].to_owned(),
            format!("{GOOD} "),
            format!("{GOOD}\n{GOOD}"),
            format!("{GOOD}é"),
            "x".repeat(LONGEST + 1),
            "x".repeat(LONGEST * 9),
        ] {
            let error = read(text.as_bytes(), 0o600).unwrap_err();
            assert!(matches!(error, TokenError::Unfit { .. }), "{error}");
            assert!(!error.to_string().contains(&GOOD[1..]), "{error}");
        }
        assert!(read("x".repeat(LONGEST).as_bytes(), 0o600).is_ok());
    }

    #[test]
    fn a_file_that_everybody_may_read_is_refused() {
        for mode in [0o644, 0o604, 0o660, 0o601] {
            let error = read(GOOD.as_bytes(), mode).unwrap_err();
            assert!(
                matches!(error, TokenError::Open { .. }),
                "{mode:o}: {error}"
            );
        }
        let folder = std::env::temp_dir();
        let error = Token::read(&folder).unwrap_err();
        assert!(matches!(error, TokenError::NoFile(_)), "{error}");
        let error = Token::read(Path::new("/nowhere/token")).unwrap_err();
        assert!(matches!(error, TokenError::Unreadable { .. }), "{error}");
    }

    #[test]
    fn a_token_is_never_shown() {
        let token = read(GOOD.as_bytes(), 0o600).unwrap();
        assert!(!format!("{token:?}").contains(GOOD));
    }
}
