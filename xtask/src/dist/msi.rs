//! The MSI: `packaging/windows/falcon-agent.wxs` through wixl, and then what wixl cannot say.
//!
//! wixl writes actions in an order that changes from run to run, knows no rollback action and no file to remove, writes long
//! names alone, and puts the time and a random package code into the summary. All of that is set afterwards by msibuild, so that
//! the same content makes the same bytes: product code and package code are hashes of it. The tables are those of Microsoft's
//! "Installer Database".

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

use super::Dist;
use super::stamp::Stamp;
use crate::child::Run;
use crate::workspace::Workspace;

const SOURCE: &str = "packaging/windows/falcon-agent.wxs";

/// What is packed, and what it is called in the source of the MSI.
const BESIDE: [(&str, &str); 5] = [
    ("cfg.example.json", "cfg.example.json"),
    ("README.md", "README.md"),
    ("README.zh-CN.md", "README.zh-CN.md"),
    ("LICENSE", "LICENSE"),
    ("crates/agent/windows/falcon-agent.ico", "falcon-agent.ico"),
];

/// Properties that reach the service of Windows Installer from a client without administrator rights, too.
const SECURE: &str = "OLDERFOUND;NEWERFOUND;TRANSFER;HBS;ENDPOINT;LISTEN;INTERVAL;TAGS;NOSTART";

/// Beside the executable, by the verbs: they go with it at a removal. The log goes with the product alone, never at an upgrade: were
/// that undone, an older log would be put over the reason.
const LEFT: [(&str, &str, &str); 5] = [
    ("install.log", "install.log", "LogDir"),
    ("old", "falcaold.exe|falcon-agent.old.exe", "InstallDir"),
    ("new", "falcanew.exe|falcon-agent.new.exe", "InstallDir"),
    ("failed", "falcafai.exe|falcon-agent.failed.exe", "InstallDir"),
    ("unproven", "falcaunp.rov|falcon-agent.unproven", "InstallDir"),
];

/// Of all versions, for ever.
const UPGRADE_CODE: &str = "317B856B-60AC-44F1-865E-94C33049B722";

/// What an action is, and what becomes of it where it fails.
#[derive(Clone, Copy)]
enum Kind {
    /// A verb of the executable, run as SYSTEM in the transaction; everything is undone.
    Must,
    /// The same; nothing.
    May,
    /// The same; it is one that undoes what stands behind it.
    Undoes,
    /// A program of the system, run as [`Kind::May`].
    System,
    /// A program of the system, run before the transaction as whoever asks for it; nothing is begun.
    Asks,
    /// Sets a property.
    Sets,
}

struct Action {
    name: &'static str,
    kind: Kind,
    does: String,
    /// InstallValidate has 1400, InstallInitialize 1500, RemoveFiles 3500, InstallFiles 4000, PublishProduct 6400, InstallFinalize 6600.
    at: u16,
    when: String,
}

/// There is a service of this agent, by whatever it was installed.
const OURS: &str = "SERVICEIMAGE ~>< \"falcon-agent.exe\"";
/// It runs what this package put there, or is about to replace.
const OUR_FILE: &str = "SERVICEIMAGE ~>< InstallDir AND SERVICEIMAGE ~>< \"falcon-agent.exe\"";
/// It starts with the system.
const AUTO: &str = "SERVICESTART = \"#2\"";
const INSTALLS: &str = "(NOT Installed OR REINSTALL) AND NOT REMOVE";
/// Files go or are replaced, and no older product's removal has stopped what runs them.
const REPLACES: &str = "(REMOVE=\"ALL\" OR REINSTALL OR NOT Installed AND NOT OLDERFOUND)";
/// And not because of an upgrade.
const REMOVED: &str = "REMOVE=\"ALL\" AND NOT UPGRADINGPRODUCTCODE";
/// An empty value counts as not given, and one that begins with a dash is none of its own.
const OPTIONS: &str = "\"--transfer=[TRANSFER]\" \"--hbs=[HBS]\" \"--endpoint=[ENDPOINT]\" \"--listen=[LISTEN]\" \
                       \"--interval=[INTERVAL]\" \"--tags=[TAGS]\"";
/// A service of this agent keeps the configuration that it has.
const INSTALL: &str = "install \"--first-config=[DataDir]cfg.json\"";
/// msiexec keeps nothing of what a program prints.
const LOG: &str = "\"--log=[InstallDir]install.log\"";

/// One way to install: the executable's own verbs. Nothing that could fail stands behind `install`.
///
/// A service that does not start with the system is not started, neither at an upgrade nor after it failed.
fn actions() -> [Action; 14] {
    let action = |name, kind, does: &str, at, when| Action { name, kind, does: does.to_owned(), at, when };
    let removed = format!("{REMOVED} AND {OUR_FILE}");
    let start = format!("{INSTALLS} AND NOT NOSTART AND (NOT ({OURS}) OR {AUTO})");
    [
        action("SetLogDir", Kind::Sets, "[InstallDir]", 1410, REMOVED.to_owned()),
        // Windows repairs for users, too, and would run programs as SYSTEM before their eyes. This can be read by administrators.
        action(
            "OnlyAdministrators",
            Kind::Asks,
            "\"[System64Folder]reg.exe\" query HKU\\S-1-5-19",
            1411,
            "REINSTALL".to_owned(),
        ),
        // At a removal, a repair, over an agent that was copied here, and for the older product at an upgrade.
        action("RestartOld", Kind::Undoes, "start", 3401, format!("{REPLACES} AND {OUR_FILE} AND {AUTO}")),
        action("StopOld", Kind::May, "stop", 3402, format!("{REPLACES} AND {OUR_FILE}")),
        action("UndoUninstall", Kind::Undoes, INSTALL, 3403, removed.clone()),
        action("Uninstall", Kind::May, "uninstall", 3404, removed.clone()),
        // Where that failed: no service is left without its file.
        action("DeleteService", Kind::System, "\"[System64Folder]sc.exe\" delete OpenFalconAgent", 3405, removed),
        // At an installation, an upgrade and a repair. What undoes runs from the last to the first.
        action("UndoInstallAlone", Kind::Undoes, "uninstall", 6501, format!("NOT Installed AND NOT ({OURS})")),
        action("UndoInstall", Kind::Undoes, "uninstall --restore", 6502, format!("NOT Installed AND NOT ({OURS})")),
        action(
            "RestartOther",
            Kind::Undoes,
            "start",
            6503,
            format!("NOT Installed AND {OURS} AND NOT ({OUR_FILE}) AND {AUTO}"),
        ),
        action("StopOther", Kind::May, "stop", 6504, format!("NOT Installed AND {OURS}")),
        action("Install", Kind::Must, &format!("{INSTALL} {OPTIONS} {LOG}"), 6505, INSTALLS.to_owned()),
        action("UndoStart", Kind::Undoes, "stop", 6506, start.clone()),
        action("Start", Kind::May, &format!("start {LOG}"), 6507, start),
    ]
}

impl Action {
    /// The type and the source of a row of `CustomAction`.
    ///
    /// 18: a program that is installed; 34: any, in a folder; 51: a property; 64: whatever becomes of it; 256: at the undoing; 1024:
    /// in the script; 2048: as SYSTEM.
    fn row(&self) -> (u16, &'static str) {
        const SCRIPT: u16 = 1024 + 2048;
        match self.kind {
            Kind::Must => (18 + SCRIPT, "falcon_agent.exe"),
            Kind::May => (18 + 64 + SCRIPT, "falcon_agent.exe"),
            Kind::Undoes => (18 + 64 + 256 + SCRIPT, "falcon_agent.exe"),
            Kind::System => (34 + 64 + SCRIPT, "ProgramFiles64Folder"),
            Kind::Asks => (34, "ProgramFiles64Folder"),
            Kind::Sets => (51, "LogDir"),
        }
    }
}

pub fn msi(dist: &Dist<'_>) -> Result<()> {
    let made = make(dist.ws, dist.version, &dist.stamp)?;
    dist.publish(&format!("falcon-agent-{}-x64.msi", dist.version), &made)
}

/// A package that calls itself this version, whatever the executable says of itself.
///
/// # Errors
/// When a file that belongs into it is missing, or wixl or msibuild fails.
pub fn make(ws: &Workspace, version: &str, stamp: &Stamp) -> Result<Vec<u8>> {
    let stage = Stage::new(ws, version, stamp)?;
    let product = format!("ProductCode={}", stage.code("product"));
    let version_is = format!("Version={version}");
    let upgrade = format!("UpgradeCode={UPGRADE_CODE}");
    let wixl = Run::new("wixl").args(["-a", "x64", "-D", &product, "-D", &version_is, "-D", &upgrade]);
    stage.run(wixl.args(["-o", "falcon-agent.msi", "falcon-agent.wxs"]))?;
    let statements = statements(version);
    let queries = statements.iter().flat_map(|statement| ["-q", statement.as_str()]);
    stage.run(Run::new("msibuild").arg("falcon-agent.msi").args(queries))?;
    fs::write(stage.dir.join("summary.idt"), summary(&stage.code("package"), stamp))?;
    stage.run(Run::new("msibuild").args(["falcon-agent.msi", "-i", "summary.idt"]))?;
    fs::read(stage.dir.join("falcon-agent.msi")).context("wixl made no package")
}

/// A folder with everything that is packed, for wixl takes no absolute path.
struct Stage {
    dir: PathBuf,
    /// Of everything that decides what is in the package.
    content: Sha256,
}

impl Stage {
    fn new(ws: &Workspace, version: &str, stamp: &Stamp) -> Result<Self> {
        let dir = ws.target("msi");
        if dir.exists() {
            fs::remove_dir_all(&dir).with_context(|| format!("cannot empty {}", dir.display()))?;
        }
        fs::create_dir_all(&dir)?;
        let mut stage = Self { dir, content: Sha256::new() };
        stage.content.update(version);
        stage.content.update(statements(version).concat());
        stage.add(&ws.path(SOURCE), "falcon-agent.wxs", stamp)?;
        stage.add(&ws.windows_exe(), "falcon-agent.exe", stamp)?;
        for (from, name) in BESIDE {
            stage.add(&ws.path(from), name, stamp)?;
        }
        Ok(stage)
    }

    /// With the time that the cabinet shall hold.
    fn add(&mut self, from: &Path, name: &str, stamp: &Stamp) -> Result<()> {
        let bytes = fs::read(from).with_context(|| format!("cannot pack {}", from.display()))?;
        self.content.update(name);
        self.content.update(Sha256::digest(&bytes));
        let to = self.dir.join(name);
        fs::write(&to, &bytes).with_context(|| format!("cannot write {}", to.display()))?;
        let time = UNIX_EPOCH + Duration::from_secs(stamp.unix);
        File::options().write(true).open(&to)?.set_modified(time)?;
        Ok(())
    }

    /// A UUID of the content (version 5 in form, from SHA-256 instead of SHA-1).
    fn code(&self, of: &str) -> String {
        let hash = self.content.clone().chain_update(of).finalize();
        let mut bytes = [0; 16];
        bytes.iter_mut().zip(hash).for_each(|(byte, hashed)| *byte = hashed);
        let number = u128::from_be_bytes(bytes) & !(0xF << 76) & !(0b11 << 62) | 5 << 76 | 0b10 << 62;
        let hex = format!("{number:032X}");
        let (a, rest) = hex.split_at(8);
        let parts: Vec<&str> = [0, 4, 8].iter().filter_map(|at| rest.get(*at..at + 4)).collect();
        format!("{a}-{}-{}", parts.join("-"), rest.get(12..).unwrap_or_default())
    }

    fn run(&self, run: Run) -> Result<()> {
        run.dir(&self.dir).env("TZ", "UTC").output().map(drop)
    }
}

/// What is set in the tables that wixl made.
fn statements(version: &str) -> Vec<String> {
    let mut statements = vec![
        format!("INSERT INTO `Property` (`Property`, `Value`) VALUES ('SecureCustomProperties', '{SECURE}')"),
        // What is there is looked for by the service of Windows Installer, never by its client.
        "DELETE FROM `InstallUISequence` WHERE `Action`='AppSearch'".to_owned(),
        // With its version: a file without one would never replace one with one.
        format!("UPDATE `File` SET `Version`='{version}.0', `Language`='1033' WHERE `File`='falcon_agent.exe'"),
        "DELETE FROM `MsiFileHash` WHERE `File_`='falcon_agent.exe'".to_owned(),
    ];
    for (table, column, key, name) in [
        ("File", "FileName", "falcon_agent.exe", "falcagnt.exe|falcon-agent.exe"),
        ("File", "FileName", "cfg.example.json", "cfgexmpl.jso|cfg.example.json"),
        ("Directory", "DefaultDir", "InstallDir", "falcagnt|falcon-agent"),
        ("Directory", "DefaultDir", "DataDir", "falcagnt|falcon-agent"),
    ] {
        statements.push(format!("UPDATE `{table}` SET `{column}`='{name}' WHERE `{table}`='{key}'"));
    }
    for (key, name, folder) in LEFT {
        statements.push(format!(
            "INSERT INTO `RemoveFile` (`FileKey`, `Component_`, `FileName`, `DirProperty`, `InstallMode`) \
             VALUES ('{key}', 'Program', '{name}', '{folder}', 2)"
        ));
    }
    // Another package of the same version is older too: 512 is the highest version itself, 256 the lowest; 2 only looks.
    let upgrades = [
        ("'0.0.0'", &*format!("'{version}'"), 256 + 512, "OLDERFOUND"),
        (&*format!("'{version}'"), "''", 2, "NEWERFOUND"),
    ];
    for (lowest, highest, attributes, property) in upgrades {
        statements.push(format!(
            "INSERT INTO `Upgrade` (`UpgradeCode`, `VersionMin`, `VersionMax`, `Attributes`, `ActionProperty`) \
             VALUES ('{{{UPGRADE_CODE}}}', {lowest}, {highest}, {attributes}, '{property}')"
        ));
    }
    let mut sequence = |table: &str, action: &str, when: &str, at: u16| {
        statements.push(format!(
            "INSERT INTO `{table}` (`Action`, `Condition`, `Sequence`) VALUES ('{action}', '{when}', {at})"
        ));
    };
    sequence("InstallUISequence", "FindRelatedProducts", "", 25);
    sequence("InstallExecuteSequence", "FindRelatedProducts", "", 25);
    // The older one goes first and in the same transaction, or it could not be put back.
    sequence("InstallExecuteSequence", "RemoveExistingProducts", "", 1501);
    let actions = actions();
    actions.iter().for_each(|action| sequence("InstallExecuteSequence", action.name, &action.when, action.at));
    for action in &actions {
        let (name, (kind, source), does) = (action.name, action.row(), &action.does);
        statements.push(format!(
            "INSERT INTO `CustomAction` (`Action`, `Type`, `Source`, `Target`) \
             VALUES ('{name}', {kind}, '{source}', '{does}')"
        ));
    }
    statements
}

/// The summary stream, as a table for msibuild.
fn summary(code: &str, stamp: &Stamp) -> String {
    let time = stamp.zip;
    let (year, month, day) = (time.year(), time.month(), time.day());
    let time = format!("{year:04}/{month:02}/{day:02} {:02}:{:02}:{:02}", time.hour(), time.minute(), time.second());
    let rows = [
        "PropertyId\tValue",
        "i2\tl255",
        "_SummaryInformation\tPropertyId",
        "1\t1252",
        "2\tInstallation Database",
        "3\tOpen-Falcon Windows Agent",
        "4\tfalcon-agent contributors",
        "5\tInstaller",
        "6\tInstalls the service OpenFalconAgent. Properties: TRANSFER, HBS, ENDPOINT, LISTEN, INTERVAL, TAGS, NOSTART.",
        "7\tx64;1033",
        &format!("9\t{{{code}}}"),
        &format!("12\t{time}"),
        &format!("13\t{time}"),
        "14\t500",
        // Compressed, with long names.
        "15\t2",
        "18\tmsitools",
        "19\t2",
    ];
    rows.iter().map(|row| format!("{row}\r\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_a_uuid_of_the_content() {
        let stage = |content: &str| Stage { dir: PathBuf::new(), content: Sha256::new_with_prefix(content) };
        let code = stage("one").code("product");
        assert_eq!(code, stage("one").code("product"));
        assert_ne!(code, stage("two").code("product"));
        assert_ne!(code, stage("one").code("package"));
        let groups: Vec<&str> = code.split('-').collect();
        assert_eq!(groups.iter().map(|group| group.len()).collect::<Vec<_>>(), [8, 4, 4, 4, 12], "{code}");
        assert!(code.bytes().all(|byte| byte == b'-' || byte.is_ascii_digit() || (b'A'..=b'F').contains(&byte)));
        assert!(groups[2].starts_with('5') && groups[3].starts_with(['8', '9', 'A', 'B']), "{code}");
    }

    #[test]
    fn the_summary_holds_the_time_of_the_commit() {
        let stamp = Stamp::parse("1795363645 2026 11 22 16 07 25\n").unwrap();
        let text = summary("X", &stamp);
        // Two seconds are what zip, whose time it is, can tell apart.
        assert!(text.contains("12\t2026/11/22 16:07:2") && text.contains("9\t{X}\r\n"), "{text}");
    }
}
