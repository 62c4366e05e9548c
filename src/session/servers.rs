//! The controllers that a shell knows.

use crate::address::Address;

/// Controllers, one of which commands go to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Servers {
    list: Vec<Address>,
    current: usize,
}

impl Default for Servers {
    fn default() -> Self {
        Self::new(Vec::new())
    }
}

impl Servers {
    /// The first of `list` is the current one; an empty list stands for the default address.
    pub fn new(list: Vec<Address>) -> Self {
        let list = match list.is_empty() {
            true => vec![Address::default()],
            false => list,
        };
        Self { list, current: 0 }
    }

    /// All of them.
    pub fn list(&self) -> &[Address] {
        &self.list
    }

    /// Place of the current one, from 0.
    pub fn current(&self) -> usize {
        self.current
    }

    /// Place of an address, from 0.
    pub fn find(&self, address: &Address) -> Option<usize> {
        self.list.iter().position(|known| known == address)
    }

    /// Makes the one at `place` the current one, if there is one.
    pub fn switch(&mut self, place: usize) -> Option<&Address> {
        let address = self.list.get(place)?;
        self.current = place;
        Some(address)
    }

    /// Puts an address at the end.
    pub fn add(&mut self, address: Address) {
        self.list.push(address);
    }

    /// Takes one out that is there and not the current one, which stays the current one.
    pub fn remove(&mut self, place: usize) -> Option<Address> {
        if place == self.current || place >= self.list.len() {
            return None;
        }
        if place < self.current {
            self.current -= 1;
        }
        Some(self.list.remove(place))
    }
}
