use protocol::port::{MAX_PORT_TEXT, PortName};

use crate::check_words;

/// A port name is read in every form in which it is written, and what is refused is refused with a reason.
pub fn ports(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    match text.parse::<PortName>() {
        Ok(port) => {
            assert!(
                text.len() <= MAX_PORT_TEXT,
                "{} bytes were read",
                text.len()
            );
            for form in [port.to_string(), port.report()] {
                assert_eq!(form.parse(), Ok(port), "{form:?} of {text:?}");
            }
        }
        Err(error) => check_words(&error.to_string()),
    }
    let words: Vec<&str> = text.split_whitespace().collect();
    match PortName::take(&words) {
        Ok((port, taken)) => {
            assert!(
                (1..=words.len()).contains(&taken),
                "{taken} words of {words:?}"
            );
            let report = port.report();
            let again: Vec<&str> = report.split(' ').collect();
            assert_eq!(PortName::take(&again), Ok((port, again.len())));
        }
        Err(error) => check_words(&error.to_string()),
    }
}
