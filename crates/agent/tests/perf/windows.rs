//! A Windows with providers of ours, and an agent in it.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use falcon_perf_fixture::product::{Catalog, Named, Shape};
use falcon_perf_fixture::registration::RegFile;
use falcon_perf_fixture::script::{Fault, Object, Script};
use serde_json::Value;

use crate::harness::agent::{Agent, Home};
use crate::harness::process::Ended;
use crate::prefix::Prefix;

/// Where the copies of the DLL lie, each with its script and its notes.
const COUNTERS: &str = r"C:\counters";

/// Indexes of each provider are so far from those of the one before.
const INDEXES: u32 = 1000;

/// What is to be registered: a service with its provider.
pub struct Provider {
    service: String,
    pub catalog: Catalog,
}

/// A file that `crates/perf-fixture` built.
pub fn built(name: &str) -> PathBuf {
    let folder = std::env::var_os("FALCON_PERF_FIXTURE").unwrap_or_else(|| {
        panic!("FALCON_PERF_FIXTURE must be set; `cargo xtask test --only perf-windows` builds and sets it")
    });
    PathBuf::from(folder).join(name)
}

impl Provider {
    /// The nth of them, from 0.
    pub fn new(n: u32, service: &str) -> Provider {
        Provider { service: service.to_owned(), catalog: Catalog::new(10_000 + n * INDEXES) }
    }

    pub fn object(&mut self, name: &str, counters: &[Named<'_>]) -> Shape {
        self.catalog.object(name, counters)
    }
}

pub struct Windows {
    pub prefix: Prefix,
}

impl Windows {
    /// With these providers, which serve nothing yet, and what else is to be registered.
    pub fn new(providers: &[Provider], also: impl FnOnce(RegFile) -> RegFile) -> Windows {
        let windows = Windows { prefix: Prefix::new() };
        fs::create_dir_all(windows.prefix.on_linux(COUNTERS)).expect("a folder");
        windows.install(providers, also);
        windows
    }

    /// The table of names has those of these providers alone; one that is there already goes on serving what it did.
    pub fn install(&self, providers: &[Provider], also: impl FnOnce(RegFile) -> RegFile) {
        let mut file = RegFile::new().names(providers.iter().flat_map(|provider| provider.catalog.names()));
        for Provider { service, catalog } in providers {
            if !self.beside(service, "dll").exists() {
                self.script(service, Vec::new());
                fs::copy(built("falcon_perf_fixture.dll"), self.beside(service, "dll")).expect("a copy");
            }
            file = file.provider(service, &format!(r"{COUNTERS}\{service}.dll"), catalog.first(), catalog.last());
        }
        self.register(&also(file));
    }

    /// Writes values to the registry.
    pub fn register(&self, file: &RegFile) {
        fs::write(self.prefix.on_linux(r"C:\import.reg"), file.bytes()).expect("a file");
        self.prefix.run("reg", &["import", r"C:\import.reg"]).success();
    }

    fn beside(&self, service: &str, end: &str) -> PathBuf {
        self.prefix.on_linux(&format!(r"{COUNTERS}\{service}.{end}"))
    }

    /// From the next query on the provider serves these objects.
    pub fn script(&self, service: &str, objects: Vec<Object>) {
        self.write(service, &Script { objects, ..Script::default() });
    }

    /// The same, and it fails so where one of them is asked for.
    pub fn fail(&self, service: &str, objects: Vec<Object>, fault: Fault) {
        self.write(service, &Script { objects, fault: Some(fault), ..Script::default() });
    }

    pub fn write(&self, service: &str, script: &Script) {
        script.write(&self.beside(service, "json")).expect("a script");
    }

    /// Every query that the provider was opened for.
    pub fn queries(&self, service: &str) -> Vec<String> {
        let log = fs::read_to_string(self.beside(service, "log")).unwrap_or_default();
        log.lines().map(str::to_owned).collect()
    }

    /// How often each object was asked for, of those that have a place in these catalogs; anything but indexes fails.
    pub fn asked(&self, service: &str) -> BTreeMap<u32, usize> {
        let mut asked = BTreeMap::new();
        for query in self.queries(service) {
            for word in query.split_ascii_whitespace() {
                let index = word.parse().unwrap_or_else(|_| panic!("a query for {query:?}"));
                *asked.entry(index).or_default() += 1;
            }
        }
        asked
    }

    /// An agent in this Windows.
    pub fn start(&self, config: &Value) -> Agent {
        Agent::launch_in(&Home::new(), config, |mut command| {
            self.prefix.enter(&mut command);
            command
        })
        .answering()
    }

    /// Runs one of the fixture's programs.
    pub fn tool(&self, name: &str, args: &[&str]) -> Ended {
        let to = self.prefix.on_linux(COUNTERS).join(name);
        if !to.exists() {
            fs::copy(built(name), &to).expect("a copy");
        }
        self.prefix.run(&format!(r"{COUNTERS}\{name}"), args)
    }

    /// Lines of the processes that read counters for an agent.
    pub fn workers(&self) -> Vec<u32> {
        let processes = self.prefix.processes().into_iter();
        processes.filter(|process| process.line.contains("perf-worker")).map(|process| process.pid).collect()
    }
}
