//! What a packet is classified by: VLAN and destination address, in one number.

/// Internal number of the VLAN that stands for packets without a tag.
pub(super) const UNTAGGED: u16 = 4095;
/// Ethernet type of an IEEE 802.1Q tag. Packets with another outer tag, as IEEE 802.1ad's, count as untagged.
const TAG: u16 = 0x8100;
/// Bytes of a header with a tag.
pub(super) const HEADER: usize = 18;

/// Bit that every key has.
const LIVE: u64 = 1 << 63;
/// Bit that tells an address from a default.
const ADDRESS: u64 = 1 << 48;
const VLAN_AT: u32 = 49;
/// The first bit of the first byte: addresses of groups have it.
const GROUP: u64 = 1 << 40;

/// VLAN and address as a number that is never zero. Keys are ordered as they are listed: by VLAN, untagged last,
/// the default of a VLAN first in it, then by address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Key(u64);

/// What an entry stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    vlan: u16,
    mac: Option<[u8; 6]>,
}

impl Rule {
    /// The packets of a VLAN (an ID of 0 to 4094; `None`: those without a tag) for an address, or, with `None`, those for which
    /// nothing else is said. The reserved ID 4095 means packets without a tag, too, as packets that carry it count as such.
    /// `None` if the ID is higher.
    pub fn new(vlan: Option<u16>, mac: Option<[u8; 6]>) -> Option<Self> {
        let vlan = vlan.unwrap_or(UNTAGGED);
        (vlan <= UNTAGGED).then_some(Rule { vlan, mac })
    }

    /// The VLAN ID; `None` for packets without a tag.
    pub fn vlan(self) -> Option<u16> {
        (self.vlan != UNTAGGED).then_some(self.vlan)
    }

    /// The address; `None` for the default.
    pub fn mac(self) -> Option<[u8; 6]> {
        self.mac
    }
}

impl std::fmt::Display for Rule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.mac {
            Some([a, b, c, d, e, g]) => {
                write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")?;
            }
            None => f.write_str("default")?,
        }
        match self.vlan() {
            Some(vlan) => write!(f, " in VLAN {vlan}"),
            None => Ok(()),
        }
    }
}

impl From<Rule> for Key {
    fn from(rule: Rule) -> Self {
        match rule.mac {
            Some([a, b, c, d, e, f]) => {
                Key::address(rule.vlan, u64::from_be_bytes([0, 0, a, b, c, d, e, f]))
            }
            None => Key::default_of(rule.vlan),
        }
    }
}

/// Both halves of the beginning of a header.
#[inline(always)]
fn halves(head: &[u8; 16]) -> [u64; 2] {
    let (first, second) = head.split_at(8);
    let half = |bytes: &[u8]| bytes.first_chunk().map_or(0, |b| u64::from_be_bytes(*b));
    [half(first), half(second)]
}

impl Key {
    /// What no entry has.
    pub(super) const NONE: Key = Key(2);

    #[inline(always)]
    fn address(vlan: u16, mac: u64) -> Self {
        Key(LIVE | ADDRESS | u64::from(vlan) << VLAN_AT | mac)
    }

    /// The key of a VLAN's default.
    #[inline(always)]
    pub(super) fn default_of(vlan: u16) -> Self {
        Key(LIVE | u64::from(vlan) << VLAN_AT)
    }

    /// The key of a packet by the beginning of its header; its tag, if it has one, is in there.
    #[inline(always)]
    pub(super) fn of_header(head: &[u8; 16]) -> Self {
        let [first, second] = halves(head);
        let (mac, kind, tag) = (first >> 16, (second >> 16) as u16, second as u16);
        let vlan = if kind == TAG { tag & 0xfff } else { UNTAGGED };
        Key::address(vlan, mac)
    }

    /// The key that packets to the sender of this one have.
    #[inline(always)]
    pub(super) fn of_sender(head: &[u8; 16]) -> Self {
        let [first, second] = halves(head);
        // The sender's address stands behind the receiver's.
        let address = (first << 32 | second >> 32) & 0xffff_ffff_ffff;
        Key(Key::of_header(head).0 & !0xffff_ffff_ffff | address)
    }

    /// The beginning of a header that may end early, for the functions above; `None` if it is not a whole one.
    pub(super) fn whole_header(head: &[u8]) -> Option<[u8; 16]> {
        let mut whole = [0; 16];
        let n = head.len().min(16);
        whole[..n].copy_from_slice(&head[..n]);
        let tagged = n >= 14 && whole[12..14] == TAG.to_be_bytes();
        let needed = if tagged { HEADER } else { 14 };
        (head.len() >= needed).then_some(whole)
    }

    /// As a number that is never zero.
    pub(super) fn raw(self) -> u64 {
        self.0
    }

    /// Internal number of its VLAN.
    #[inline(always)]
    pub(super) fn vlan(self) -> u16 {
        (self.0 >> VLAN_AT) as u16 & 0xfff
    }

    /// Whether it is one of a tagged packet.
    #[inline(always)]
    pub(super) fn is_tagged(self) -> bool {
        self.vlan() != UNTAGGED
    }

    /// Whether its address is that of a group.
    #[inline(always)]
    pub(super) fn is_group(self) -> bool {
        self.0 & GROUP != 0
    }

    /// What it says.
    pub(super) fn rule(self) -> Rule {
        let [_, _, a, b, c, d, e, f] = self.0.to_be_bytes();
        Rule {
            vlan: self.vlan(),
            mac: (self.0 & ADDRESS != 0).then_some([a, b, c, d, e, f]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(mac: [u8; 6], rest: &[u8]) -> [u8; 16] {
        let mut head = [0x55; 16];
        head[..6].copy_from_slice(&mac);
        head[12..12 + rest.len()].copy_from_slice(rest);
        head
    }

    #[test]
    fn keys_and_rules_are_one_another() {
        for vlan in [None, Some(0), Some(1), Some(4094)] {
            for mac in [
                None,
                Some([0; 6]),
                Some([0xff; 6]),
                Some([2, 0, 0, 0, 0, 1]),
            ] {
                let rule = Rule::new(vlan, mac).unwrap();
                assert_eq!(Key::from(rule).rule(), rule);
                assert_eq!((rule.vlan(), rule.mac()), (vlan, mac));
            }
        }
        assert_eq!(Rule::new(Some(4095), None), Rule::new(None, None));
        assert_eq!(Rule::new(Some(4096), None), None);
    }

    #[test]
    fn only_a_tag_of_8100_makes_a_packet_tagged() {
        let mac = [2, 0, 0, 0, 0, 1];
        let of = |rest: &[u8]| Key::of_header(&header(mac, rest)).rule().vlan();
        assert_eq!(of(&[0x81, 0x00, 0x60, 0x64]), Some(100));
        assert_eq!(of(&[0x81, 0x00, 0x1f, 0xfe]), Some(4094));
        assert_eq!(of(&[0x81, 0x00, 0x00, 0x00]), Some(0));
        assert_eq!(of(&[0x81, 0x00, 0x0f, 0xff]), None);
        assert_eq!(of(&[0x88, 0xa8, 0x00, 0x64]), None);
        assert_eq!(of(&[0x91, 0x00, 0x00, 0x64]), None);
        assert_eq!(of(&[0x08, 0x00, 0x45, 0x00]), None);
    }

    #[test]
    fn keys_are_ordered_as_they_are_listed() {
        let key = |vlan, mac| Key::from(Rule::new(vlan, mac).unwrap());
        let listed = [
            key(Some(0), None),
            key(Some(0), Some([0; 6])),
            key(Some(7), None),
            key(Some(7), Some([0, 0, 0, 0, 0, 9])),
            key(Some(7), Some([1, 0, 0, 0, 0, 1])),
            key(None, None),
            key(None, Some([0, 0, 0, 0, 0, 1])),
        ];
        assert!(listed.is_sorted());
        assert!(listed[4].is_group() && !listed[3].is_group());
    }

    #[test]
    fn a_header_that_is_not_whole_has_no_key() {
        let plain = header([2; 6], &[0x08, 0x00]);
        assert_eq!(Key::whole_header(&plain[..13]), None);
        let [.., x, y] = Key::whole_header(&plain[..14]).unwrap();
        assert_eq!((x, y), (0, 0));
        assert_eq!(Key::whole_header(&plain), Some(plain));
        let mut tagged = [0; HEADER];
        tagged[..16].copy_from_slice(&header([2; 6], &[0x81, 0x00, 0x00, 0x05]));
        for short in 14..HEADER {
            assert_eq!(Key::whole_header(&tagged[..short]), None);
        }
        let head = Key::whole_header(&tagged).unwrap();
        assert_eq!(Key::of_header(&head).rule().vlan(), Some(5));
    }

    #[test]
    fn the_sender_has_the_vlan_of_the_packet() {
        let mut head = header([2; 6], &[0x81, 0x00, 0x20, 0x05]);
        head[6..12].copy_from_slice(&[2, 3, 4, 5, 6, 7]);
        let rule = Key::of_sender(&head).rule();
        assert_eq!(rule, Rule::new(Some(5), Some([2, 3, 4, 5, 6, 7])).unwrap());
        head[12] = 0x08;
        assert_eq!(Key::of_sender(&head).rule().vlan(), None);
    }
}
