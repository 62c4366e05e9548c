//! Words become a flow command.

use super::{Action, Attributes, Eth, FlowCommand, FlowError, Item, Match, Rule, Vlan};
use crate::port::PortName;
use crate::quotable;

impl FlowCommand {
    /// Reads the words after `flow`: `validate|create phy:N ATTRIBUTES pattern ITEM / … / end actions ACTION / … / end`
    /// or `destroy phy:N ID|ALL`. The last `/ end` may be missing.
    ///
    /// # Errors
    /// [`FlowError`] in words for the user.
    pub fn parse(text: &str) -> Result<Self, FlowError> {
        let mut words = Words::of(text);
        let form = words.next("validate, create or destroy")?;
        if !["validate", "create", "destroy"].contains(&form) {
            return Err(FlowError::Command(quotable(form)));
        }
        let port = words.port()?;
        match form {
            "validate" => Ok(Self::Validate {
                port,
                rule: words.rule()?,
            }),
            "create" => Ok(Self::Create {
                port,
                rule: words.rule()?,
            }),
            _ => {
                let word = words.next("the id of a rule, or ALL")?;
                let command = match word {
                    "ALL" => Self::DestroyAll { port },
                    word => Self::Destroy {
                        port,
                        id: word.parse().map_err(|_| FlowError::Number {
                            what: "rule id",
                            word: quotable(word),
                            least: 0,
                            most: i64::MAX,
                        })?,
                    },
                };
                words.end()?;
                Ok(command)
            }
        }
    }
}

impl Rule {
    /// Reads a rule: `ATTRIBUTES pattern ITEM / … / end actions ACTION / … / end`.
    ///
    /// # Errors
    /// [`FlowError`] in words for the user.
    pub fn parse(text: &str) -> Result<Self, FlowError> {
        Words::of(text).rule()
    }
}

/// Words that are not read yet. A slash is a word wherever it stands.
struct Words<'a> {
    words: Vec<&'a str>,
    at: usize,
}

impl<'a> Words<'a> {
    fn of(text: &'a str) -> Self {
        let mut words = Vec::new();
        for mut word in text.split_ascii_whitespace() {
            while let Some(at) = word.find('/') {
                let (before, rest) = word.split_at(at);
                words.extend(Some(before).filter(|before| !before.is_empty()));
                words.push("/");
                word = rest.get(1..).unwrap_or_default();
            }
            words.extend(Some(word).filter(|word| !word.is_empty()));
        }
        Self { words, at: 0 }
    }

    fn peek(&self) -> Option<&'a str> {
        self.words.get(self.at).copied()
    }

    fn next(&mut self, what: &'static str) -> Result<&'a str, FlowError> {
        let word = self.peek().ok_or_else(|| {
            let last = self.words.last().copied();
            FlowError::Missing {
                after: quotable(last.unwrap_or("flow")),
                what,
            }
        })?;
        self.at += 1;
        Ok(word)
    }

    fn end(&self) -> Result<(), FlowError> {
        self.peek()
            .map_or(Ok(()), |word| Err(FlowError::Surplus(quotable(word))))
    }

    fn port(&mut self) -> Result<u16, FlowError> {
        let rest = self.words.get(self.at..).unwrap_or_default();
        let (port, used) = PortName::take(rest).map_err(FlowError::Port)?;
        self.at += used;
        match port {
            PortName::Phy { port, queue: None } => Ok(port),
            other => Err(FlowError::NotPhysical(other.to_string())),
        }
    }

    fn rule(&mut self) -> Result<Rule, FlowError> {
        let attributes = self.attributes()?;
        let mut pattern = Vec::new();
        loop {
            match self.next("an item, or end,")? {
                "end" => break,
                "/" if pattern.is_empty() => return Err(FlowError::NoItem),
                word => pattern.push(self.item(word)?),
            }
        }
        if pattern.is_empty() {
            return Err(FlowError::NoItem);
        }
        match self.next("actions")? {
            "actions" => {}
            other => return Err(FlowError::NotActions(quotable(other))),
        }
        let mut actions = Vec::new();
        loop {
            match self.peek() {
                // The last `/ end` may be missing.
                None if !actions.is_empty() => break,
                None | Some("/") => return Err(FlowError::NoAction),
                Some(word) => {
                    self.at += 1;
                    if word == "end" {
                        break;
                    }
                    actions.push(self.action(word)?);
                }
            }
        }
        if actions.is_empty() {
            return Err(FlowError::NoAction);
        }
        self.end()?;
        Ok(Rule {
            attributes,
            pattern,
            actions,
        })
    }

    /// Up to the word `pattern`.
    fn attributes(&mut self) -> Result<Attributes, FlowError> {
        let mut at = Attributes::default();
        loop {
            match self.next("pattern")? {
                "group" => at.group = self.decimal("group")?,
                "priority" => at.priority = self.decimal("priority")?,
                "ingress" => at.ingress = true,
                "egress" => at.egress = true,
                "transfer" => at.transfer = true,
                "pattern" => return Ok(at),
                other => return Err(FlowError::Attribute(quotable(other))),
            }
        }
    }

    fn decimal(&mut self, what: &'static str) -> Result<u32, FlowError> {
        let word = self.next("a number")?;
        let digits = word.bytes().all(|b| b.is_ascii_digit());
        let number = word.parse().ok().filter(|_| digits);
        number.ok_or_else(|| FlowError::Number {
            what,
            word: quotable(word),
            least: 0,
            most: u32::MAX.into(),
        })
    }

    /// A number in C's notation, from 0 to `most`.
    fn number(&mut self, what: &'static str, most: u32) -> Result<u32, FlowError> {
        let word = self.next("a number")?;
        let (digits, radix) = match word.strip_prefix("0x").or_else(|| word.strip_prefix("0X")) {
            Some(digits) => (digits, 16),
            None if word.len() > 1 && word.starts_with('0') => (&word[1..], 8),
            None => (word, 10),
        };
        // `from_str_radix` takes a sign.
        let plain = digits.bytes().all(|b| b.is_ascii_alphanumeric());
        let number = u32::from_str_radix(digits, radix).ok();
        number
            .filter(|number| plain && *number <= most)
            .ok_or_else(|| FlowError::Number {
                what,
                word: quotable(word),
                least: 0,
                most: most.into(),
            })
    }

    /// [`Self::number`] of at most 16 bits.
    fn short(&mut self, what: &'static str, most: u16) -> Result<u16, FlowError> {
        // The number is not greater than `most`.
        Ok(self.number(what, most.into())? as u16)
    }

    fn mac(&mut self, what: &'static str) -> Result<[u8; 6], FlowError> {
        let word = self.next("a MAC address")?;
        let bytes: Option<Vec<u8>> = word
            .split(':')
            .map(|part| {
                let hex =
                    (1..=2).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_hexdigit());
                u8::from_str_radix(part, 16).ok().filter(|_| hex)
            })
            .collect();
        bytes
            .and_then(|bytes| bytes.try_into().ok())
            .ok_or_else(|| FlowError::Mac {
                what,
                word: quotable(word),
            })
    }

    /// The rest of an item, with the slash behind it.
    fn item(&mut self, word: &str) -> Result<Item, FlowError> {
        match word {
            "eth" => Ok(Item::Eth(self.eth()?)),
            "vlan" => Ok(Item::Vlan(self.vlan()?)),
            other => Err(FlowError::Item(quotable(other))),
        }
    }

    fn eth(&mut self) -> Result<Match<Eth>, FlowError> {
        let mut all = Match::<Eth>::default();
        loop {
            match self.next("a field of eth, or /,")? {
                "/" => return Ok(all),
                "dst" => self.address(&mut all, "dst", |eth| &mut eth.dst)?,
                "src" => self.address(&mut all, "src", |eth| &mut eth.src)?,
                "type" => self.bits(&mut all, &ETHER_TYPE)?,
                other => {
                    return Err(FlowError::Field {
                        item: "eth",
                        word: quotable(other),
                        known: "dst, src or type",
                    });
                }
            }
        }
    }

    fn vlan(&mut self) -> Result<Match<Vlan>, FlowError> {
        let mut all = Match::<Vlan>::default();
        loop {
            let word = self.next("a field of vlan, or /,")?;
            if word == "/" {
                return Ok(all);
            }
            let Some(bits) = VLAN.iter().find(|bits| bits.name == word) else {
                return Err(FlowError::Field {
                    item: "vlan",
                    word: quotable(word),
                    known: "tci, pcp, dei, vid or inner_type",
                });
            };
            self.bits(&mut all, bits)?;
        }
    }

    /// An operator, and its value for a field of six bytes.
    fn address(
        &mut self,
        all: &mut Match<Eth>,
        name: &'static str,
        field: fn(&mut Eth) -> &mut [u8; 6],
    ) -> Result<(), FlowError> {
        match self.operator(name)? {
            Operator::Is => {
                let mac = self.mac(name)?;
                *field(all.spec.get_or_insert_default()) = mac;
                *field(all.mask.get_or_insert_default()) = [0xff; 6];
            }
            Operator::Prefix => {
                let length = self.number("prefix", 48)?;
                let bytes = (!(u64::MAX >> length)).to_be_bytes();
                let mask = field(all.mask.get_or_insert_default());
                mask.copy_from_slice(&bytes[..6]);
            }
            Operator::Part(part) => {
                let mac = self.mac(name)?;
                *field(part(all).get_or_insert_default()) = mac;
            }
        }
        Ok(())
    }

    /// An operator, and its value for a field of up to 16 bits.
    fn bits<T: Default>(&mut self, all: &mut Match<T>, bits: &Bits<T>) -> Result<(), FlowError> {
        let most = (1u32 << bits.width) - 1;
        match self.operator(bits.name)? {
            Operator::Is => {
                let value = self.short(bits.name, most as u16)?;
                bits.set(all.spec.get_or_insert_default(), value);
                bits.set(all.mask.get_or_insert_default(), most as u16);
            }
            Operator::Prefix => {
                let length = self.number("prefix", bits.width)?;
                let mask = most & !(most >> length);
                bits.set(all.mask.get_or_insert_default(), mask as u16);
            }
            Operator::Part(part) => {
                let value = self.short(bits.name, most as u16)?;
                bits.set(part(all).get_or_insert_default(), value);
            }
        }
        Ok(())
    }

    fn operator<T>(&mut self, field: &'static str) -> Result<Operator<T>, FlowError> {
        Ok(match self.next("is, spec, last, mask or prefix")? {
            "is" => Operator::Is,
            "prefix" => Operator::Prefix,
            "spec" => Operator::Part(|all| &mut all.spec),
            "last" => Operator::Part(|all| &mut all.last),
            "mask" => Operator::Part(|all| &mut all.mask),
            other => {
                return Err(FlowError::Operator {
                    field,
                    word: quotable(other),
                });
            }
        })
    }

    /// The rest of an action, with the slash behind it, if there is one.
    fn action(&mut self, word: &str) -> Result<Action, FlowError> {
        let (name, action) = match word {
            "jump" => {
                self.field("jump", "group")?;
                let group = self.number("group", u32::MAX)?;
                ("jump", Action::Jump { group })
            }
            "queue" => {
                self.field("queue", "index")?;
                let index = self.short("index", u16::MAX)?;
                ("queue", Action::Queue { index })
            }
            "of_pop_vlan" => ("of_pop_vlan", Action::OfPopVlan),
            "of_push_vlan" => {
                self.field("of_push_vlan", "ethertype")?;
                let ethertype = self.short("ethertype", u16::MAX)?;
                ("of_push_vlan", Action::OfPushVlan { ethertype })
            }
            "of_set_vlan_vid" => {
                self.field("of_set_vlan_vid", "vlan_vid")?;
                let vid = self.short("vlan_vid", 4095)?;
                ("of_set_vlan_vid", Action::OfSetVlanVid { vid })
            }
            "of_set_vlan_pcp" => {
                self.field("of_set_vlan_pcp", "vlan_pcp")?;
                let pcp = self.short("vlan_pcp", 7)? as u8;
                ("of_set_vlan_pcp", Action::OfSetVlanPcp { pcp })
            }
            other => return Err(FlowError::Action(quotable(other))),
        };
        match self.peek() {
            None => Ok(action),
            Some("/") => {
                self.at += 1;
                Ok(action)
            }
            Some(other) => Err(FlowError::Separator {
                after: name,
                word: quotable(other),
            }),
        }
    }

    fn field(&mut self, action: &'static str, field: &'static str) -> Result<(), FlowError> {
        match self.next(field)? {
            word if word == field => Ok(()),
            other => Err(FlowError::ActionField {
                action,
                word: quotable(other),
                field,
            }),
        }
    }
}

/// What is said about a field.
enum Operator<T> {
    /// The value, and all of its bits count.
    Is,
    /// So many bits from the left count.
    Prefix,
    /// One part of the item alone.
    Part(fn(&mut Match<T>) -> &mut Option<T>),
}

/// A field of up to 16 bits within a number of 16 bits.
struct Bits<T> {
    name: &'static str,
    width: u32,
    shift: u32,
    number: fn(&mut T) -> &mut u16,
}

impl<T> Bits<T> {
    /// Puts `value` into the field; what lies beside it stays.
    fn set(&self, fields: &mut T, value: u16) {
        let number = (self.number)(fields);
        let ones = (((1u32 << self.width) - 1) << self.shift) as u16;
        *number = *number & !ones | value << self.shift;
    }
}

const ETHER_TYPE: Bits<Eth> = Bits {
    name: "type",
    width: 16,
    shift: 0,
    number: |eth| &mut eth.ether_type,
};

const VLAN: [Bits<Vlan>; 5] = [
    tci("tci", 16, 0),
    tci("pcp", 3, 13),
    tci("dei", 1, 12),
    tci("vid", 12, 0),
    Bits {
        name: "inner_type",
        width: 16,
        shift: 0,
        number: |vlan| &mut vlan.inner_type,
    },
];

const fn tci(name: &'static str, width: u32, shift: u32) -> Bits<Vlan> {
    Bits {
        name,
        width,
        shift,
        number: |vlan| &mut vlan.tci,
    }
}
