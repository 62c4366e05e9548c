//! Lists, masks and maps of CPUs, as `-l`, `-c` and `--lcores` take them.

/// Highest lcore that DPDK knows.
pub(crate) const MOST: u32 = 127;

/// The CPUs of a list such as `1,3-5`, in its order.
///
/// # Errors
/// It is none; says why.
pub fn list(text: &str) -> Result<Vec<u32>, String> {
    let bad = |part: &str| {
        format!("'{part}' is no CPU and no range of CPUs up to {MOST}: write 1,3-5 for example")
    };
    let number = |part: &str, word: &str| {
        let number = word.trim().parse::<u32>().ok();
        number
            .filter(|cpu| *cpu <= MOST)
            .ok_or_else(|| bad(part.trim()))
    };
    let mut cpus = Vec::new();
    for part in text.split(',') {
        let (first, last) = match part.split_once('-') {
            Some((first, last)) => (number(part, first)?, number(part, last)?),
            None => {
                let cpu = number(part, part)?;
                (cpu, cpu)
            }
        };
        if last < first {
            return Err(bad(part));
        }
        for cpu in first..=last {
            if cpus.contains(&cpu) {
                return Err(format!("CPU {cpu} is named twice"));
            }
            cpus.push(cpu);
        }
    }
    Ok(cpus)
}

/// The CPUs of a mask such as `0x6`; bit 0 is CPU 0.
///
/// # Errors
/// It is none.
pub fn mask(text: &str) -> Result<Vec<u32>, String> {
    let digits = text.trim_start_matches("0x").trim_start_matches("0X");
    match u128::from_str_radix(digits, 16) {
        Ok(bits) if bits != 0 => Ok((0..=MOST).filter(|cpu| bits >> cpu & 1 == 1).collect()),
        _ => Err(format!(
            "'{text}' is no hexadecimal mask of CPUs: write 0x6 for CPUs 1 and 2"
        )),
    }
}

/// The CPUs of a map such as `0@0,1@1`, in its order and each once.
///
/// # Errors
/// It is none of single lcores and CPUs.
pub fn map(text: &str) -> Result<Vec<u32>, String> {
    let mut cpus = Vec::new();
    for (_, cpu) in pairs(text)? {
        if !cpus.contains(&cpu) {
            cpus.push(cpu);
        }
    }
    Ok(cpus)
}

/// The lcore ids of a map such as `0@0,1@1`, in its order.
///
/// # Errors
/// As [`map`].
pub fn ids(text: &str) -> Result<Vec<u32>, String> {
    Ok(pairs(text)?.into_iter().map(|(id, _)| id).collect())
}

fn pairs(text: &str) -> Result<Vec<(u32, u32)>, String> {
    let number = |word: &str| word.trim().parse::<u32>().ok().filter(|n| *n <= MOST);
    let pair = |part: &str| {
        let (lcore, cpu) = part.split_once('@')?;
        Some((number(lcore)?, number(cpu)?))
    };
    let of = |part: &str| {
        pair(part).ok_or_else(|| format!("'{part}' is not LCORE@CPU: write 0@0,1@1 for example"))
    };
    text.split(',').map(of).collect()
}

/// CPUs as a list: `1,3,4`.
#[must_use]
pub fn text(cpus: &[u32]) -> String {
    let texts: Vec<String> = cpus.iter().map(ToString::to_string).collect();
    texts.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_masks_and_maps_are_read() {
        assert_eq!(list("6-7,1"), Ok(vec![6, 7, 1]));
        assert_eq!(mask("0x6"), Ok(vec![1, 2]));
        assert_eq!(map("0@1,1@1,2@0"), Ok(vec![1, 0]));
        assert_eq!(ids("5@1,1@1"), Ok(vec![5, 1]));
        assert_eq!(text(&[3, 1]), "3,1");
        for bad in ["", "a", "3-1", "128", "1,1", "1-3,2", "-"] {
            assert!(list(bad).is_err(), "{bad}");
        }
        for bad in ["0x0", "", "0xg"] {
            assert!(mask(bad).is_err(), "{bad}");
        }
        for bad in ["0", "0@", "(0,1)@2", "0@200"] {
            assert!(map(bad).is_err(), "{bad}");
        }
    }
}
