//! The proxies of the environment, as curl reads it (manual page of curl, ENVIRONMENT).
//!
//! `http_proxy` counts in small letters alone, for `HTTP_PROXY` may be the header of a request; `https_proxy`, `all_proxy` and
//! `no_proxy` in either. What is empty is not set. `no_proxy` has names, which stand for all below them too, addresses,
//! networks, or `*`. A proxy that cannot be used is told, and never passed by.

use std::net::IpAddr;

use crate::config::{Network, WebAddress, split_scheme, without_credentials};

/// curl's own.
const PORT: u16 = 1080;

pub(crate) type Proxy = Result<WebAddress, String>;

#[derive(Default)]
pub(crate) struct Proxies {
    http: Option<Proxy>,
    https: Option<Proxy>,
    without: Vec<Without>,
}

/// Whom no proxy is asked for.
enum Without {
    All,
    Network(Network),
    /// And what is below it; in small letters.
    Name(String),
}

impl Proxies {
    pub fn of_environment() -> Proxies {
        Proxies::of(|name| std::env::var(name).ok())
    }

    pub fn of(variable: impl Fn(&str) -> Option<String>) -> Proxies {
        let first = |names: &[&'static str]| {
            let set = |name| variable(name).filter(|value: &String| !value.is_empty()).map(|value| (name, value));
            names.iter().copied().find_map(set)
        };
        let of = |names: &[&'static str]| {
            let set = first(names).or_else(|| first(&["all_proxy", "ALL_PROXY"]));
            set.map(|(name, value)| {
                proxy(&value).map_err(|why| format!("{name} is {}: {why}", without_credentials(&value)))
            })
        };
        let without = first(&["no_proxy", "NO_PROXY"]).map(|(_, list)| list).unwrap_or_default();
        let without = without.split([',', ' ']).filter(|entry| !entry.is_empty()).map(Without::read).collect();
        Proxies { http: of(&["http_proxy"]), https: of(&["https_proxy", "HTTPS_PROXY"]), without }
    }

    /// Who is asked in its place.
    pub fn of_address(&self, address: &WebAddress) -> Option<&Proxy> {
        let proxy = if address.is_https { &self.https } else { &self.http };
        proxy.as_ref().filter(|_| !self.is_without(&address.host))
    }

    fn is_without(&self, host: &str) -> bool {
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        let ip: Option<IpAddr> = host.parse().ok();
        self.without.iter().any(|without| match (without, ip) {
            (Without::All, _) => true,
            (Without::Network(network), Some(ip)) => network.contains(ip),
            (Without::Name(name), None) => {
                host.strip_suffix(name.as_str()).is_some_and(|before| before.is_empty() || before.ends_with('.'))
            }
            _ => false,
        })
    }
}

impl Without {
    fn read(entry: &str) -> Without {
        let bare = entry.strip_prefix('[').and_then(|entry| entry.strip_suffix(']')).unwrap_or(entry);
        match Network::parse(bare) {
            _ if entry == "*" => Without::All,
            Some(network) => Without::Network(network),
            None => {
                let name = entry.strip_prefix('.').unwrap_or(entry).trim_end_matches('.');
                Without::Name(name.to_ascii_lowercase())
            }
        }
    }
}

fn proxy(value: &str) -> Result<WebAddress, &'static str> {
    let (scheme, rest) = split_scheme(value.trim());
    if !(scheme.is_empty() || scheme.eq_ignore_ascii_case("http://")) {
        return Err("only a proxy of http:// can be used");
    }
    let mut proxy = WebAddress::parse(&format!("http://{rest}"))?;
    // The two differ where no port is written.
    if WebAddress::parse(&format!("https://{rest}"))?.port != proxy.port {
        proxy.port = PORT;
    }
    Ok(proxy)
}
