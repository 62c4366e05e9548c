//! "Did you mean".

/// The one of `known` that `word` most probably was to be; `None` if none is close.
pub fn closest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    /// As alike as `delya` and `delay`, but not as `h1` and `s9`.
    const ALIKE: f64 = 0.6;
    known
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(word, candidate), candidate))
        .filter(|(distance, candidate)| {
            let longest = word.chars().count().max(candidate.chars().count());
            *distance <= 1 || 1.0 - *distance as f64 / longest as f64 >= ALIKE
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// `did you mean 'delay'?`, or what there is, if that is not too much to read.
pub fn hint(word: &str, known: &[&str]) -> Option<String> {
    const MOST: usize = 12;
    match closest(word, known.iter().copied()) {
        Some(candidate) => Some(format!("did you mean '{candidate}'?")),
        None if known.is_empty() => None,
        None if known.len() <= MOST => Some(format!("there are: {}", known.join(", "))),
        None => Some(format!(
            "there are: {}, … ({} in all)",
            known[..MOST].join(", "),
            known.len()
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_seen_and_other_words_are_not() {
        let known = ["delay", "jitter", "loss", "rate"];
        assert_eq!(closest("delya", known), Some("delay"));
        assert_eq!(closest("los", known), Some("loss"));
        assert_eq!(closest("bandwidth", known), None);
        assert_eq!(
            hint("bandwidth", &known).unwrap(),
            "there are: delay, jitter, loss, rate"
        );
        assert_eq!(hint("x", &[]), None);
    }
}
