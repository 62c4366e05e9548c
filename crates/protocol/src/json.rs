//! JSON as text, in the two ways in which the original writes it.

use std::io;

use serde::Serialize;
use serde_json::ser::Formatter;

/// Compact JSON (`{"a":1,"b":[2,3]}`), as `nfv` and `primary` send it.
///
/// Types of this crate always serialize; a failure would be shown as a JSON string.
pub fn compact<T: Serialize + ?Sized>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_else(|error| not_serializable(&error))
}

/// JSON with blanks after `,` and `:` and nothing but ASCII, as REST and flow replies have it.
pub fn spaced<T: Serialize + ?Sized>(value: &T) -> String {
    let mut bytes = Vec::with_capacity(256);
    let mut serializer = serde_json::Serializer::with_formatter(&mut bytes, Spaced);
    match value.serialize(&mut serializer) {
        Ok(()) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(error) => not_serializable(&error),
    }
}

/// JSON with blanks after `,` and `:` and inside all brackets (`{ "a": [ 1, 2 ], "b": [  ] }`), as `vf`, `mirror` and
/// `pcap` send it.
pub fn wide<T: Serialize + ?Sized>(value: &T) -> String {
    let mut bytes = Vec::with_capacity(256);
    let mut serializer = serde_json::Serializer::with_formatter(&mut bytes, Wide);
    match value.serialize(&mut serializer) {
        Ok(()) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(error) => not_serializable(&error),
    }
}

fn not_serializable(error: &serde_json::Error) -> String {
    format!(
        "\"not serializable: {}\"",
        error.to_string().escape_default()
    )
}

struct Spaced;

impl Formatter for Spaced {
    fn begin_array_value<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        if first {
            Ok(())
        } else {
            writer.write_all(b", ")
        }
    }

    fn begin_object_key<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        if first {
            Ok(())
        } else {
            writer.write_all(b", ")
        }
    }

    fn begin_object_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        writer.write_all(b": ")
    }

    fn write_string_fragment<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        let mut plain = 0;
        for (at, c) in fragment.char_indices().filter(|(_, c)| !c.is_ascii()) {
            writer.write_all(&fragment.as_bytes()[plain..at])?;
            for unit in c.encode_utf16(&mut [0; 2]) {
                write!(writer, "\\u{unit:04x}")?;
            }
            plain = at + c.len_utf8();
        }
        writer.write_all(&fragment.as_bytes()[plain..])
    }
}

struct Wide;

impl Formatter for Wide {
    fn begin_array<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        writer.write_all(b"[ ")
    }

    fn end_array<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        writer.write_all(b" ]")
    }

    fn begin_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        writer.write_all(b"{ ")
    }

    fn end_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        writer.write_all(b" }")
    }

    fn begin_array_value<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        Spaced.begin_array_value(writer, first)
    }

    fn begin_object_key<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        Spaced.begin_object_key(writer, first)
    }

    fn begin_object_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        Spaced.begin_object_value(writer)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn spaced_is_written_as_the_original_does() {
        let value = json!({"a": [1, {"b": "é😀\n"}], "c": {}, "d": [], "e": null});
        let expected = r#"{"a": [1, {"b": "\u00e9\ud83d\ude00\n"}], "c": {}, "d": [], "e": null}"#;
        assert_eq!(spaced(&value), expected);
        assert_eq!(compact(&json!({"a": [1, 2]})), r#"{"a":[1,2]}"#);
    }

    #[test]
    fn wide_is_written_as_the_original_does() {
        let value = json!({"a": [1, {"b": "x"}], "d": []});
        assert_eq!(wide(&value), r#"{ "a": [ 1, { "b": "x" } ], "d": [  ] }"#);
    }

    proptest! {
        #[test]
        fn spaced_reads_back(text in any::<String>()) {
            let value = json!({"k": [text]});
            let written = spaced(&value);
            prop_assert!(written.is_ascii());
            prop_assert_eq!(serde_json::from_str::<Value>(&written).unwrap(), value);
        }
    }
}
