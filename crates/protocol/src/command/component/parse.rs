//! Commands of `vf`, `mirror` and `pcap` as a process reads them: the checks of the original, in its order
//! and with its words.

use std::str::FromStr;

use thiserror::Error;

use super::known::{Anything, Known, Rejection};
use super::{
    CaptureCommand, ClassifierEntry, ComponentCommand, ComponentKind, ComponentName, Direction,
    Setting, VlanTag, vlan_id,
};
use crate::port::PortName;
use crate::reply::ProcessKind;

/// Most words of a command.
const MOST_WORDS: usize = 8;

/// Highest CPU that a component can be started on.
pub const MAX_CORE: u32 = 127;

/// Why a text is no command, in the words that `error_details` has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Refusal {
    /// A known command with too few or too many words.
    #[error("Wrong message format")]
    Format,
    /// A word that cannot be taken.
    #[error("Invalid value ({0})")]
    Value(&'static str),
}

impl Refusal {
    /// The first word is no command.
    pub const COMMAND: Self = Self::Value("command");
    /// No action of this command.
    pub const ACTION: Self = Self::Value("action");
    /// Neither `mac` nor `vlan`.
    pub const TYPE: Self = Self::Value("type");
    /// No MAC address.
    pub const MAC_ADDRESS: Self = Self::Value("mac address");
    /// No VLAN id in the classifier's table.
    pub const VLAN_ID: Self = Self::Value("vlan id");
    /// No port.
    pub const PORT: Self = Self::Value("port");
    /// No name of a component, one in use, or one that is not there.
    pub const COMPONENT_NAME: Self = Self::Value("component name");
    /// No CPU, 0 to 127.
    pub const CORE: Self = Self::Value("core");
    /// No type of component that this process has.
    pub const COMPONENT_TYPE: Self = Self::Value("component type");
    /// Neither `rx` nor `tx`.
    pub const PORT_RXTX: Self = Self::Value("port rxtx");
    /// Neither `add_vlantag` nor `del_vlantag`.
    pub const PORT_VLAN_OPERATION: Self = Self::Value("port vlan operation");
    /// No VLAN id of a port.
    pub const PORT_VID: Self = Self::Value("port vid");
    /// Nothing that can be set of the component; not in the original.
    pub const SETTING: Self = Self::Value("component setting");
    /// No VLAN priority of a port.
    pub const PORT_PCP: Self = Self::Value("port pcp");
}

impl ComponentCommand {
    /// Reads a command for `process`, which is `vf` or `mirror`: they differ in their components.
    ///
    /// Whether a port, a component or a CPU exists is for the process to say. Words that the
    /// original takes and that have no effect are taken, too (`component stop NAME x`); what it
    /// only half understands (`component start` without a type, `add_vlantag` without its numbers) is
    /// refused.
    ///
    /// # Errors
    /// [`Refusal`], in the original's order of checks.
    pub fn parse(text: &str, process: ProcessKind) -> Result<Self, Refusal> {
        Self::read(text, process, &Anything).map_err(|rejected| rejected.refusal)
    }

    /// The same with what `known` says of names and ports, asked for in the order of the words.
    ///
    /// # Errors
    /// The first of the original's checks that fails, and why.
    pub fn read(text: &str, process: ProcessKind, known: &dyn Known) -> Result<Self, Rejection> {
        // It may have more words than any command of the original.
        if let ["component", "set", rest @ ..] =
            &text.split_ascii_whitespace().collect::<Vec<_>>()[..]
        {
            return set(rest, known);
        }
        let words = words(text)?;
        match words.first().copied() {
            Some("component") => component(&words, process, known),
            Some("port") => port(&words, known),
            Some("classifier_table") => classifier_table(&words, known),
            _ => Err(Refusal::COMMAND.into()),
        }
    }
}

impl CaptureCommand {
    /// Reads a command.
    ///
    /// # Errors
    /// [`Refusal`], in the original's order of checks.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        let words = words(text)?;
        let command = match words.first().copied() {
            Some("start") => Self::Start,
            Some("stop") => Self::Stop,
            _ => return Err(Refusal::COMMAND),
        };
        match words.len() {
            1 => Ok(command),
            _ => Err(Refusal::Format),
        }
    }
}

fn words(text: &str) -> Result<Vec<&str>, Refusal> {
    let words: Vec<&str> = text.split_ascii_whitespace().take(MOST_WORDS + 1).collect();
    if words.len() > MOST_WORDS {
        return Err(Refusal::Format);
    }
    Ok(words)
}

fn component(
    words: &[&str],
    process: ProcessKind,
    known: &dyn Known,
) -> Result<ComponentCommand, Rejection> {
    match words {
        [_, "start", word, core, kind] => {
            let name = name(word)?;
            known
                .starts(&name)
                .map_err(Refusal::COMPONENT_NAME.because())?;
            Ok(ComponentCommand::Start {
                name,
                core: self::core(core)?,
                kind: component_kind(kind, process)?,
            })
        }
        [_, "start", _] | [_, "start", _, _] => Err(Refusal::Format.into()),
        [_, "stop", word] | [_, "stop", word, _] | [_, "stop", word, _, _] => {
            Ok(ComponentCommand::Stop(name(word)?))
        }
        _ if (3..=5).contains(&words.len()) => Err(Refusal::ACTION.into()),
        _ => Err(Refusal::Format.into()),
    }
}

fn set(words: &[&str], known: &dyn Known) -> Result<ComponentCommand, Rejection> {
    let [name, setting @ ..] = words else {
        return Err(Refusal::Format.into());
    };
    let name = self::name(name)?;
    known
        .has(&name)
        .map_err(Refusal::COMPONENT_NAME.because())?;
    let setting = Setting::parse(setting).map_err(Refusal::SETTING.because())?;
    known
        .sets(&name, &setting)
        .map_err(Refusal::SETTING.because())?;
    Ok(ComponentCommand::Set { name, setting })
}

fn name(word: &str) -> Result<ComponentName, Rejection> {
    ComponentName::from_str(word).map_err(Refusal::COMPONENT_NAME.because())
}

fn core(word: &str) -> Result<u32, Refusal> {
    let number = number(word).and_then(|number| u32::try_from(number).ok());
    number.filter(|core| *core <= MAX_CORE).ok_or(Refusal::CORE)
}

fn component_kind(word: &str, process: ProcessKind) -> Result<ComponentKind, Refusal> {
    ComponentKind::of(process)
        .iter()
        .copied()
        .find(|kind| kind.word() == word)
        .ok_or(Refusal::COMPONENT_TYPE)
}

fn port(words: &[&str], known: &dyn Known) -> Result<ComponentCommand, Rejection> {
    let [_, action, port, dir, name, tag @ ..] = words else {
        return Err(Refusal::Format.into());
    };
    let attach = match *action {
        "add" => true,
        "del" => false,
        _ => return Err(Refusal::ACTION.into()),
    };
    // All eight words are meant for another tag of a port that is attached already.
    let taken = attach && tag.len() < 3;
    let port = self::port_name(port)?;
    if attach {
        known
            .attaches(port, taken)
            .map_err(Refusal::PORT.because())?;
    }
    let dir = [Direction::Rx, Direction::Tx]
        .into_iter()
        .find(|direction| direction.word() == *dir)
        .ok_or(Refusal::PORT_RXTX)?;
    if attach {
        known
            .attaches_at(port, dir, taken)
            .map_err(Refusal::PORT_RXTX.because())?;
    }
    let name = self::name(name)?;
    known
        .has(&name)
        .map_err(Refusal::COMPONENT_NAME.because())?;
    if !attach {
        // The original looks at the word and does nothing with it.
        return match tag {
            [] | ["add_vlantag" | "del_vlantag", ..] => {
                Ok(ComponentCommand::Detach { name, port, dir })
            }
            _ => Err(Refusal::PORT_VLAN_OPERATION.into()),
        };
    }
    let vlan = match tag {
        [] => None,
        ["del_vlantag", ..] => Some(VlanTag::Del),
        ["add_vlantag", numbers @ ..] => Some(vlan_tag(numbers)?),
        _ => return Err(Refusal::PORT_VLAN_OPERATION.into()),
    };
    Ok(ComponentCommand::Attach {
        name,
        port,
        dir,
        vlan,
    })
}

fn vlan_tag(numbers: &[&str]) -> Result<VlanTag, Refusal> {
    let nth = |at: usize| numbers.get(at).and_then(|word| number(word));
    let id = nth(0).and_then(|id| vlan_id(id).ok());
    let id = id.ok_or(Refusal::PORT_VID)?;
    let tag = nth(1).and_then(|pcp| VlanTag::add(id.into(), pcp).ok());
    tag.ok_or(Refusal::PORT_PCP)
}

fn classifier_table(words: &[&str], known: &dyn Known) -> Result<ComponentCommand, Rejection> {
    let (action, kind, rest) = match words {
        [_, action, kind, rest @ ..] if (2..=3).contains(&rest.len()) => (*action, *kind, rest),
        _ => return Err(Refusal::Format.into()),
    };
    let add = match action {
        "add" => true,
        "del" => false,
        _ => return Err(Refusal::ACTION.into()),
    };
    let (vlan, mac, port) = match (kind, rest) {
        ("mac", [mac, port]) => (None, mac, port),
        ("vlan", [id, mac, port]) => {
            let id = number(id).and_then(|id| vlan_id(id).ok());
            (Some(id.ok_or(Refusal::VLAN_ID)?), mac, port)
        }
        ("mac" | "vlan", _) => return Err(Refusal::Format.into()),
        _ => return Err(Refusal::TYPE.into()),
    };
    let entry = ClassifierEntry {
        vlan,
        mac: mac.parse().map_err(Refusal::MAC_ADDRESS.because())?,
        port: port_name(port)?,
    };
    if add {
        known.enters(&entry).map_err(Refusal::PORT.because())?;
        Ok(ComponentCommand::AddEntry(entry))
    } else {
        known.leaves(&entry).map_err(Refusal::PORT.because())?;
        Ok(ComponentCommand::DelEntry(entry))
    }
}

fn port_name(word: &str) -> Result<PortName, Rejection> {
    word.parse().map_err(Refusal::PORT.because())
}

/// A number as C writes it: `10`, `0x0a` or `012`.
fn number(word: &str) -> Option<u64> {
    let hex = word.strip_prefix("0x").or_else(|| word.strip_prefix("0X"));
    let (digits, radix) = match (hex, word.strip_prefix('0')) {
        (Some(digits), _) => (digits, 16),
        (None, Some(digits)) if !digits.is_empty() => (digits, 8),
        _ => (word, 10),
    };
    // What `from_str_radix` takes beyond digits (`+1`) is refused.
    if digits.starts_with('+') {
        return None;
    }
    u64::from_str_radix(digits, radix).ok()
}
