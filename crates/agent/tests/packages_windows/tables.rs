//! What the MSI tells Windows Installer, where Wine does not show it: order, conditions, undoing, upgrade codes.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

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
        "InstallInitialize",
        "RemoveExistingProducts",
        "ProcessComponents",
        "RestartOld",
        "StopOld",
        "Uninstall",
        "RemoveFiles",
        "InstallFiles",
        "PublishProduct",
        "UndoInstall",
        "RestartOther",
        "StopOther",
        "InstallFirst",
        "InstallAgain",
        "Start",
        "InstallFinalize",
    ];
    let numbers: Vec<u16> = order.iter().map(|action| sequence[*action].1).collect();
    assert!(numbers.is_sorted_by(|a, b| a < b), "{numbers:?}");
    assert_eq!(numbers[5], numbers[4] + 1, "an older product goes in the transaction, before anything else is in it");
}

#[test]
fn verbs_run_as_the_system_in_the_transaction_and_only_install_may_fail_it() {
    // A program that is installed, in the script, without impersonation.
    const DEFERRED: u16 = 18 + 1024 + 2048;
    const CONTINUE: u16 = 64;
    const ROLLBACK: u16 = 256;
    let actions = table("CustomAction", &msi());
    assert_eq!(actions.len(), 9);
    for (name, row) in &actions {
        let expected = match name.as_str() {
            "InstallFirst" | "InstallAgain" => DEFERRED,
            "RestartOld" | "RestartOther" | "UndoInstall" => DEFERRED + CONTINUE + ROLLBACK,
            _ => DEFERRED + CONTINUE,
        };
        assert_eq!((row[0].as_str(), row[1].as_str()), (expected.to_string().as_str(), "falcon_agent.exe"), "{name}");
    }
    let verb = |name: &str| actions[name][2].clone();
    assert_eq!(verb("UndoInstall"), "uninstall --restore");
    assert_eq!(
        (verb("Uninstall"), verb("StopOld"), verb("RestartOld")),
        ("uninstall".into(), "stop".into(), "start".into())
    );
    for name in ["InstallFirst", "InstallAgain"] {
        for property in ["TRANSFER", "HBS", "ENDPOINT", "LISTEN", "INTERVAL", "TAGS"] {
            let option = format!("--{} \"[{property}]\"", property.to_lowercase());
            assert!(verb(name).contains(&option), "{option} in {}", verb(name));
        }
    }
    assert!(verb("InstallFirst").contains("-c \"[DataDir]cfg.json\"") && !verb("InstallAgain").contains("-c "));
}

#[test]
fn conditions_are_those_of_an_upgrade_a_removal_and_a_service_that_is_left_alone() {
    let sequence = sequence(&msi());
    let when = |action: &str| sequence[action].0.as_str();
    let removed = when("Uninstall");
    assert!(removed.contains("REMOVE=\"ALL\"") && removed.contains("NOT UPGRADINGPRODUCTCODE"), "{removed}");
    for action in ["Uninstall", "StopOld", "RestartOld"] {
        assert!(when(action).contains("SERVICEIMAGE ~>< InstallDir"), "{action}");
    }
    // One that somebody took from the system's start is not started.
    for action in ["Start", "RestartOld", "RestartOther"] {
        assert!(when(action).contains("SERVICESTART = \"#2\""), "{action}");
    }
    assert!(when("Start").contains("NOT NOSTART"), "{}", when("Start"));
    for action in ["UndoInstall", "RestartOther", "StopOther"] {
        assert!(when(action).starts_with("NOT Installed"), "{action}");
    }
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
    assert_eq!((property("REBOOT"), property("MSIRESTARTMANAGERCONTROL")), ("ReallySuppress", "Disable"));
    assert_eq!(
        property("SecureCustomProperties"),
        "OLDERFOUND;NEWERFOUND;TRANSFER;HBS;ENDPOINT;LISTEN;INTERVAL;TAGS;NOSTART"
    );
    let conditions = table("LaunchCondition", &msi());
    for name in ["TRANSFER", "HBS", "ENDPOINT", "LISTEN", "INTERVAL", "TAGS"] {
        let condition = format!("NOT ({name} >< Quote) AND NOT ({name} >> \"\\\")");
        assert!(conditions[&condition][0].contains(name), "{conditions:?}");
    }
    // What is there is looked for where nobody without rights has a say.
    assert!(!table("InstallUISequence", &msi()).contains_key("AppSearch"));
    let files = table("File", &msi());
    let names: Vec<&str> = files.keys().map(String::as_str).collect();
    assert_eq!(names, ["LICENSE", "README.md", "cfg.example.json", "falcon_agent.exe"]);
    assert_eq!(files["falcon_agent.exe"][3], format!("{}.0", env!("CARGO_PKG_VERSION")));
    let summary = msiinfo(&["suminfo"], &msi());
    for line in ["Template: x64;1033", "Security: 2 (2)", "Version: 500 (1f4)", "Source: 2 (2)"] {
        assert!(summary.contains(line), "{summary}");
    }
}
