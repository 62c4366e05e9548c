use protocol::command::component::ComponentName;
use protocol::command::probe::ProbeCommand;
use protocol::command::{CommandError, NfvCommand, PrimaryCommand};
use protocol::flow::FlowCommand;
use protocol::reply::Simple;

use crate::check_words;

/// A command that is understood is the same again after it is written; one that is not is refused with a reason, in a
/// reply that is JSON.
pub fn commands(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    match NfvCommand::parse(&text) {
        Ok(command) => {
            assert_eq!(NfvCommand::parse(&command.to_string()), Ok(command));
        }
        Err(error) => refused(&error),
    }
    match PrimaryCommand::parse(&text) {
        Ok(command) => {
            let written = command.to_string();
            if let PrimaryCommand::Flow(words) = &command {
                flow(words);
            }
            assert_eq!(PrimaryCommand::parse(&written), Ok(command));
        }
        Err(error) => refused(&error),
    }
    match ProbeCommand::take(&text) {
        Some(Ok(command)) => assert_eq!(command.to_string().parse(), Ok(command)),
        Some(Err(error)) => refused(&error),
        None => {}
    }
    match text.parse::<ComponentName>() {
        Ok(name) => assert_eq!(name.as_str(), text),
        Err(error) => check_words(&error.to_string()),
    }
}

/// Likewise the words after `flow`.
fn flow(words: &str) {
    match FlowCommand::parse(words) {
        Ok(command) => {
            assert_eq!(FlowCommand::parse(&command.to_string()), Ok(command));
        }
        Err(error) => check_words(&error.to_string()),
    }
}

fn refused(error: &CommandError) {
    check_words(&error.to_string());
    let reply = Simple::refused(error).to_json();
    assert!(
        reply.starts_with(r#"{"result":"failed","command":""#),
        "{reply}"
    );
    assert!(!reply.contains('\n'), "{reply}");
    let verdict = protocol::verdict::judge("status", reply.as_bytes());
    assert!(
        matches!(&verdict, protocol::verdict::Verdict::Refused { words, .. } if *words == error.to_string()),
        "{verdict:?}"
    );
}
