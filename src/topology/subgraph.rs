//! Subgraphs: ports that are drawn together under a label, such as those of a guest.

use protocol::port::PortName;

/// A label and its ports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subgraph {
    /// What is written at it.
    pub label: String,
    /// Ports as processes report them: `vhost:1`, `phy:0 nq 1`.
    pub ports: Vec<String>,
}

impl Subgraph {
    /// Reads ports with commas, semicolons or blanks between them; as in the original, `vhost_1` is
    /// the same as `vhost:1`. They need not exist yet.
    ///
    /// # Errors
    /// The word that is no port, or what is wrong with the label.
    pub fn read(label: &str, ports: &str) -> Result<Self, String> {
        // These part it from its ports in the address of the page.
        if label.is_empty() || label.contains([',', ';']) {
            return Err(format!("'{label}' is no label: it has ',' or ';' in it"));
        }
        let text = ports.replace('_', ":").replace([',', ';'], " ");
        let words: Vec<&str> = text.split_whitespace().collect();
        let mut left = words.as_slice();
        let mut found = Vec::new();
        while let Some(word) = left.first() {
            // What a pcap process captures to is drawn as a port, too.
            let name = match word.strip_prefix("spppcap:").map(str::parse::<u32>) {
                Some(Ok(id)) => {
                    left = &left[1..];
                    format!("spppcap:{id}")
                }
                _ => {
                    let (port, used) = PortName::take(left).map_err(|error| error.to_string())?;
                    left = left.get(used..).unwrap_or_default();
                    port.report()
                }
            };
            if !found.contains(&name) {
                found.push(name);
            }
        }
        if found.is_empty() {
            return Err("no port is named".to_owned());
        }
        Ok(Self {
            label: label.to_owned(),
            ports: found,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_parted_by_commas_semicolons_or_blanks() {
        for text in [
            "vhost:1,phy:0nq1",
            "vhost:1;phy:0nq1",
            "vhost_1 , phy_0nq1;",
            "vhost:1 phy:0 nq 1 vhost:1",
        ] {
            let read = Subgraph::read("g", text).unwrap();
            assert_eq!(read.ports, ["vhost:1", "phy:0 nq 1"], "{text}");
        }
        assert_eq!(
            Subgraph::read("g", "spppcap:4").unwrap().ports,
            ["spppcap:4"]
        );
    }

    #[test]
    fn what_is_no_port_or_label_is_refused() {
        for (label, ports) in [
            ("g", ""),
            ("g", ",;"),
            ("g", "zap:1"),
            ("g", "x];y"),
            ("a,b", "vhost:1"),
        ] {
            assert!(Subgraph::read(label, ports).is_err(), "{label} {ports}");
        }
    }
}
