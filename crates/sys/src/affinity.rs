//! On which CPUs a thread may run (`sched_setaffinity(2)`), and CPU lists as the kernel and DPDK
//! write them (`1,3-5`).

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use rustix::thread::{CpuSet as KernelSet, sched_getaffinity, sched_setaffinity};

use crate::{Error, Result};

/// CPU numbers that a set can hold: `0..MAX_CPUS` (the kernel interface's own limit).
pub const MAX_CPUS: u32 = KernelSet::MAX_CPU as u32;

const ONLINE: &str = "/sys/devices/system/cpu/online";

/// A set of CPU numbers, in rising order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CpuSet(BTreeSet<u32>);

impl CpuSet {
    /// The CPUs on which the calling thread may run.
    ///
    /// # Errors
    /// The kernel's refusal, in practice only on a machine with more than [`MAX_CPUS`] CPUs.
    pub fn of_current_thread() -> Result<Self> {
        let set = sched_getaffinity(None)
            .map_err(|e| Error::call("read the CPU affinity of this thread", e))?;
        Ok(Self(
            (0..MAX_CPUS)
                .filter(|&cpu| set.is_set(cpu as usize))
                .collect(),
        ))
    }

    /// Lets the calling thread run on these CPUs only. Threads that it starts later inherit this.
    ///
    /// # Errors
    /// An empty set, or one of which no CPU is online and allowed to us.
    pub fn apply_to_current_thread(&self) -> Result<()> {
        let mut set = KernelSet::new();
        for &cpu in &self.0 {
            set.set(cpu as usize);
        }
        sched_setaffinity(None, &set).map_err(|e| {
            Error::call(
                format!("run on CPUs '{self}' (those online and allowed to us can be named)"),
                e,
            )
        })
    }

    /// The CPU numbers in rising order.
    #[must_use]
    pub fn to_vec(&self) -> Vec<u32> {
        self.0.iter().copied().collect()
    }

    /// The CPU numbers in rising order, without a copy.
    pub fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        self.0.iter().copied()
    }

    /// Whether this CPU is in the set.
    #[must_use]
    pub fn contains(&self, cpu: u32) -> bool {
        self.0.contains(&cpu)
    }

    /// How many CPUs are in the set.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether no CPU is in the set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// This set without the CPUs of another: for control threads, which keep off the workers' CPUs.
    #[must_use]
    pub fn without(&self, other: &Self) -> Self {
        Self(self.0.difference(&other.0).copied().collect())
    }
}

impl TryFrom<Vec<u32>> for CpuSet {
    type Error = Error;

    /// # Errors
    /// A number of [`MAX_CPUS`] or more.
    fn try_from(cpus: Vec<u32>) -> Result<Self> {
        match cpus.iter().find(|&&cpu| cpu >= MAX_CPUS) {
            Some(cpu) => Err(too_large(*cpu)),
            None => Ok(Self(cpus.into_iter().collect())),
        }
    }
}

impl FromStr for CpuSet {
    type Err = Error;

    /// Reads a CPU list: numbers and rising ranges, separated by commas.
    fn from_str(text: &str) -> Result<Self> {
        let number = |word: &str| -> Result<u32> {
            let digits = !word.is_empty() && word.bytes().all(|b| b.is_ascii_digit());
            let cpu = digits
                .then(|| word.parse::<u32>().ok())
                .flatten()
                .ok_or_else(|| {
                    Error::Invalid(format!(
                        "'{word}' in the CPU list '{text}' is not a CPU number"
                    ))
                })?;
            if cpu < MAX_CPUS {
                Ok(cpu)
            } else {
                Err(too_large(cpu))
            }
        };
        let mut cpus = BTreeSet::new();
        for part in text.trim().split(',') {
            let (first, last) = match part.split_once('-') {
                Some((first, last)) => (number(first)?, number(last)?),
                None => (number(part)?, number(part)?),
            };
            if first > last {
                return Err(Error::Invalid(format!(
                    "the range '{part}' in the CPU list '{text}' runs backwards: write {last}-{first}"
                )));
            }
            cpus.extend(first..=last);
        }
        Ok(Self(cpus))
    }
}

impl fmt::Display for CpuSet {
    /// Writes the shortest list: `1,3-5`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0.iter().copied().peekable();
        let mut comma = "";
        while let Some(first) = rest.next() {
            let mut last = first;
            while let Some(next) = rest.next_if_eq(&(last + 1)) {
                last = next;
            }
            write!(f, "{comma}{first}")?;
            if last > first {
                write!(f, "-{last}")?;
            }
            comma = ",";
        }
        Ok(())
    }
}

fn too_large(cpu: u32) -> Error {
    Error::Invalid(format!(
        "CPU {cpu} is beyond the largest possible one, {}",
        MAX_CPUS - 1
    ))
}

/// One more than the highest number of a CPU that is online: CPU numbers run over `0..cpu_count()`.
///
/// # Errors
/// `/sys/devices/system/cpu/online` is not there or not a CPU list.
pub fn cpu_count() -> Result<u32> {
    let text =
        std::fs::read_to_string(ONLINE).map_err(|e| Error::call(format!("read {ONLINE}"), e))?;
    let online: CpuSet = text.parse()?;
    Ok(online.iter().last().map_or(1, |last| last + 1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lists_are_read_and_written() {
        let set: CpuSet = "1,3-5".parse().unwrap();
        assert_eq!(set.to_vec(), [1, 3, 4, 5]);
        assert_eq!(set.to_string(), "1,3-5");
        assert_eq!("5,4,3,1,1".parse::<CpuSet>().unwrap(), set);
        assert_eq!("0-1\n".parse::<CpuSet>().unwrap().to_vec(), [0, 1]);
    }

    #[test]
    fn nonsense_is_refused_with_its_place() {
        for bad in [
            "",
            ",",
            "1,",
            "a",
            "1-",
            "-1",
            "+1",
            "1--2",
            "1-2-3",
            "99999999999",
            "1 2",
        ] {
            let error = bad.parse::<CpuSet>().unwrap_err().to_string();
            assert!(error.contains("is not a CPU number"), "{bad}: {error}");
        }
        assert!(
            "5-3"
                .parse::<CpuSet>()
                .unwrap_err()
                .to_string()
                .contains("write 3-5")
        );
        assert!(
            "0-4294967295"
                .parse::<CpuSet>()
                .unwrap_err()
                .to_string()
                .contains("1023")
        );
        assert!(CpuSet::try_from(vec![1024]).is_err());
    }

    #[test]
    fn a_thread_is_pinned_and_freed_again() {
        let before = CpuSet::of_current_thread().unwrap();
        assert!(!before.is_empty());
        let one = CpuSet::try_from(vec![before.to_vec()[0]]).unwrap();
        one.apply_to_current_thread().unwrap();
        assert_eq!(CpuSet::of_current_thread().unwrap(), one);
        let inherited = std::thread::spawn(CpuSet::of_current_thread)
            .join()
            .unwrap()
            .unwrap();
        assert_eq!(inherited, one);
        before.apply_to_current_thread().unwrap();
        assert_eq!(CpuSet::of_current_thread().unwrap(), before);
        assert_eq!(before.without(&one).len(), before.len() - 1);
    }

    #[test]
    fn an_impossible_affinity_is_refused_and_changes_nothing() {
        let before = CpuSet::of_current_thread().unwrap();
        let error = CpuSet::try_from(vec![1023])
            .unwrap()
            .apply_to_current_thread()
            .unwrap_err();
        assert!(error.to_string().contains("'1023'"), "{error}");
        assert!(CpuSet::default().apply_to_current_thread().is_err());
        assert_eq!(CpuSet::of_current_thread().unwrap(), before);
    }

    #[test]
    fn cpus_are_counted() {
        let allowed = CpuSet::of_current_thread().unwrap();
        assert!(cpu_count().unwrap() > allowed.iter().last().unwrap());
    }

    proptest! {
        #[test]
        fn every_set_survives_its_text(cpus in proptest::collection::vec(0..MAX_CPUS, 1..40)) {
            let set = CpuSet::try_from(cpus).unwrap();
            prop_assert_eq!(set.to_string().parse::<CpuSet>().unwrap(), set);
        }

        #[test]
        fn no_text_panics(text in "[-0-9,a ]{0,20}") {
            let _ = text.parse::<CpuSet>();
        }
    }
}
