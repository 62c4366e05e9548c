//! What the terminal can show: colours and line-drawing characters.

use std::env;
use std::io::{self, IsTerminal};

/// How text may be dressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Style {
    /// Escape sequences for colours are understood.
    pub colour: bool,
    /// The locale has the box-drawing characters of Unicode.
    pub unicode: bool,
}

impl Style {
    /// Finds out from the environment; both outputs have to be terminals for colours.
    pub fn detect() -> Self {
        Self {
            colour: io::stdout().is_terminal()
                && io::stderr().is_terminal()
                && colour_wanted(|name| env::var(name).ok()),
            unicode: locale_is_utf8(|name| env::var(name).ok()),
        }
    }

    /// `text` in bold.
    pub fn bold(self, text: &str) -> String {
        self.wrap("1", text)
    }

    /// `text` as something that needs attention.
    pub fn alarm(self, text: &str) -> String {
        self.wrap("31", text)
    }

    fn wrap(self, code: &str, text: &str) -> String {
        if self.colour {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }
}

/// `NO_COLOR` (any value but an empty one) and `TERM=dumb` mean no.
fn colour_wanted(variable: impl Fn(&str) -> Option<String>) -> bool {
    variable("NO_COLOR").is_none_or(|value| value.is_empty())
        && variable("TERM").is_some_and(|term| term != "dumb")
}

/// The first of `LC_ALL`, `LC_CTYPE`, `LANG` that is set and not empty decides, as in the C library.
fn locale_is_utf8(variable: impl Fn(&str) -> Option<String>) -> bool {
    ["LC_ALL", "LC_CTYPE", "LANG"]
        .into_iter()
        .filter_map(variable)
        .find(|value| !value.is_empty())
        .is_some_and(|value| {
            let value = value.to_ascii_lowercase();
            value.contains("utf-8") || value.contains("utf8")
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with<'a>(pairs: &'a [(&str, &str)]) -> impl Fn(&str) -> Option<String> + 'a {
        |name| {
            pairs
                .iter()
                .find(|(key, _)| *key == name)
                .map(|(_, value)| (*value).to_owned())
        }
    }

    #[test]
    fn no_color_and_dumb_terminals_turn_colours_off() {
        assert!(colour_wanted(with(&[("TERM", "xterm")])));
        assert!(colour_wanted(with(&[("TERM", "xterm"), ("NO_COLOR", "")])));
        assert!(!colour_wanted(with(&[
            ("TERM", "xterm"),
            ("NO_COLOR", "1")
        ])));
        assert!(!colour_wanted(with(&[("TERM", "dumb")])));
        assert!(!colour_wanted(with(&[])));
    }

    #[test]
    fn the_first_locale_variable_that_is_set_decides() {
        assert!(locale_is_utf8(with(&[("LANG", "en_US.UTF-8")])));
        assert!(locale_is_utf8(with(&[
            ("LC_ALL", ""),
            ("LC_CTYPE", "C.utf8")
        ])));
        assert!(!locale_is_utf8(with(&[
            ("LC_ALL", "C"),
            ("LANG", "en_US.UTF-8")
        ])));
        assert!(!locale_is_utf8(with(&[])));
    }

    #[test]
    fn without_colour_text_is_left_alone() {
        assert_eq!(Style::default().bold("x"), "x");
        assert_eq!(
            Style {
                colour: true,
                unicode: false
            }
            .bold("x"),
            "\x1b[1mx\x1b[0m"
        );
    }
}
