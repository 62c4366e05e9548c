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
        "spp_nfv" | "spp-nfv" => &["-n", "-s", "--vhost-client", HANG_LIMIT],
        "spp_vf" | "spp-vf" | "spp_mirror" | "spp-mirror" => {
            &["--client-id", "-s", "--vhost-client", HANG_LIMIT]
        }
        "spp_pcap" | "spp-pcap" => &[
            "--client-id",
            "-s",
            "-c",
            "--out-dir",
            "--fsize",
            HANG_LIMIT,
        ],
        _ => return None,
    })
}

/// The word of the program's part that the primary takes out: whether it starts the process again.
const RESTART: &str = "--restart";

/// Its values.
const RESTARTS: [&str; 3] = ["never", "on-failure", "always"];

/// Likewise: for how many seconds the process may hang before it is killed.
const HANG_LIMIT: &str = "--hang-limit";

/// What goes to the primary.
#[derive(Debug)]
pub(crate) struct Order {
    /// The command.
    pub command: String,
    /// Whether it says when the process is started again or killed, which the original's primary does not know.
    pub restarts: bool,
}

/// The order for a request whose members are all there.
pub(crate) fn order(fields: &Fields) -> Answer<Order> {
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
    let restart = restart(fields, &app)?;
    if let Some(policy) = restart {
        words.extend([RESTART.to_owned(), policy.to_owned()]);
    }
    Ok(Order {
        command: words.join(" "),
        restarts: restart.is_some() || app.optional(HANG_LIMIT).is_some(),
    })
}

/// When the process is started again: the member `restart`, or an option of the program's part.
fn restart(fields: &Fields, app: &Fields) -> Answer<Option<&'static str>> {
    let choose = |from: &Fields, key: &'static str| match from.optional(key) {
        Some(_) => from.choice(key, &RESTARTS).map(Some),
        None => Ok(None),
    };
    match (choose(fields, "restart")?, choose(app, RESTART)?) {
        (Some(one), Some(other)) if one != other => {
            let reason = format!("{RESTART} in app says {other}: give one of the two.");
            Err(RestError::invalid("restart", one, reason))
        }
        (one, other) => Ok(one.or(other)),
    }
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
        order(&Fields::of("body", &body)?).map(|order| order.command)
    }

    #[test]
    fn the_policy_of_new_starts_is_a_member_or_an_option() {
        let body = |member: Value, option: Value| {
            let mut body = json!({"client_id": 5, "proc_name": "spp_nfv",
                "eal": {"-l": "1", "--proc-type": "secondary"}, "app": {"-n": 5}});
            if !member.is_null() {
                body["restart"] = member;
            }
            if option != json!(false) {
                body["app"]["--restart"] = option;
            }
            build(body)
        };
        let end = |built: Answer<String>| built.unwrap().split(" -- ").nth(1).unwrap().to_owned();
        assert_eq!(end(body(Value::Null, json!(false))), "-n 5");
        for (member, option) in [
            (json!("on-failure"), json!(false)),
            (Value::Null, json!("on-failure")),
            (json!("on-failure"), json!("on-failure")),
        ] {
            assert_eq!(end(body(member, option)), "-n 5 --restart on-failure");
        }
        for (member, option, key) in [
            (json!("sometimes"), json!(false), "restart"),
            (json!(1), json!(false), "restart"),
            (Value::Null, json!("x y"), "--restart"),
            (Value::Null, Value::Null, "--restart"),
            (json!("never"), json!("always"), "restart"),
        ] {
            let told = body(member, option).unwrap_err().to_string();
            assert!(told.starts_with(&format!("invalid key({key}): ")), "{told}");
        }
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
