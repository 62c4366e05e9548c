//! What the value of an option must be, as the file of an application says it.

use serde::Deserialize;

/// A condition on one value.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Check {
    /// A whole number in this range, both included.
    Number([u64; 2]),
    /// One of these words.
    OneOf(Vec<String>),
    /// A hexadecimal mask that begins with `0x`.
    Mask,
    /// CPUs: `1,3-5`.
    Cpus,
    /// Whole numbers with commas between them.
    Numbers,
    /// Tuples of so many whole numbers: `(0,0,1),(1,0,2)`.
    Tuples(usize),
    /// A number and an address of a network card: `0,02:00:00:00:00:01`.
    Peer,
}

impl Check {
    /// Says why `value` does not fit.
    pub fn value(&self, value: &str) -> Result<(), String> {
        let good = match self {
            Self::Number([least, most]) => {
                let number = value.parse::<u64>();
                number.is_ok_and(|number| (*least..=*most).contains(&number))
            }
            Self::OneOf(words) => words.iter().any(|word| word == value),
            Self::Mask => mask(value).is_some(),
            Self::Cpus => return crate::cpus::list(value).map(|_| ()),
            Self::Numbers => value
                .split(',')
                .all(|part| part.trim().parse::<u64>().is_ok()),
            Self::Tuples(size) => tuples(value)
                .is_some_and(|found| !found.is_empty() && found.iter().all(|t| t.len() == *size)),
            Self::Peer => value
                .split_once(',')
                .is_some_and(|(port, address)| port.parse::<u16>().is_ok() && is_address(address)),
        };
        if good {
            return Ok(());
        }
        Err(match self {
            Self::Number([least, most]) if *most == u64::MAX => {
                format!("should be a whole number, {least} or more")
            }
            Self::Number([least, most]) => {
                format!("should be a whole number from {least} to {most}")
            }
            Self::OneOf(words) => format!("should be one of {}", words.join(", ")),
            Self::Mask => "should be a hexadecimal mask such as 0x3, not 0".to_owned(),
            Self::Cpus => String::new(),
            Self::Numbers => "should be whole numbers with commas between them".to_owned(),
            Self::Tuples(size) => format!(
                "should be tuples of {size} whole numbers, such as {}",
                example(*size)
            ),
            Self::Peer => "should be a port and an address, such as 0,02:00:00:00:00:01".to_owned(),
        })
    }
}

fn example(size: usize) -> String {
    let tuple = vec!["0"; size].join(",");
    format!("({tuple}),({tuple})")
}

/// A mask of ports; its bits.
pub fn mask(text: &str) -> Option<u128> {
    let digits = text
        .strip_prefix("0x")
        .or_else(|| text.strip_prefix("0X"))?;
    u128::from_str_radix(digits, 16)
        .ok()
        .filter(|bits| *bits != 0)
}

/// Tuples of whole numbers: `(0,0,1),(1,0,2)`; blanks do not matter.
pub fn tuples(text: &str) -> Option<Vec<Vec<u64>>> {
    let text: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    let inner = text.strip_prefix('(')?.strip_suffix(')')?;
    let tuple = |part: &str| part.split(',').map(|number| number.parse().ok()).collect();
    inner.split("),(").map(tuple).collect()
}

fn is_address(text: &str) -> bool {
    let bytes: Vec<&str> = text.split(':').collect();
    let byte = |part: &&str| part.len() == 2 && part.bytes().all(|digit| digit.is_ascii_hexdigit());
    bytes.len() == 6 && bytes.iter().all(byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_fit_or_the_reason_says_what_would() {
        let words = |text: &str| Check::OneOf(text.split(' ').map(str::to_owned).collect());
        for (check, good, bad, reason) in [
            (Check::Number([1, 512]), "512", "513", "from 1 to 512"),
            (Check::Number([64, u64::MAX]), "64", "63", "64 or more"),
            (words("io mac"), "mac", "ma", "one of io, mac"),
            (Check::Mask, "0x3", "3", "mask such as 0x3"),
            (Check::Mask, "0XfF", "0x0", "not 0"),
            (Check::Cpus, "1,3-5", "5-3", "5-3"),
            (Check::Numbers, "64,128", "64,", "commas"),
            (Check::Tuples(3), "(0,0,1),(1,0,2)", "(0,0)", "tuples of 3"),
            (Check::Tuples(2), "(0, 1)", "0,1", "(0,0),(0,0)"),
            (
                Check::Peer,
                "0,02:00:00:00:00:0A",
                "0,02:00:00:00:00",
                "address",
            ),
        ] {
            assert_eq!(check.value(good), Ok(()), "{good}");
            let said = check.value(bad).unwrap_err();
            assert!(said.contains(reason), "{bad}: {said}");
        }
    }
}
