use spp_shell::fuzz::{configuration, document, script, split};

/// Every line of a script or recipe is understood, or refused with a reason; words are the same after they are put together.
pub fn lines(input: &[u8]) {
    let results = script(input);
    let lines = input.split(|byte| *byte == b'\n').count();
    assert!(results.len() <= lines, "{} of {lines} lines", results.len());
    for words in results.into_iter().filter_map(Result::err) {
        refused(&words);
    }
    let text = String::from_utf8_lossy(input);
    for line in text.lines() {
        let words = split(line);
        assert_eq!(split(&words.join(" ")), words, "{line:?}");
    }
}

/// A file for `apply` is refused with a reason, or it is the same after `export` wrote it.
pub fn documents(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    match document(&text) {
        Ok(written) => assert_eq!(document(&written), Ok(written)),
        Err(words) => refused(&words),
    }
}

/// A configuration of the shell is refused with a reason, or it has all its keys.
pub fn configurations(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    match configuration(&text) {
        Ok(entries) => assert_eq!(entries.len(), 12),
        Err(words) => refused(&words),
    }
}

/// Checks a refusal of the shell, which may quote what was typed.
fn refused(words: &str) {
    assert!(!words.trim().is_empty(), "a refusal without a reason");
    assert!(words.len() < 4096, "a refusal of {} bytes", words.len());
}
