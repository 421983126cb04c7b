//! What asks web servers: for the checks of URLs, and for the archive of plugins.
//!
//! [`client`] asks, by way of the proxies of the environment ([`proxy`]), with TLS that tells of the certificate what there is to
//! tell ([`tls`], [`certificate`]).

mod certificate;
pub(crate) mod client;
pub(crate) mod proxy;
pub(crate) mod tls;

#[cfg(test)]
pub(crate) mod tests;
