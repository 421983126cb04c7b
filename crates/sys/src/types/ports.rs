//! A set of ports.

use std::fmt;

const WORDS: usize = (1 << 16) / 64;

/// Any of the 65,536 ports of TCP or UDP; as large whatever is in it.
#[derive(Clone)]
pub struct Ports(Box<[u64; WORDS]>);

impl Default for Ports {
    fn default() -> Ports {
        Ports(Box::new([0; WORDS]))
    }
}

impl Ports {
    /// Takes all out.
    pub fn clear(&mut self) {
        self.0.fill(0);
    }

    /// Adds one.
    pub fn insert(&mut self, port: u16) {
        if let Some(word) = self.0.get_mut(usize::from(port / 64)) {
            *word |= 1 << (port % 64);
        }
    }

    /// Whether it is in the set.
    #[must_use]
    pub fn contains(&self, port: u16) -> bool {
        self.0.get(usize::from(port / 64)).is_some_and(|word| word & (1 << (port % 64)) != 0)
    }
}

impl fmt::Debug for Ports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries((0..=u16::MAX).filter(|port| self.contains(*port))).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_in_the_set_once_it_was_added() {
        let mut ports = Ports::default();
        for port in [0, 63, 64, 8080, u16::MAX] {
            assert!(!ports.contains(port));
            ports.insert(port);
            assert!(ports.contains(port) && !ports.contains(port ^ 1));
        }
        assert_eq!(format!("{ports:?}"), "{0, 63, 64, 8080, 65535}");
        ports.clear();
        assert_eq!(format!("{ports:?}"), "{}");
    }
}
