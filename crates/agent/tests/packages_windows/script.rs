//! `install.ps1`, which cannot run here: its text is held to what PowerShell 2.0 of Windows Server 2008 R2 understands.

use std::collections::BTreeSet;

const TEXT: &str = include_str!("../../../../packaging/windows/install.ps1");

/// Cmdlets of 2.0, with the parameters that they have there, and the functions of the script.
const KNOWN: [&str; 14] = [
    "Copy-Item",
    "Get-ChildItem",
    "Get-ItemProperty",
    "Invoke-Agent",
    "Join-Path",
    "Move-Item",
    "New-Item",
    "New-Object",
    "Out-Host",
    "Remove-Item",
    "Set-StrictMode",
    "Split-Path",
    "Test-Path",
    "Write-Host",
];

/// Without the help in front, comments and what is in quotes.
fn code() -> String {
    let (_, code) = TEXT.split_once("#>").expect("help in front");
    let mut kept = String::new();
    for line in code.lines() {
        let mut quote = None;
        for c in line.chars() {
            match quote {
                None if c == '#' => break,
                None if c == '\'' || c == '"' => quote = Some(c),
                None => kept.push(c),
                Some(open) if c == open => quote = None,
                Some(_) => {}
            }
        }
        assert!(quote.is_none(), "a text over two lines: {line}");
        kept.push('\n');
    }
    kept
}

#[test]
fn it_is_ascii_and_calls_nothing_newer_than_powershell_two() {
    assert!(TEXT.is_ascii());
    let code = code();
    let words = code.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '$' || c == '_'));
    let is_call = |word: &&str| word.starts_with(|c: char| c.is_ascii_uppercase()) && word.contains('-');
    let called: BTreeSet<&str> = words.filter(is_call).collect();
    let known: BTreeSet<&str> = KNOWN.into_iter().collect();
    assert_eq!(called.difference(&known).collect::<Vec<_>>(), Vec::<&&str>::new());
    for newer in
        ["[ordered]", "[pscustomobject]", " -in ", " -notin ", "::new(", "#requires", "$PSScriptRoot", "&&", "||", "??"]
    {
        assert!(!code.to_lowercase().contains(&newer.to_lowercase()), "{newer}");
    }
}

#[test]
fn it_takes_the_values_of_install_and_says_its_exit_codes() {
    for option in ["--transfer", "--hbs", "--endpoint", "--listen", "--interval", "--tags"] {
        let name = option.trim_start_matches('-');
        let variable = format!("${}{}", name[..1].to_uppercase(), &name[1..]);
        let given = [format!("'{option}', {variable}"), format!("'{option}', ({variable} -join ',')")];
        assert!(given.iter().any(|line| TEXT.contains(line)), "{option}");
        let declared = [format!("[string]{variable} = ''"), format!("[string[]]{variable} = @()")];
        assert!(declared.iter().any(|line| TEXT.contains(line)), "{variable}");
    }
    assert!(TEXT.contains("Set-StrictMode -Version 2") && TEXT.contains("IsInRole"));
    for parameter in
        ["Transfer", "Hbs", "Endpoint", "Listen", "Interval", "Tags", "NoStart", "InstallDir", "DataDir", "Uninstall"]
    {
        assert!(TEXT.contains(&format!("\n.PARAMETER {parameter}\n")), "{parameter} is not explained");
    }
    let braces = |open, close| code().matches(open).count() == code().matches(close).count();
    assert!(braces('{', '}') && braces('(', ')'));
}
