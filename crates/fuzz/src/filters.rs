use protocol::filter::{Filter, MAX_FILTER};

use crate::check_words;

/// A filter that is understood is the same again after it is written; one that is not is refused with a reason.
pub fn filters(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    match text.parse::<Filter>() {
        Ok(filter) => {
            let written = filter.to_string();
            assert!(written.len() <= MAX_FILTER, "{written}");
            assert_eq!(written.parse(), Ok(filter), "{written:?} of {text:?}");
        }
        Err(error) => check_words(&error.to_string()),
    }
}
