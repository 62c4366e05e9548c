//! `PUT /v1/primary/launch`: options of a secondary become one command, in a fixed order.

use serde_json::Value;

use super::answer::Answer;
use super::body::{Fields, invalid};
use super::errors::RestError;

/// Options of EAL that are passed on, in the order in which they are.
const EAL: [&str; 35] = [
    "-c",
    "-l",
    "--lcores",
    "--master-lcore",
    "-s",
    "-b",
    "--pci-blacklist",
    "-w",
    "--pci-whitelist",
    "--vdev",
    "-d",
    "--no-pci",
    "--proc-type",
    "-n",
    "-r",
    "-m",
    "--in-memory",
    "--iova-mode",
    "--no-shconf",
    "--no-huge",
    "--log-level",
    "--file-prefix",
    "--create-uio-dev",
    "--vmware-tsc-map",
    "--no-hpet",
    "--vfio-intr",
    "--base-virtaddr",
    "--legacy-mem",
    "--socket-mem",
    "--socket-limit",
    "--single-file-segments",
    "--huge-dir",
    "--huge-unlink",
    "--match-allocations",
    "--syslog",
];

/// Options of a program by its name, in their order.
fn application(name: &str) -> Option<&'static [&'static str]> {
    Some(match name {
        "spp_nfv" | "spp-nfv" => &["-n", "-s", "--vhost-client"],
        "spp_vf" | "spp-vf" | "spp_mirror" | "spp-mirror" => {
            &["--client-id", "-s", "--vhost-client"]
        }
        "spp_pcap" | "spp-pcap" => &["--client-id", "-s", "-c", "--out-dir", "--fsize"],
        _ => return None,
    })
}

/// The command for a request whose members are all there.
pub(crate) fn command(fields: &Fields) -> Answer<String> {
    let id = fields.get("client_id")?;
    let number = match id {
        Value::String(text) if text.bytes().all(|b| b.is_ascii_digit()) => text.parse().ok(),
        other => other.as_u64(),
    };
    let number = number.filter(|number| (1..=u64::from(u16::MAX)).contains(number));
    let number = number.ok_or_else(|| invalid("client_id", id, "It has to be 1 or more."))?;

    let name = fields.text("proc_name")?;
    let known = application(name).ok_or_else(|| {
        let reason = "It has to be spp_nfv, spp_vf, spp_mirror or spp_pcap.";
        RestError::invalid("proc_name", name, reason)
    })?;

    let eal = Fields::of("eal", fields.get("eal")?)?;
    let has = |option: &&str| eal.optional(option).is_some();
    if !["-c", "-l", "--lcores"].iter().any(has) || !has(&"--proc-type") {
        let reason = "It needs --proc-type, and one of -c, -l and --lcores.";
        return Err(invalid("eal", fields.get("eal")?, reason));
    }
    let app = Fields::of("app", fields.get("app")?)?;

    let mut words = vec!["launch".to_owned(), number.to_string(), name.to_owned()];
    push_options(&mut words, "eal", &eal, &EAL)?;
    words.push("--".to_owned());
    push_options(&mut words, "app", &app, known)?;
    Ok(words.join(" "))
}

/// Options that are not known are left out, as the original does.
fn push_options(
    words: &mut Vec<String>,
    key: &'static str,
    given: &Fields,
    order: &[&str],
) -> Answer<()> {
    for option in order {
        let Some(value) = given.optional(option) else {
            continue;
        };
        words.push((*option).to_owned());
        match value {
            Value::Null => {}
            Value::String(text) if text.is_empty() => {}
            // A blank would make two words of one value.
            Value::String(text) if !text.contains(|c: char| c.is_whitespace()) => {
                words.push(text.clone());
            }
            Value::Number(number) => words.push(number.to_string()),
            other => {
                let reason = format!("The value of {option} has to be a number or one word.");
                return Err(invalid(key, other, reason));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn build(body: Value) -> Answer<String> {
        command(&Fields::of("body", &body)?)
    }

    #[test]
    fn options_come_in_the_order_of_the_original() {
        let body = json!({"client_id": 5, "proc_name": "spp_nfv",
            "eal": {"--syslog": "x", "--lcores": "13@0,14@1", "--no-pci": null,
                    "--proc-type": "secondary", "--file-prefix": "spp", "--bogus": "1"},
            "app": {"--vhost-client": "", "-n": 5, "-s": "127.0.0.1:6666"}});
        assert_eq!(
            build(body).unwrap(),
            "launch 5 spp_nfv --lcores 13@0,14@1 --no-pci --proc-type secondary --file-prefix spp \
             --syslog x -- -n 5 -s 127.0.0.1:6666 --vhost-client"
        );
    }

    #[test]
    fn bad_values_are_named() {
        let body = |id: Value, name: &str, eal: Value| json!({"client_id": id, "proc_name": name, "eal": eal, "app": {}});
        let good = json!({"-l": "0", "--proc-type": "secondary"});
        assert!(build(body(json!("2"), "spp_vf", good.clone())).is_ok());
        for (id, name, eal, key) in [
            (json!(0), "spp_vf", good.clone(), "client_id"),
            (json!("1 2"), "spp_vf", good.clone(), "client_id"),
            (json!(true), "spp_vf", good.clone(), "client_id"),
            (json!(1), "sh", good.clone(), "proc_name"),
            (json!(1), "spp_vf", json!({"-l": "0"}), "eal"),
            (
                json!(1),
                "spp_vf",
                json!({"--proc-type": "secondary"}),
                "eal",
            ),
            (json!(1), "spp_vf", json!([]), "eal"),
            (
                json!(1),
                "spp_vf",
                json!({"-l": "0 1", "--proc-type": "secondary"}),
                "eal",
            ),
            (
                json!(1),
                "spp_vf",
                json!({"-l": [0], "--proc-type": "secondary"}),
                "eal",
            ),
        ] {
            let text = build(body(id, name, eal)).unwrap_err().to_string();
            assert!(text.starts_with(&format!("invalid key({key}): ")), "{text}");
        }
    }
}
