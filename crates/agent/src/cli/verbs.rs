//! The verbs: what each is called and takes ([`PROGRAM`]), and what it is to the program ([`Verb`]).

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use super::args::{self, Ended, Given};
use super::table::{Named, Opt, Spec, Word, choices, meant};
use super::{collect, plugin, queue};
use crate::collect as collectors;
use crate::config::edit::{Asked, OPTIONS};
use crate::model::Platform;
use crate::service::{Removal, Startup, Wanted};
use crate::upgrade;

#[derive(Debug, PartialEq)]
pub enum Verb {
    Version,
    Check,
    Run,
    Debug,
    Install(Wanted),
    Update(Wanted),
    Uninstall(Removal),
    Start { log: Option<PathBuf> },
    Stop,
    Restart,
    Reload,
    Status,
    Upgrade(upgrade::Wanted),
    Service,
    PerfWorker,
    Collect { format: collect::Format, only: Option<String> },
    Queue { what: queue::What },
    Plugin(plugin::What),
    Config,
    Configure(Asked),
    Adopt { dir: String, keep_running: bool },
}

/// The configuration file that is asked for, and what is to be done. The first of `args` is the program's own name.
pub fn parse(args: Vec<OsString>) -> Result<(Option<PathBuf>, Verb), Ended> {
    let (given, verb) = args::parse(&PROGRAM, args)?;
    let verb = match (given.is_on("version"), given.is_on("check")) {
        (true, _) => Verb::Version,
        (_, true) => Verb::Check,
        _ => verb,
    };
    Ok((given.file.map(PathBuf::from), verb))
}

/// Verbs of the Windows service are named on Linux too, where they say what to use instead.
const NO_SERVICE: bool = matches!(Platform::CURRENT, Platform::Linux);

/// The program without a verb. What it is given besides a verb is in place with each.
pub static PROGRAM: Spec = Spec {
    name: "falcon-agent",
    about: "Open-Falcon agent: collects this host's metrics, sends them to a transfer, reports to hbs, takes pushes on :1988",
    options: &[
        Opt { name: "version", aliases: &["v"], short: Some('v'), about: "Print the version and end", ..Opt::NEW },
        Opt {
            name: "check",
            about: "Try every collector of this platform once, print ok or fail for each, and end",
            ..Opt::NEW
        },
    ],
    verbs: &[
        Spec {
            name: "run",
            about: "Run in the foreground (what happens without a verb)",
            make: Some(|_| Ok(Verb::Run)),
            ..Spec::NEW
        },
        Spec {
            name: "debug",
            about: "Run in the foreground (the name that the Python agent has for it)",
            hidden: NO_SERVICE,
            make: Some(|_| Ok(Verb::Debug)),
            ..Spec::NEW
        },
        Spec {
            name: "install",
            about: "Register the service, take over an older agent of this host, and leave it to `start`; --transfer and the like are written into the cfg.json that it makes, and not into one that is there",
            hidden: NO_SERVICE,
            options: &INSTALL,
            make: Some(|given| Ok(Verb::Install(wanted(given)?))),
            ..Spec::NEW
        },
        Spec {
            name: "update",
            about: "Bring the registration of the service up to date with this program and these options",
            hidden: NO_SERVICE,
            options: &WANTED,
            make: Some(|given| Ok(Verb::Update(wanted(given)?))),
            ..Spec::NEW
        },
        Spec {
            name: "uninstall",
            aliases: &["remove"],
            about: "Stop and remove the service; configuration, queue and logs stay",
            hidden: NO_SERVICE,
            options: &[
                Opt { name: "restore", about: "Put the older agent back that `install` took over", ..Opt::NEW },
                Opt { name: "purge", about: "Remove configuration, queue and logs as well", ..Opt::NEW },
            ],
            make: Some(|given| {
                Ok(Verb::Uninstall(Removal { restore: given.is_on("restore"), purge: given.is_on("purge") }))
            }),
            ..Spec::NEW
        },
        Spec {
            name: "start",
            about: "Start the service and wait until it runs",
            hidden: NO_SERVICE,
            options: &[LOG],
            make: Some(|given| Ok(Verb::Start { log: path(given, LOG.name) })),
            ..Spec::NEW
        },
        Spec {
            name: "stop",
            about: "Stop the service and wait until it has stopped",
            hidden: NO_SERVICE,
            make: Some(|_| Ok(Verb::Stop)),
            ..Spec::NEW
        },
        Spec {
            name: "restart",
            about: "Stop the service, if it runs, and start it",
            hidden: NO_SERVICE,
            make: Some(|_| Ok(Verb::Restart)),
            ..Spec::NEW
        },
        Spec {
            name: "reload",
            about: "Let the service read its configuration again, and tell the outcome",
            hidden: NO_SERVICE,
            make: Some(|_| Ok(Verb::Reload)),
            ..Spec::NEW
        },
        Spec {
            name: "status",
            about: "Tell whether the service runs, and how it is registered",
            hidden: NO_SERVICE,
            make: Some(|_| Ok(Verb::Status)),
            ..Spec::NEW
        },
        Spec {
            name: "upgrade",
            about: "Put another executable in the place of the agent's and start it; the old one comes back if it does not run and send",
            options: &[
                Opt {
                    name: "sha256",
                    value: Some("HASH"),
                    about: "SHA-256 of FILE, 64 hexadecimal digits, as SHA256SUMS of the release has it",
                    ..Opt::NEW
                },
                Opt {
                    name: "within",
                    value: Some("SECONDS"),
                    about: "For a transfer to acknowledge a call of the new one, 5 to 3600 [default: 120, more where the configuration waits longer]",
                    ..Opt::NEW
                },
            ],
            words: &[Word { name: "FILE", needed: true, about: "The new executable", choices: Vec::new }],
            make: Some(|given| Ok(Verb::Upgrade(upgrade_to(given)?))),
            ..Spec::NEW
        },
        Spec {
            name: "service",
            about: "What the service control manager starts",
            hidden: true,
            make: Some(|_| Ok(Verb::Service)),
            ..Spec::NEW
        },
        Spec {
            name: "perf-worker",
            about: "The process that the agent asks for performance counters",
            hidden: true,
            make: Some(|_| Ok(Verb::PerfWorker)),
            ..Spec::NEW
        },
        Spec {
            name: "collect",
            about: "Collect once (two samples a second apart, so that rates exist) and print it",
            options: &[
                Opt { choices: || choices(collect::Format::ALL), ..FORMAT },
                Opt {
                    name: "only",
                    value: Some("COLLECTOR"),
                    about: "Only this collector",
                    choices: || collectors::names().into_iter().map(|name| (name, "")).collect(),
                    ..Opt::NEW
                },
            ],
            make: Some(|given| {
                Ok(Verb::Collect {
                    format: meant(given.text(FORMAT.name), collect::Format::ALL).unwrap_or(collect::Format::Table),
                    only: given.text("only").map(str::to_owned),
                })
            }),
            ..Spec::NEW
        },
        Spec {
            name: "queue",
            about: "What waits for a transfer, in memory and on disk",
            words: &[Word {
                name: "WHAT",
                needed: false,
                about: "What to do with it [default: status]",
                choices: || choices(queue::What::ALL),
            }],
            make: Some(|given| {
                Ok(Verb::Queue { what: meant(given.word(), queue::What::ALL).unwrap_or(queue::What::Status) })
            }),
            ..Spec::NEW
        },
        Spec { name: "plugin", about: "Try a plugin", verbs: &[PLUGIN_RUN], ..Spec::NEW },
        Spec {
            name: "configure",
            about: "Write these values into this agent's cfg.json, or into a first one; all else in it stays",
            options: &VALUES,
            make: Some(|given| match OPTIONS.iter().any(|name| given.text(name).is_some()) {
                true => Ok(Verb::Configure(Asked::of(|name| given.text(name)))),
                false => Err("a value is missing: '--transfer <HOST:PORT,...>' and the like"),
            }),
            ..Spec::NEW
        },
        Spec {
            name: "adopt",
            about: "Take over the cfg.json of an agent in another directory, as this agent's, and stop that agent",
            options: &[Opt { name: "keep-running", about: "Do not stop it", ..Opt::NEW }],
            words: &[Word {
                name: "DIR",
                needed: true,
                about: "Of the old agent: cfg.json is in it, in its config or in its agent/config",
                choices: Vec::new,
            }],
            make: Some(|given| {
                let dir = given.word().unwrap_or_default().to_owned();
                Ok(Verb::Adopt { dir, keep_running: given.is_on("keep-running") })
            }),
            ..Spec::NEW
        },
        Spec {
            name: "config",
            about: "Print the effective configuration as JSON, every default filled in, secrets hidden; warnings, the files of cfg.d that are part of it and its agent.config.crc go to standard error",
            make: Some(|_| Ok(Verb::Config)),
            ..Spec::NEW
        },
    ],
    make: Some(|_| Ok(Verb::Run)),
    ..Spec::NEW
};

const PLUGIN_RUN: Spec = Spec {
    name: "run",
    about: "Run one in the foreground as the agent would, and show what would be sent; options stand before PATH",
    options: &[Opt { choices: || choices(plugin::Format::ALL), ..FORMAT }],
    words: &[Word {
        name: "PATH",
        needed: true,
        about: "Of the file, below `plugin.dir` (os/60_users.sh) or from here; with arguments as hbs has them: 'os/60_users.sh(a,b)'",
        choices: Vec::new,
    }],
    rest: Some(("ARGS", "Of the plugin, each as it is")),
    make: Some(|given| {
        Ok(Verb::Plugin(plugin::What::Run {
            format: meant(given.text(FORMAT.name), plugin::Format::ALL).unwrap_or(plugin::Format::Table),
            path: given.word().unwrap_or_default().to_owned(),
            args: given.rest.clone(),
        }))
    }),
    ..Spec::NEW
};

const FORMAT: Opt =
    Opt { name: "format", value: Some("FORMAT"), about: "How it is printed [default: table]", ..Opt::NEW };

const STARTUPS: &[Named<Startup>] = &[
    ("auto", "When the system starts", Startup::Auto),
    ("delayed", "Two minutes after that", Startup::Delayed),
    ("manual", "When somebody starts it", Startup::Manual),
];

const WANTED: [Opt; 3] = [
    Opt {
        name: "startup",
        value: Some("STARTUP"),
        about: "When the service starts [default: auto]",
        choices: || choices(STARTUPS),
        ..Opt::NEW
    },
    Opt {
        name: "user",
        aliases: &["username"],
        value: Some("NAME"),
        about: r"Account that it runs as: NT SERVICE\OpenFalconAgent, a group-managed account (DOMAIN\NAME$), or any other [default: LocalSystem]",
        ..Opt::NEW
    },
    Opt { name: "password-stdin", about: "Read the account's password from standard input, one line", ..Opt::NEW },
];

/// [`OPTIONS`].
const VALUES: [Opt; 6] = [
    Opt { name: "transfer", value: Some("HOST:PORT,..."), about: "The transfers: `transfer.addrs`", ..Opt::NEW },
    Opt { name: "hbs", value: Some("HOST:PORT,..."), about: "The heartbeat server: `heartbeat.addrs`", ..Opt::NEW },
    Opt { name: "endpoint", value: Some("NAME"), about: "What this host is called: `hostname`", ..Opt::NEW },
    Opt { name: "listen", value: Some("[HOST]:PORT"), about: "Where pushes are taken: `http.listen`", ..Opt::NEW },
    Opt {
        name: "interval",
        value: Some("SECONDS"),
        about: "Step of what is collected: `transfer.interval`",
        ..Opt::NEW
    },
    Opt { name: "tags", value: Some("NAME=VALUE,..."), about: "Tags of every metric: `default_tags`", ..Opt::NEW },
];

const START: Opt = Opt {
    name: "start",
    about: "Start the service, too; that it does not start is told and is no failure",
    ..Opt::NEW
};

const LOG: Opt = Opt {
    name: "log",
    value: Some("FILE"),
    about: "Put what would be printed to the end of this file, for whoever runs it without a console",
    ..Opt::NEW
};

/// For packages, which know where a first one belongs and not where one is.
const FIRST_CONFIG: Opt = Opt {
    name: "first-config",
    value: Some("FILE"),
    about: "The configuration where the service is not this agent's yet; one that is keeps its own [default: cfg.json beside the program]",
    ..Opt::NEW
};

fn path(given: &Given, option: &str) -> Option<PathBuf> {
    given.text(option).filter(|file| !file.is_empty()).map(PathBuf::from)
}

const INSTALL: [Opt; 12] = {
    let ([a, b, c], [d, e, f, g, h, i]) = (WANTED, VALUES);
    [a, b, c, d, e, f, g, h, i, START, FIRST_CONFIG, LOG]
};

fn upgrade_to(given: &Given) -> Result<upgrade::Wanted, &'static str> {
    let sha256 = given.text("sha256").ok_or("'--sha256 <HASH>' is missing")?;
    let sha256 = upgrade::parse_hash(sha256).ok_or("'--sha256' wants the 64 hexadecimal digits of a SHA-256")?;
    let within = match given.text("within").map(|text| text.parse().ok().filter(|s| (5..=3600).contains(s))) {
        Some(None) => return Err("'--within' wants seconds, 5 to 3600"),
        within => within.flatten().map(Duration::from_secs),
    };
    Ok(upgrade::Wanted { file: given.word().unwrap_or_default().into(), sha256, within })
}

fn wanted(given: &Given) -> Result<Wanted, &'static str> {
    let user = given.text("user").map(str::to_owned);
    let password_stdin = given.is_on("password-stdin");
    if password_stdin && user.is_none() {
        return Err("'--password-stdin' wants the account too: '--user <NAME>'");
    }
    let (values, start) = (Asked::of(|name| given.text(name)), given.is_on("start"));
    let (first_config, log) = (path(given, FIRST_CONFIG.name), path(given, LOG.name));
    Ok(Wanted {
        startup: meant(given.text("startup"), STARTUPS),
        user,
        password_stdin,
        values,
        start,
        first_config,
        log,
    })
}
