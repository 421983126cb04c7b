//! applicationHost.config: which sites and application pools IIS has, and which pool serves which site.
//!
//! Read where its time or size has changed, on a thread that may be lost, as it may lie on a share (redirection.config). What
//! IIS takes for the same name is the same name here: case does not count. A missing `applicationPool` is that of
//! `applicationDefaults` of the site, then of all sites, then `DefaultAppPool`.
//!
//! Whatever the file has costs an error text at most: its size, elements, attributes and namespaces are bounded before and
//! while it is parsed (the parser's time grows with the square of the latter two), the parser does not recurse, and refuses a
//! document type, so there are no entities to expand.
//!
//! Source: `system.applicationHost` in IIS_schema.xml, `configurationRedirection` in rscaext's schema of redirection.config.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::service::expanded;
use roxmltree::{Document, Node, ParsingOptions};

/// Some thousand sites take a few MiB.
const MOST_BYTES: u64 = 16 << 20;
const MOST_REDIRECTION: u64 = 1 << 20;
const MOST_NODES: u32 = 1 << 19;
/// Of one element, and namespaces of the whole file: sound ones have a dozen, and one.
const MOST_ATTRIBUTES: usize = 1000;
const MOST_NAMESPACES: usize = 64;

const FILE: &str = "applicationHost.config";
const REDIRECTION: &str = "redirection.config";
const DEFAULT_POOL: &str = "DefaultAppPool";

/// What IIS compares names by.
pub(super) fn key(name: &str) -> String {
    name.to_lowercase()
}

/// Sites and pools of a host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct HostConfig {
    pub(super) sites: Vec<Site>,
    /// Names as they are written, in that order.
    pub(super) pools: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Site {
    pub(super) name: String,
    /// Keys of the pools of its applications.
    pub(super) pools: BTreeSet<String>,
}

impl HostConfig {
    /// Sites that share none of their pools with another one: what these use is theirs.
    pub(super) fn alone(&self) -> impl Iterator<Item = &Site> {
        let mut users: BTreeMap<&str, usize> = BTreeMap::new();
        for pool in self.sites.iter().flat_map(|site| &site.pools) {
            *users.entry(pool).or_default() += 1;
        }
        let own = move |pool: &String| users.get(pool.as_str()) == Some(&1);
        self.sites.iter().filter(move |site| !site.pools.is_empty() && site.pools.iter().all(&own))
    }

    /// # Errors
    /// Where the text is no XML, or more of it than is read.
    pub(super) fn parse(text: &str) -> Result<HostConfig, String> {
        let document = document(text)?;
        let Some(root) = child(document.root_element(), "system.applicationHost") else {
            return Err("has no <system.applicationHost>".to_owned());
        };
        let mut config = HostConfig::default();
        let pools = children(root, "applicationPools").flat_map(|pools| children(pools, "add"));
        config.pools = pools.filter_map(|pool| named(pool, "name")).map(str::to_owned).collect();
        for sites in children(root, "sites") {
            let default = pool_of_defaults(sites).unwrap_or(DEFAULT_POOL);
            for site in children(sites, "site") {
                let Some(name) = named(site, "name") else { continue };
                let default = pool_of_defaults(site).unwrap_or(default);
                let pool = |application: Node<'_, '_>| key(named(application, "applicationPool").unwrap_or(default));
                let pools = children(site, "application").map(pool).collect();
                config.sites.push(Site { name: name.to_owned(), pools });
            }
        }
        Ok(config)
    }
}

/// For the fuzzer: whatever is in a file, no two sites that have their pools alone have the same one.
pub fn fuzz_file(bytes: &[u8]) {
    if let Ok(config) = HostConfig::parse(&crate::config::decode(bytes)) {
        let mut pools = BTreeSet::new();
        assert!(config.alone().flat_map(|site| &site.pools).all(|pool| pools.insert(pool)), "{pools:?}");
    }
}

fn pool_of_defaults<'a>(of: Node<'a, '_>) -> Option<&'a str> {
    named(child(of, "applicationDefaults")?, "applicationPool")
}

fn document(text: &str) -> Result<Document<'_>, String> {
    if text.matches("xmlns").count() > MOST_NAMESPACES {
        return Err(format!("declares more than {MOST_NAMESPACES} namespaces"));
    }
    // A value of an attribute has no `<`.
    let attributes = |element: &str| element.matches("=\"").count() + element.matches("='").count();
    if text.split('<').any(|element| element.len() > MOST_ATTRIBUTES && attributes(element) > MOST_ATTRIBUTES) {
        return Err(format!("has an element of more than {MOST_ATTRIBUTES} attributes"));
    }
    let options = ParsingOptions { allow_dtd: false, nodes_limit: MOST_NODES, ..ParsingOptions::default() };
    Document::parse_with_options(text, options).map_err(|error| error.to_string())
}

fn children<'a, 'i>(of: Node<'a, 'i>, name: &'static str) -> impl Iterator<Item = Node<'a, 'i>> {
    of.children().filter(move |node| node.has_tag_name(name))
}

fn child<'a, 'i>(of: Node<'a, 'i>, name: &'static str) -> Option<Node<'a, 'i>> {
    children(of, name).next()
}

/// An attribute that says something.
fn named<'a>(of: Node<'a, '_>, attribute: &str) -> Option<&'a str> {
    of.attribute(attribute).filter(|value| !value.is_empty())
}

/// When a file was written and how long it is.
type Stamp = Option<(SystemTime, u64)>;

/// Of redirection.config and applicationHost.config.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Version {
    redirection: Stamp,
    /// What it says: where the configuration lies, unless beside it.
    shared: Option<PathBuf>,
    host: Stamp,
}

/// What a look at the files found.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// As it was.
    Same,
    New(Version, HostConfig),
    /// There is no such file.
    Gone(PathBuf),
}

/// Why a file could not be read, with its path.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unread {
    /// It lies where redirection.config says, perhaps on a share that wants an account of its own.
    pub(super) is_shared: bool,
    pub(super) why: String,
}

/// Looks at the files of a directory; `known` is what was read last.
///
/// # Errors
/// Where a file cannot be read.
pub(super) fn look(directory: &Path, known: Option<&Version>) -> Result<Found, Unread> {
    let path = directory.join(REDIRECTION);
    let told = |error: String| Unread { is_shared: false, why: format!("{}: {error}", path.display()) };
    let redirection = stamp(&path).map_err(|error| told(error.to_string()))?;
    let shared = match known.filter(|known| known.redirection == redirection) {
        Some(known) => known.shared.clone(),
        None if redirection.is_none() => None,
        None => read(&path, MOST_REDIRECTION).map_err(|error| error.to_string()).and_then(redirected).map_err(told)?,
    };

    let path = shared.as_deref().unwrap_or(directory).join(FILE);
    let told = |error: String| Unread { is_shared: shared.is_some(), why: format!("{}: {error}", path.display()) };
    let host = stamp(&path).map_err(|error| told(error.to_string()))?;
    if host.is_none() {
        return Ok(Found::Gone(path));
    }
    let version = Version { redirection, shared: shared.clone(), host };
    if known == Some(&version) {
        return Ok(Found::Same);
    }
    let bytes = read(&path, MOST_BYTES).map_err(|error| told(error.to_string()))?;
    let config = HostConfig::parse(&crate::config::decode(&bytes)).map_err(told)?;
    Ok(Found::New(version, config))
}

/// Where a shared configuration lies, if one is used.
fn redirected(bytes: Vec<u8>) -> Result<Option<PathBuf>, String> {
    let text = crate::config::decode(&bytes);
    let document = document(&text)?;
    let node = child(document.root_element(), "configurationRedirection");
    let is_on = |node: &Node<'_, '_>| node.attribute("enabled").is_some_and(|on| on.eq_ignore_ascii_case("true"));
    let path = node.filter(is_on).and_then(|node| named(node, "path"));
    Ok(path.map(|path| PathBuf::from(expanded(path, |name| std::env::var(name).ok()))))
}

fn stamp(path: &Path) -> io::Result<Stamp> {
    match fs::metadata(path) {
        Ok(found) => Ok(Some((found.modified()?, found.len()))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(most + 1).read_to_end(&mut bytes)?;
    if u64::try_from(bytes.len()).is_ok_and(|len| len > most) {
        return Err(io::Error::other(format!("more than {most} bytes")));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests;
