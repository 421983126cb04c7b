//! The addresses that hbs trusts (`Agent.TrustableIps`): who may reload and end the agent besides this host.
//!
//! The list outlives a configuration; it is unknown until hbs has answered.

use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

/// The list as it came last.
#[derive(Debug, Default)]
pub struct Trusted(Mutex<Option<Vec<IpAddr>>>);

impl Trusted {
    /// IPv4 within IPv6 counts as IPv4.
    pub fn set(&self, addresses: Vec<IpAddr>) {
        let addresses = addresses.into_iter().map(|address| address.to_canonical()).collect();
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(addresses);
    }

    pub fn contains(&self, address: IpAddr) -> bool {
        let listed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        listed.as_ref().is_some_and(|listed| listed.contains(&address.to_canonical()))
    }

    /// `None`: hbs has not told.
    pub fn list(&self) -> Option<Vec<IpAddr>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_of_an_address_are_one() {
        let (trusted, own): (_, IpAddr) = (Trusted::default(), "10.0.0.1".parse().unwrap());
        assert!(!trusted.contains(own) && trusted.list().is_none());
        trusted.set(vec!["::ffff:10.0.0.1".parse().unwrap()]);
        assert!(trusted.contains(own) && trusted.contains("::ffff:10.0.0.1".parse().unwrap()));
        assert_eq!(trusted.list(), Some(vec![own]));
        trusted.set(Vec::new());
        assert!(!trusted.contains(own));
    }
}
