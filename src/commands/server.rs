//! `server`: the controllers that this shell knows.

use serde_json::json;

use crate::address::Address;
use crate::commands::args::Args;
use crate::commands::quote;
use crate::context::{Context, Outcome, Report};
use crate::failure::Failure;

/// `server`, `server list`, `server N`, `server ADDR`, `server add ADDR`, `server del N|ADDR`
pub fn run(context: &mut Context, args: &Args) -> Outcome {
    let words = args.words("[list|N|ADDR[:PORT]|add ADDR[:PORT]|del N|del ADDR[:PORT]]");
    let second = words.get(1).map(String::as_str);
    match words.first().map(String::as_str) {
        None | Some("list") => Ok(list(context)),
        Some("add") => add(context, second),
        Some("del") => del(context, second),
        Some(word) => switch(context, word),
    }
}

fn list(context: &Context) -> Report {
    let servers = &context.session.servers;
    let mut text = String::new();
    for (place, address) in servers.list().iter().enumerate() {
        let mark = if place == servers.current() { "*" } else { "" };
        text.push_str(&format!("  {}: {address} {mark}\n", place + 1));
    }
    let names: Vec<_> = servers.list().iter().map(Address::to_string).collect();
    Report::new(
        text,
        json!({"servers": names, "current": servers.current() + 1}),
    )
}

fn switch(context: &mut Context, word: &str) -> Outcome {
    let servers = &mut context.session.servers;
    let place = match word.parse::<i64>() {
        Ok(number) => match usize::try_from(number) {
            Ok(number @ 1..) => number - 1,
            _ => return Err(Failure::usage("Server index should be > 0 !")),
        },
        Err(_) => {
            let address = address(word)?;
            servers
                .find(&address)
                .ok_or_else(|| not_registered(&address))?
        }
    };
    let Some(address) = servers.switch(place).cloned() else {
        return Err(Failure::refused(format!(
            "Cannot switch to no existing server \"{}\".",
            quote(word)
        )));
    };
    context.client = context.client.at(address.clone());
    Ok(Report::done(format!(
        "Switch spp-ctl to \"{}: {address}\".",
        place + 1
    )))
}

fn add(context: &mut Context, word: Option<&str>) -> Outcome {
    let word = word.ok_or_else(|| Failure::usage("Error: server address is requiired."))?;
    let address = address(word)?;
    if context.session.servers.find(&address).is_some() {
        return Err(Failure::refused(format!(
            "\"{address}\" is already registered."
        )));
    }
    // One that cannot be reached is of no use; the reason is said, too.
    if let Err(failure) = context.client.at(address.clone()).processes() {
        return Err(Failure::Unreachable(format!(
            "Is not spp-ctl on \"{address}\", nor correct address?\n({failure})"
        )));
    }
    context.session.servers.add(address.clone());
    Ok(Report::done(format!("Registered spp-ctl \"{address}\".")))
}

fn del(context: &mut Context, word: Option<&str>) -> Outcome {
    let word =
        word.ok_or_else(|| Failure::usage("Error: server address or index is requiired."))?;
    let servers = &mut context.session.servers;
    let shown = quote(word);
    let place = match word.parse::<i64>() {
        Ok(number) => match usize::try_from(number) {
            Ok(number @ 1..) if number <= servers.list().len() => number - 1,
            Ok(1..) => {
                return Err(Failure::refused(format!(
                    "Cannot del server \"{shown}\" not exist!"
                )));
            }
            _ => {
                return Err(Failure::usage(format!(
                    "Cannot del server of invalid ID \"{shown}\"!"
                )));
            }
        },
        Err(_) => {
            let address = address(word)?;
            servers
                .find(&address)
                .ok_or_else(|| not_registered(&address))?
        }
    };
    let address = servers
        .remove(place)
        .ok_or_else(|| Failure::refused(format!("Cannot del server \"{shown}\" in use!")))?;
    Ok(Report::done(format!("Unregistered spp-ctl \"{address}\".")))
}

fn address(word: &str) -> Result<Address, Failure> {
    word.parse().map_err(|error: String| Failure::usage(error))
}

fn not_registered(address: &Address) -> Failure {
    Failure::refused(format!(
        "\"{address}\" is not registered.\n(`server add {address}` registers it)"
    ))
}
