//! The grammar of the checks that hbs assigns, as the Go agent reads it (falcon-plus, modules/agent/cron/builtin.go), oddities
//! included: what it emits is matched by judge with the strategy's own tags, so tags go out as they came.
//!
//! * `net.port.listen`: `ANY=PORT`, a decimal integer without blanks; said with `port=N`. A port that cannot be is closed.
//! * `proc.num`: parts between commas; those that begin with `name=` or `cmdline=` count, the last of each, and all others do
//!   not. With neither, every process fits. Said with the strategy's tags as they are.
//! * `du.bs`: `ANY=PATH`; said with `path=PATH`, without blanks around it.

use super::BuiltinMetric;
use crate::model::Tags;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortCheck {
    /// `None`: beyond 65,535 or below 0.
    pub port: Option<u16>,
    pub tags: Tags,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessCheck {
    pub name: Option<String>,
    pub cmdline: Option<String>,
    pub tags: Tags,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectoryCheck {
    pub path: String,
    pub tags: Tags,
}

/// All that is to be checked, each series once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checks {
    pub ports: Vec<PortCheck>,
    pub processes: Vec<ProcessCheck>,
    pub directories: Vec<DirectoryCheck>,
}

/// Why a check is not run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    Malformed(&'static str),
    /// `url.check.health`.
    Url,
    /// A metric that hbs has in addition to those of the Go agent.
    Unknown,
}

impl Checks {
    /// What can be run, and `metric/tags` of what cannot.
    pub fn read(metrics: &[BuiltinMetric]) -> (Checks, Vec<(String, Refusal)>) {
        let (mut checks, mut refused) = (Checks::default(), Vec::new());
        for BuiltinMetric { metric, tags } in metrics {
            let read = match metric.as_str() {
                "net.port.listen" => port(tags).map(|check| once(&mut checks.ports, check)),
                "proc.num" => {
                    once(&mut checks.processes, process(tags));
                    Ok(())
                }
                "du.bs" => directory(tags).map(|check| once(&mut checks.directories, check)),
                "url.check.health" => Err(Refusal::Url),
                _ => Err(Refusal::Unknown),
            };
            if let Err(refusal) = read {
                refused.push((format!("{metric}/{tags}"), refusal));
            }
        }
        (checks, refused)
    }
}

fn once<T: PartialEq>(checks: &mut Vec<T>, check: T) {
    if !checks.contains(&check) {
        checks.push(check);
    }
}

/// What follows the only `=`.
fn value(tags: &str) -> Result<&str, Refusal> {
    let only = tags.split_once('=').map(|(_, value)| value).filter(|value| !value.contains('='));
    only.ok_or(Refusal::Malformed("its tags are not one `key=value`"))
}

fn port(tags: &str) -> Result<PortCheck, Refusal> {
    let port: i64 = value(tags)?.parse().map_err(|_| Refusal::Malformed("its port is not a plain number"))?;
    Ok(PortCheck { port: u16::try_from(port).ok(), tags: Tags::raw(format!("port={port}")) })
}

fn process(tags: &str) -> ProcessCheck {
    let last = |key: &str| tags.split(',').rev().find_map(|part| part.strip_prefix(key));
    let trimmed = |key: &str| last(key).map(|value| value.trim().to_owned());
    ProcessCheck { name: trimmed("name="), cmdline: trimmed("cmdline="), tags: Tags::raw(tags) }
}

fn directory(tags: &str) -> Result<DirectoryCheck, Refusal> {
    let path = value(tags)?.trim();
    Ok(DirectoryCheck { path: path.to_owned(), tags: Tags::raw(format!("path={path}")) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(metric: &str, tags: &str) -> (Checks, Vec<Refusal>) {
        let (checks, refused) = Checks::read(&[BuiltinMetric { metric: metric.to_owned(), tags: tags.to_owned() }]);
        (checks, refused.into_iter().map(|(_, refusal)| refusal).collect())
    }

    #[test]
    fn a_port_is_one_pair_with_a_plain_number() {
        for (tags, port, emitted) in [
            ("port=8080", Some(8080), "port=8080"),
            ("anything=22", Some(22), "port=22"),
            ("=080", Some(80), "port=80"),
            ("port=+7", Some(7), "port=7"),
            ("port=0", Some(0), "port=0"),
            // The Go agent says of these that nobody listens there.
            ("port=65536", None, "port=65536"),
            ("port=-1", None, "port=-1"),
        ] {
            let (checks, refused) = read("net.port.listen", tags);
            assert_eq!(checks.ports, [PortCheck { port, tags: Tags::raw(emitted) }], "{tags}");
            assert!(refused.is_empty());
        }
        for tags in [
            "",
            "port",
            "8080",
            "port=",
            "port= 80",
            "port=80 ",
            "port=http",
            "port=1=2",
            "a=1,b=2",
            "port=1e3",
            "port=9223372036854775808",
            "port=0x50",
            "port=1_0",
            "port=８０",
        ] {
            let (checks, refused) = read("net.port.listen", tags);
            assert!(checks.ports.is_empty() && matches!(&refused[..], [Refusal::Malformed(_)]), "{tags}");
        }
    }

    #[test]
    fn a_process_is_named_by_parts_that_begin_so() {
        let check = |name: Option<&str>, cmdline: Option<&str>, tags: &str| ProcessCheck {
            name: name.map(str::to_owned),
            cmdline: cmdline.map(str::to_owned),
            tags: Tags::raw(tags),
        };
        for (tags, name, cmdline) in [
            ("name=nginx", Some("nginx"), None),
            ("cmdline=-c /etc/a b", None, Some("-c /etc/a b")),
            ("name= nginx ,cmdline=\tx", Some("nginx"), Some("x")),
            ("name=a,name=b,cmdline=c,cmdline=d", Some("b"), Some("d")),
            ("cmdline=a=b", None, Some("a=b")),
            ("name=", Some(""), None),
            // A blank before the word makes it another one, and with none of the two every process fits.
            (" name=nginx", None, None),
            ("Name=nginx,user=x", None, None),
            ("", None, None),
        ] {
            let (checks, refused) = read("proc.num", tags);
            assert_eq!(checks.processes, [check(name, cmdline, tags)], "{tags}");
            assert_eq!(checks.processes[0].tags.as_str(), tags, "as they are");
            assert!(refused.is_empty());
        }
    }

    #[test]
    fn a_directory_is_one_pair() {
        for (tags, path) in
            [("path=/var/log", "/var/log"), ("x= /a b ", "/a b"), ("path=-h", "-h"), ("path=/a,b", "/a,b")]
        {
            let expected = DirectoryCheck { path: path.to_owned(), tags: Tags::raw(format!("path={path}")) };
            assert_eq!(read("du.bs", tags).0.directories, [expected], "{tags}");
        }
        for tags in ["", "/var/log", "path=/a=b", "path=/a,x=b"] {
            assert!(matches!(&read("du.bs", tags).1[..], [Refusal::Malformed(_)]), "{tags}");
        }
    }

    #[test]
    fn a_series_is_checked_once_and_what_is_not_known_is_passed_over() {
        let metric = |metric: &str, tags: &str| BuiltinMetric { metric: metric.to_owned(), tags: tags.to_owned() };
        let (checks, refused) = Checks::read(&[
            metric("net.port.listen", "port=80"),
            metric("net.port.listen", "web=080"),
            metric("proc.num", "name=a"),
            metric("proc.num", "name=a"),
            metric("url.check.health", "url=http://x,timeout=3"),
            metric("cpu.idle", ""),
        ]);
        assert_eq!((checks.ports.len(), checks.processes.len()), (1, 1));
        let refused: Vec<_> = refused.into_iter().map(|(_, refusal)| refusal).collect();
        assert_eq!(refused, [Refusal::Url, Refusal::Unknown]);
    }
}
