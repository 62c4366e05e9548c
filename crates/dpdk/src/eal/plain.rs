//! EAL in a program that is started as any other DPDK program, with EAL's arguments as they are.

use dpdk_sys as ffi;

use super::start::start;
use super::{Eal, EalError, Lcore, ProcessType};

impl Eal {
    /// Starts EAL with `arguments` in the form that `rte_eal_init` takes them (DPDK's Linux guide, "EAL parameters"), without the
    /// program's name, and without `--` and what a program has behind it for itself. Otherwise as [`Eal::init`].
    ///
    /// # Errors
    /// EAL does not start, or there are words among the arguments that are none of EAL's.
    pub fn init_with(arguments: &[String]) -> Result<(Eal, Lcore), EalError> {
        let name = std::env::args().next().unwrap_or_else(|| "dpdk".into());
        let left = start(&[&[name], arguments].concat())?;
        if let Some(word) = left.into_iter().next() {
            return Err(EalError::Option {
                option: "EAL argument",
                value: word,
                reason: "EAL does not know it; what is not for EAL stands behind --".into(),
            });
        }
        // SAFETY: EAL runs; reads a number.
        let process = match unsafe { ffi::rte_eal_process_type() } {
            ffi::RTE_PROC_PRIMARY => ProcessType::Primary,
            _ => ProcessType::Secondary,
        };
        // SAFETY: EAL runs, so the main lcore is set.
        let mut lcores = vec![unsafe { ffi::spp_main_lcore() }];
        // From here the next one is number 0.
        let mut id = u32::MAX;
        loop {
            // SAFETY: EAL runs; any number may be asked from.
            id = unsafe { ffi::rte_get_next_lcore(id, 1, 0) };
            if id >= ffi::SPP_MAX_LCORE {
                return Ok(Eal::started(lcores, process));
            }
            lcores.push(id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::alone;

    fn words(text: &str) -> Vec<String> {
        text.split(' ').map(str::to_owned).collect()
    }

    const OWN: &str = "-m 64 --no-huge --no-shconf --no-pci --no-telemetry --iova-mode=va";

    #[test]
    fn a_plain_program_has_the_lcores_that_its_arguments_name() {
        alone(
            "eal::plain::tests::a_plain_program_has_the_lcores_that_its_arguments_name",
            || {
                let line = format!("--lcores=3@0,5@0,9@0 --main-lcore=5 {OWN}");
                let (eal, lcore) = Eal::init_with(&words(&line)).unwrap();
                assert_eq!(lcore.id(), 5);
                assert_eq!(eal.lcores(), [5, 3, 9]);
                assert_eq!(eal.process(), ProcessType::Primary);
            },
        );
    }

    #[test]
    fn words_that_eal_leaves_alone_are_refused() {
        alone(
            "eal::plain::tests::words_that_eal_leaves_alone_are_refused",
            || {
                let line = format!("--lcores=0@0 {OWN} no-pci");
                let refused = Eal::init_with(&words(&line)).unwrap_err().to_string();
                assert!(refused.contains("\"no-pci\""), "{refused}");
            },
        );
    }
}
