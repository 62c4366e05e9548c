//! A rule in the status of the primary.

use serde_json::{Value, json};

use super::{Action, Eth, Item, Match, Rule, Vlan};

impl Rule {
    /// The rule as an element of `flow` in the status, under its id. Members and their order are those of the
    /// original; 16-bit values are written as numbers are read (VLAN id 100 is `0x0064`).
    pub fn object(&self, id: u64) -> Value {
        let at = &self.attributes;
        json!({
            "rule_id": id,
            "attr": {
                "group": at.group,
                "priority": at.priority,
                "ingress": u8::from(at.ingress),
                "egress": u8::from(at.egress),
                "transfer": u8::from(at.transfer),
            },
            "patterns": self.pattern.iter().map(item).collect::<Vec<_>>(),
            "actions": self.actions.iter().map(action).collect::<Vec<_>>(),
        })
    }
}

fn item(item: &Item) -> Value {
    let (spec, last, mask) = match item {
        Item::Eth(constraint) => parts(constraint, eth),
        Item::Vlan(constraint) => parts(constraint, vlan),
    };
    json!({"type": item.word(), "spec": spec, "last": last, "mask": mask})
}

/// `null` where nothing is set.
fn parts<T>(constraint: &Match<T>, shown: fn(&T) -> Value) -> (Value, Value, Value) {
    let part = |part: &Option<T>| part.as_ref().map_or(Value::Null, shown);
    (
        part(&constraint.spec),
        part(&constraint.last),
        part(&constraint.mask),
    )
}

fn eth(fields: &Eth) -> Value {
    let address = |mac: [u8; 6]| mac.map(|byte| format!("{byte:02X}")).join(":");
    json!({
        "dst": address(fields.dst),
        "src": address(fields.src),
        "type": hex(fields.ether_type),
    })
}

fn vlan(fields: &Vlan) -> Value {
    json!({"tci": hex(fields.tci), "inner_type": hex(fields.inner_type)})
}

fn hex(number: u16) -> String {
    format!("{number:#06x}")
}

fn action(action: &Action) -> Value {
    let conf = match *action {
        Action::Jump { group } => json!({"group": group}),
        Action::Queue { index } => json!({"index": index}),
        Action::OfPopVlan => Value::Null,
        Action::OfPushVlan { ethertype } => json!({"ethertype": hex(ethertype)}),
        Action::OfSetVlanVid { vid } => json!({"vlan_vid": hex(vid)}),
        Action::OfSetVlanPcp { pcp } => json!({"vlan_pcp": format!("{pcp:#03x}")}),
    };
    json!({"type": action.word(), "conf": conf})
}
