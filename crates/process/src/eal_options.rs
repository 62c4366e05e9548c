//! EAL's options in the original's command lines: `program EAL-OPTIONS -- OPTIONS`.
//!
//! We read those that we have to know (lcores, memory, prefix, devices) and hand the rest to EAL as
//! it is.

use std::path::PathBuf;

use crate::Error;

/// Lcores as a user named them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedLcore {
    /// The number that users see: a CPU, or the lcore of an EAL map.
    pub shown: u32,
    /// The CPU that it runs on.
    pub cpu: u32,
}

/// What an EAL command line says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EalOptions {
    /// `-l`, `-c` or `--lcores`, ascending; the first is the main lcore unless `--main-lcore` names another.
    pub lcores: Vec<NamedLcore>,
    /// `--file-prefix`.
    pub file_prefix: Option<String>,
    /// `-m`, or the sum of `--socket-mem`, in megabytes.
    pub memory_mb: Option<u32>,
    /// `--huge-dir`.
    pub huge_dir: Option<PathBuf>,
    /// `--no-pci` was given.
    pub no_pci: bool,
    /// `--vdev`, each.
    pub vdevs: Vec<String>,
    /// The rest, in order.
    pub extra: Vec<String>,
}

/// Options of EAL that take a value as the next word.
const WITH_VALUE: [&str; 12] = [
    "-b",
    "-a",
    "-w",
    "-d",
    "-r",
    "--block",
    "--allow",
    "--base-virtaddr",
    "--iova-mode",
    "--log-level",
    "--socket-limit",
    "--vfio-intr",
];

/// Parses a list of CPUs such as `1,3-5`.
pub fn cpu_list(text: &str) -> Result<Vec<u32>, Error> {
    let set: sys::affinity::CpuSet = text
        .parse()
        .map_err(|e: sys::Error| Error::Usage(e.to_string()))?;
    Ok(set.to_vec())
}

/// Parses `--lcores`: a list of CPUs, or an EAL map of single lcores and CPUs such as `1@0,2@1`.
pub fn lcore_map(text: &str) -> Result<Vec<NamedLcore>, Error> {
    if !text.contains('@') {
        return Ok(cpu_list(text)?
            .into_iter()
            .map(|cpu| NamedLcore { shown: cpu, cpu })
            .collect());
    }
    let bad = || {
        Error::Usage(format!(
            "--lcores {text:?}: write LCORE@CPU,LCORE@CPU,… with single numbers, or a list of CPUs"
        ))
    };
    let number = |s: &str| {
        s.trim()
            .trim_matches(['(', ')'])
            .parse::<u32>()
            .map_err(|_| bad())
    };
    let mut lcores = Vec::new();
    for part in text.split(',') {
        let (lcore, cpu) = part.split_once('@').ok_or_else(bad)?;
        lcores.push(NamedLcore {
            shown: number(lcore)?,
            cpu: number(cpu)?,
        });
    }
    lcores.sort_by_key(|l| l.shown);
    if lcores.windows(2).any(|w| w[0].shown == w[1].shown) {
        return Err(bad());
    }
    Ok(lcores)
}

fn mask(text: &str) -> Result<Vec<NamedLcore>, Error> {
    let digits = text.trim_start_matches("0x").trim_start_matches("0X");
    let bits = u128::from_str_radix(digits, 16)
        .ok()
        .filter(|bits| *bits != 0)
        .ok_or_else(|| Error::Usage(format!("-c {text:?} is no hexadecimal mask of CPUs")))?;
    Ok((0..128)
        .filter(|i| bits >> i & 1 == 1)
        .map(|cpu| NamedLcore { shown: cpu, cpu })
        .collect())
}

impl EalOptions {
    /// Reads the words before `--`.
    pub fn parse(words: &[String]) -> Result<Self, Error> {
        let mut options = EalOptions::default();
        let mut main = None;
        let mut at = 0;
        while at < words.len() {
            let word = &words[at];
            at += 1;
            let (name, inline) = match word.split_once('=') {
                Some((name, value)) if name.starts_with("--") => (name, Some(value.to_string())),
                _ => (word.as_str(), None),
            };
            let mut value = || {
                let value = inline.clone().or_else(|| {
                    at += 1;
                    words.get(at - 1).cloned()
                });
                value.ok_or_else(|| Error::Usage(format!("{name} needs a value")))
            };
            let megabytes = |text: &str| {
                let parts = text.split(',').map(|p| p.trim().parse::<u32>());
                parts
                    .sum::<Result<u32, _>>()
                    .map_err(|_| Error::Usage(format!("{name} {text:?} is no number of megabytes")))
            };
            match name {
                "-l" => {
                    options.lcores = cpu_list(&value()?)?
                        .into_iter()
                        .map(|cpu| NamedLcore { shown: cpu, cpu })
                        .collect()
                }
                "-c" => options.lcores = mask(&value()?)?,
                "--lcores" => options.lcores = lcore_map(&value()?)?,
                "--master-lcore" | "--main-lcore" => {
                    let text = value()?;
                    main = Some(
                        text.parse::<u32>()
                            .map_err(|_| Error::Usage(format!("{name} {text:?} is no lcore")))?,
                    );
                }
                "-m" | "--socket-mem" => options.memory_mb = Some(megabytes(&value()?)?),
                "--file-prefix" => options.file_prefix = Some(value()?),
                "--huge-dir" => options.huge_dir = Some(value()?.into()),
                "--vdev" => options.vdevs.push(value()?),
                // We say ourselves which kind of process this is; the number of memory channels no longer matters.
                "--proc-type" | "-n" => {
                    value()?;
                }
                "--no-pci" => options.no_pci = true,
                // Gone from DPDK, and without effect here.
                "--legacy-mem" | "--create-uio-dev" => {}
                _ => {
                    options.extra.push(word.clone());
                    if WITH_VALUE.contains(&name) && inline.is_none() {
                        options.extra.push(value()?);
                    }
                }
            }
        }
        if let Some(main) = main {
            let at = options.lcores.iter().position(|l| l.shown == main);
            let at = at.ok_or_else(|| {
                Error::Usage(format!("the main lcore {main} is not among the lcores"))
            })?;
            let first = options.lcores.remove(at);
            options.lcores.insert(0, first);
        }
        Ok(options)
    }
}

/// Splits a command line of the original's form at its `--`; `None` if there is none.
pub fn split_original(args: &[String]) -> Option<(&[String], &[String])> {
    let at = args.iter().position(|a| a == "--")?;
    Some((&args[..at], &args[at + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(String::from).collect()
    }

    #[test]
    fn the_originals_start_script_is_understood() {
        let line = words(
            "-l 1,2 -n 4 --socket-mem 512,0 --huge-dir=/dev/hugepages --proc-type secondary --file-prefix spp --log-level=7 --vdev net_null0 --vdev eth_x,iface=a -w 0000:00:01.0 -- -n 1",
        );
        let (eal, own) = split_original(&line).unwrap();
        assert_eq!(own, words("-n 1"));
        let eal = EalOptions::parse(eal).unwrap();
        assert_eq!(eal.lcores.iter().map(|l| l.cpu).collect::<Vec<_>>(), [1, 2]);
        assert_eq!(
            (eal.memory_mb, eal.file_prefix.as_deref()),
            (Some(512), Some("spp"))
        );
        assert_eq!(eal.vdevs, ["net_null0", "eth_x,iface=a"]);
        assert_eq!(eal.extra, words("--log-level=7 -w 0000:00:01.0"));
    }

    #[test]
    fn maps_masks_and_main_lcores_keep_the_users_names() {
        let of = |line: &str| {
            EalOptions::parse(&words(line)).map(|o| {
                o.lcores
                    .iter()
                    .map(|l| (l.shown, l.cpu))
                    .collect::<Vec<_>>()
            })
        };
        assert_eq!(of("--lcores 1@0,2@1").unwrap(), [(1, 0), (2, 1)]);
        assert_eq!(of("-c 0x5").unwrap(), [(0, 0), (2, 2)]);
        assert_eq!(
            of("-l 0-2 --master-lcore 1").unwrap(),
            [(1, 1), (0, 0), (2, 2)]
        );
        for bad in [
            "-l",
            "-l x",
            "-c zz",
            "-c 0",
            "--lcores 1@",
            "--lcores 1@0,1@1",
            "-m x",
            "-l 0 --main-lcore 3",
        ] {
            assert!(of(bad).is_err(), "{bad}");
        }
    }
}
