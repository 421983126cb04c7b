//! What the MSI tells Windows Installer, where Wine does not show it: order, conditions, undoing, upgrade codes.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use crate::condition;
use crate::host::{msi, next_msi};

fn msiinfo(args: &[&str], package: &Path) -> String {
    let (verb, rest) = args.split_first().expect("a verb");
    let out = Command::new("msiinfo").arg(verb).arg(package).args(rest).output().expect("msiinfo");
    assert!(out.status.success(), "{args:?}: {out:?}");
    String::from_utf8(out.stdout).expect("UTF-8")
}

/// Rows by their first column.
fn table(name: &str, package: &Path) -> BTreeMap<String, Vec<String>> {
    let text = msiinfo(&["export", name], package);
    let cells = |line: &str| line.split('\t').map(str::to_owned).collect::<Vec<_>>();
    let rows = text.lines().skip(3).map(cells).map(|mut row| (row.remove(0), row));
    rows.collect()
}

fn sequence(package: &Path) -> BTreeMap<String, (String, u16)> {
    let rows = table("InstallExecuteSequence", package).into_iter();
    rows.map(|(action, row)| (action, (row[0].clone(), row[1].parse().expect("a number")))).collect()
}

#[test]
fn what_is_there_is_stopped_before_files_change_and_installed_after() {
    let sequence = sequence(&msi());
    let order = [
        "FindRelatedProducts",
        "AppSearch",
        "LaunchConditions",
        "CostFinalize",
        "InstallValidate",
        "SetLogDir",
        "OnlyAdministrators",
        "InstallInitialize",
        "RemoveExistingProducts",
        "ProcessComponents",
        "RestartOld",
        "StopOld",
        "UndoUninstall",
        "Uninstall",
        "DeleteService",
        "RemoveFiles",
        "InstallFiles",
        "PublishProduct",
        "UndoInstallAlone",
        "UndoInstall",
        "RestartOther",
        "StopOther",
        "Install",
        "UndoStart",
        "Start",
        "InstallFinalize",
    ];
    let numbers: Vec<u16> = order.iter().map(|action| sequence[*action].1).collect();
    assert!(numbers.is_sorted_by(|a, b| a < b), "{numbers:?}");
    assert_eq!(numbers[8], numbers[7] + 1, "an older product goes in the transaction, before anything else is in it");
}

#[test]
fn verbs_run_as_the_system_in_the_transaction_and_only_install_may_fail_it() {
    // A program that is installed, in the script, without impersonation.
    const DEFERRED: u16 = 18 + 1024 + 2048;
    const CONTINUE: u16 = 64;
    const ROLLBACK: u16 = 256;
    const INSTALL: &str = "install \"--first-config=[DataDir]cfg.json\"";
    const LOG: &str = "\"--log=[InstallDir]install.log\"";
    let values = ["TRANSFER", "HBS", "ENDPOINT", "LISTEN", "INTERVAL", "TAGS"];
    // One word each: a value that begins with a dash is none of its own.
    let values = values.map(|property| format!(" \"--{}=[{property}]\"", property.to_lowercase())).concat();
    let (install, start) = (format!("{INSTALL}{values} {LOG}"), format!("start {LOG}"));
    let of_system = 34 + CONTINUE + 1024 + 2048;
    let expected = [
        ("DeleteService", of_system, "ProgramFiles64Folder", "\"[System64Folder]sc.exe\" delete OpenFalconAgent"),
        ("Install", DEFERRED, "falcon_agent.exe", &install),
        // Before the transaction, as whoever asks; its exit code counts.
        ("OnlyAdministrators", 34, "ProgramFiles64Folder", r#""[System64Folder]reg.exe" query HKU\S-1-5-19"#),
        ("RestartOld", DEFERRED + CONTINUE + ROLLBACK, "falcon_agent.exe", "start"),
        ("RestartOther", DEFERRED + CONTINUE + ROLLBACK, "falcon_agent.exe", "start"),
        ("SetLogDir", 51, "LogDir", "[InstallDir]"),
        ("Start", DEFERRED + CONTINUE, "falcon_agent.exe", &start),
        ("StopOld", DEFERRED + CONTINUE, "falcon_agent.exe", "stop"),
        ("StopOther", DEFERRED + CONTINUE, "falcon_agent.exe", "stop"),
        ("UndoInstall", DEFERRED + CONTINUE + ROLLBACK, "falcon_agent.exe", "uninstall --restore"),
        ("UndoInstallAlone", DEFERRED + CONTINUE + ROLLBACK, "falcon_agent.exe", "uninstall"),
        ("UndoStart", DEFERRED + CONTINUE + ROLLBACK, "falcon_agent.exe", "stop"),
        ("UndoUninstall", DEFERRED + CONTINUE + ROLLBACK, "falcon_agent.exe", INSTALL),
        ("Uninstall", DEFERRED + CONTINUE, "falcon_agent.exe", "uninstall"),
    ];
    let actions = table("CustomAction", &msi());
    let seen: Vec<(&str, u16, &str, &str)> =
        actions.iter().map(|(name, row)| (name.as_str(), row[0].parse().unwrap(), &*row[1], &*row[2])).collect();
    assert_eq!(seen, expected);
}

/// What is there, and what is asked for: properties.
type Properties<'a> = &'a [(&'a str, &'a str)];
/// What happens, with what, and the actions that run then and at the undoing.
type State<'a> = (&'a str, Vec<(&'a str, &'a str)>, &'a str, &'a str);

const HERE: &str =
    r#""C:\Program Files\falcon-agent\falcon-agent.exe" service -c "C:\ProgramData\falcon-agent\cfg.json""#;
const HERE_BY_HAND: &str = r#""C:\PROGRAM FILES\Falcon-Agent\falcon-agent.exe" service -c "C:\etc\web.json""#;
const ELSEWHERE: &str = r#""C:\agent\Falcon-Agent.exe" service -c "C:\ProgramData\falcon-agent\cfg.json""#;
const PYTHON: &str = r#""C:\Python27\Lib\site-packages\win32\PythonService.exe""#;
const AUTO: (&str, &str) = ("SERVICESTART", "#2");
const MANUAL: (&str, &str) = ("SERVICESTART", "#3");

/// The package's own actions, in order: those that run, and those that do when all is undone after the last.
fn run(sequence: &BTreeMap<String, (String, u16)>, state: Properties<'_>) -> (Vec<String>, Vec<String>) {
    let actions = table("CustomAction", &msi());
    let is_undoing = |name: &str| actions[name][0].parse::<u16>().expect("a number") & 256 != 0;
    let mut own: Vec<_> = sequence.iter().filter(|(name, _)| actions.contains_key(*name)).collect();
    own.sort_by_key(|(_, (_, at))| *at);
    let run = own.into_iter().filter(|(_, (when, _))| condition::holds(when, state)).map(|(name, _)| name.clone());
    let (mut undoing, doing): (Vec<String>, Vec<String>) = run.partition(|name| is_undoing(name));
    undoing.reverse();
    (doing, undoing)
}

/// An agent copied by hand to where the package puts one was stopped by nobody before its file was replaced, and started by nobody
/// when that was undone. A configuration that is not called cfg.json was switched away from.
#[test]
fn in_each_state_these_actions_run_and_these_when_it_is_undone() {
    let sequence = sequence(&msi());
    let upgrade = &[("OLDERFOUND", "{X}"), ("SERVICEIMAGE", HERE), AUTO][..];
    let older = &[("Installed", "x"), ("REMOVE", "ALL"), ("UPGRADINGPRODUCTCODE", "{Y}")][..];
    let removed = &[("Installed", "x"), ("REMOVE", "ALL")][..];
    let repaired = &[("Installed", "x"), ("REINSTALL", "ALL")][..];
    let here = &[("SERVICEIMAGE", HERE), AUTO][..];
    let states: [State<'_>; 18] = [
        ("on a fresh host", vec![], "Install Start", "UndoStart UndoInstall UndoInstallAlone"),
        ("and left stopped", vec![("NOSTART", "1")], "Install", "UndoInstall UndoInstallAlone"),
        (
            "over the Python agent",
            vec![("SERVICEIMAGE", PYTHON), AUTO],
            "Install Start",
            "UndoStart UndoInstall UndoInstallAlone",
        ),
        ("over one copied here", here.to_vec(), "StopOld StopOther Install Start", "UndoStart RestartOld"),
        ("left stopped", [here, &[("NOSTART", "1")]].concat(), "StopOld StopOther Install", "RestartOld"),
        (
            "with a configuration of its own",
            vec![("SERVICEIMAGE", HERE_BY_HAND), AUTO],
            "StopOld StopOther Install Start",
            "UndoStart RestartOld",
        ),
        ("started by hand", vec![("SERVICEIMAGE", HERE), MANUAL], "StopOld StopOther Install", ""),
        (
            "over one elsewhere",
            vec![("SERVICEIMAGE", ELSEWHERE), AUTO],
            "StopOther Install Start",
            "UndoStart RestartOther",
        ),
        ("started by hand", vec![("SERVICEIMAGE", ELSEWHERE), MANUAL], "StopOther Install", ""),
        ("an upgrade", upgrade.to_vec(), "StopOther Install Start", "UndoStart"),
        ("its removal of the older one", [older, here].concat(), "StopOld", "RestartOld"),
        ("started by hand", [older, &[("SERVICEIMAGE", HERE), MANUAL]].concat(), "StopOld", ""),
        ("a repair", [repaired, here].concat(), "OnlyAdministrators StopOld Install Start", "UndoStart RestartOld"),
        ("without a service", repaired.to_vec(), "OnlyAdministrators Install Start", "UndoStart"),
        (
            "a removal",
            [removed, here].concat(),
            "SetLogDir StopOld Uninstall DeleteService",
            "UndoUninstall RestartOld",
        ),
        ("of what runs another file", [removed, &[("SERVICEIMAGE", ELSEWHERE), AUTO]].concat(), "SetLogDir", ""),
        ("without a service", removed.to_vec(), "SetLogDir", ""),
        ("of a feature that is there", vec![("Installed", "x")], "", ""),
    ];
    for (what, state, doing, undoing) in states {
        let state = [&state, &[("InstallDir", r"C:\Program Files\falcon-agent\")][..]].concat();
        let (does, undoes) = run(&sequence, &state);
        assert_eq!((&*does.join(" "), &*undoes.join(" ")), (doing, undoing), "{what}: {state:?}");
    }
}

#[test]
fn what_would_reach_the_command_line_is_refused() {
    let conditions = table("LaunchCondition", &msi());
    let refused = |state: Properties<'_>| {
        let state = [state, &[("Quote", "\""), ("VersionNT64", "601")]].concat();
        conditions.keys().filter(|when| !condition::holds(when, &state)).count()
    };
    for property in ["TRANSFER", "HBS", "ENDPOINT", "LISTEN", "INTERVAL", "TAGS"] {
        for (value, refusals) in [("", 0), ("-web 01", 0), (r"a\b", 0), (r#"a" --user "x"#, 1), (r"a\", 1)] {
            assert_eq!(refused(&[(property, value)]), refusals, "{property}={value}");
        }
    }
    assert_eq!(refused(&[("NEWERFOUND", "{Z}")]), 1);
}

#[test]
fn every_version_is_found_by_its_upgrade_code_and_a_newer_one_is_left_alone() {
    let version = env!("CARGO_PKG_VERSION");
    for (package, version) in [(msi(), version), (next_msi(), "0.99.0")] {
        let text = msiinfo(&["export", "Upgrade"], &package);
        let mut rows: Vec<&str> = text.lines().skip(3).collect();
        rows.sort_unstable();
        let code = "{317B856B-60AC-44F1-865E-94C33049B722}";
        let expected = [
            // From 0.0.0 to this one, both included.
            format!("{code}\t0.0.0\t{version}\t\t768\t\tOLDERFOUND"),
            // Newer, which is only told.
            format!("{code}\t{version}\t\t\t2\t\tNEWERFOUND"),
        ];
        assert_eq!(rows, expected);
        assert!(table("LaunchCondition", &package).contains_key("NOT NEWERFOUND"));
    }
    let codes = [msi(), next_msi()].map(|package| table("Property", &package)["ProductCode"][0].clone());
    assert_ne!(codes[0], codes[1]);
}

#[test]
fn properties_and_summary_are_those_of_a_silent_installation_per_machine() {
    let properties = table("Property", &msi());
    let property = |name: &str| properties[name][0].as_str();
    assert_eq!(property("ALLUSERS"), "1");
    // In Programs and Features both would be asked for without the rights.
    assert_eq!((property("ARPNOMODIFY"), property("ARPNOREPAIR")), ("1", "1"));
    assert_eq!((property("REBOOT"), property("MSIRESTARTMANAGERCONTROL")), ("ReallySuppress", "Disable"));
    assert_eq!(
        property("SecureCustomProperties"),
        "OLDERFOUND;NEWERFOUND;TRANSFER;HBS;ENDPOINT;LISTEN;INTERVAL;TAGS;NOSTART"
    );
    // What is there is looked for where nobody without rights has a say.
    assert!(!table("InstallUISequence", &msi()).contains_key("AppSearch"));
    let files = table("File", &msi());
    let names: Vec<&str> = files.keys().map(String::as_str).collect();
    assert_eq!(names, ["LICENSE", "README.md", "README.zh_CN.md", "cfg.example.json", "falcon_agent.exe"]);
    assert_eq!(files["falcon_agent.exe"][3], format!("{}.0", env!("CARGO_PKG_VERSION")));
    let summary = msiinfo(&["suminfo"], &msi());
    for line in ["Template: x64;1033", "Security: 2 (2)", "Version: 500 (1f4)", "Source: 2 (2)"] {
        assert!(summary.contains(line), "{summary}");
    }
}
