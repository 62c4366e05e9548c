//! pktgen's matrix: which lcores serve which port, laid out over a list of CPUs.

use crate::{Error, Result};

/// The matrix for `cpus`, of which the first is pktgen's own, and so many ports: one to four lcores each.
///
/// # Errors
/// Too few lcores, or a number of them that cannot be shared out.
pub fn matrix(cpus: &[u32], ports: usize) -> Result<String> {
    let workers = match cpus {
        [] | [_] => {
            return Err(Error::usage(
                "Two or more cores required: pktgen's own, and one for each port or more (-l)",
            ));
        }
        [_, workers @ ..] => workers,
    };
    if ports == 0 {
        return Err(Error::usage(
            "Without --matrix the ports have to be named with -d",
        ));
    }
    if workers.len() < ports {
        return Err(Error::usage(format!(
            "Too few cores for given port(s): {} beside pktgen's own, for {ports} ports",
            workers.len()
        )));
    }
    let each = workers.len() / ports;
    if !workers.len().is_multiple_of(ports) || each > 4 {
        return Err(Error::usage(format!(
            "Too many cores for calculation for ports: {} beside pktgen's own, for {ports} ports of one to four each. \
             Lay them out yourself with --matrix, such as [2:3].0",
            workers.len()
        )));
    }
    let element = |(port, lcores): (usize, &[u32])| match lcores {
        [one] => format!("{one}.{port}"),
        [rx, tx] => format!("[{rx}:{tx}].{port}"),
        [first, last, tx] => format!("[{first}-{last}:{tx}].{port}"),
        [first, last, from, to] => format!("[{first}-{last}:{from}-{to}].{port}"),
        _ => String::new(),
    };
    let elements: Vec<String> = workers.chunks(each).enumerate().map(element).collect();
    Ok(elements.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lcores_are_shared_out_as_the_original_does() {
        for (cpus, ports, expected) in [
            (&[6, 7, 8, 9, 10][..], 2, "[7:8].0,[9:10].1"),
            (&[6, 7, 8], 2, "7.0,8.1"),
            (&[6, 7, 8, 9], 1, "[7-8:9].0"),
            (&[6, 7, 8, 9, 10], 1, "[7-8:9-10].0"),
        ] {
            assert_eq!(matrix(cpus, ports).unwrap(), expected);
        }
    }

    #[test]
    fn what_cannot_be_shared_out_is_refused_with_the_numbers() {
        for (cpus, ports, reason) in [
            (&[6][..], 1, "Two or more cores required"),
            (&[6, 7], 2, "Too few cores"),
            (&[6, 7, 8, 9], 2, "Too many cores"),
            (&[1, 2, 3, 4, 5, 6], 1, "--matrix"),
            (&[1, 2], 0, "-d"),
        ] {
            let error = matrix(cpus, ports).unwrap_err().to_string();
            assert!(error.contains(reason), "{error}");
        }
    }
}
