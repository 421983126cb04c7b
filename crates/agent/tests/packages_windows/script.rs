//! `install.ps1`, which cannot run here: its text is held to what PowerShell 2.0 of Windows Server 2008 R2 understands.

use std::collections::BTreeSet;

const TEXT: &str = include_str!("../../../../packaging/windows/install.ps1");

/// Cmdlets of 2.0, with the parameters that they have there, and the functions of the script.
const KNOWN: [&str; 18] = [
    "Copy-Item",
    "Get-ChildItem",
    "Get-ItemProperty",
    "Install-Agent",
    "Install-Files",
    "Invoke-Agent",
    "Join-Path",
    "Move-Item",
    "New-Item",
    "New-Object",
    "Out-Host",
    "Remove-Agent",
    "Remove-Item",
    "Set-StrictMode",
    "Split-Path",
    "Test-Path",
    "Where-Object",
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
    for parameter in ["Transfer", "Hbs", "Endpoint", "Listen", "Interval", "Tags", "NoStart", "DataDir", "Uninstall"] {
        assert!(TEXT.contains(&format!("\n.PARAMETER {parameter}\n")), "{parameter} is not explained");
    }
    let braces = |open, close| code().matches(open).count() == code().matches(close).count();
    assert!(braces('{', '}') && braces('(', ')'));
}

/// An error outside of `try` ended PowerShell 2.0 with 0, the service stopped; and an executable that could not be moved away was
/// deleted.
#[test]
fn every_way_out_is_the_last_line_and_only_what_was_copied_is_deleted() {
    let code = code();
    assert_eq!(code.matches("exit ").count(), 1, "{code}");
    let (declared, script) = code.split_once("\n$code = 1\ntry {\n").expect("one try around all that is done");
    assert!(
        script.ends_with("} catch {\n    Write-Host $_.Exception.Message\n    $code = 1\n}\nexit $code\n"),
        "{script}"
    );
    // Outside of it there are functions, and constants of the script.
    let outside = declared.lines().filter(|line| !line.starts_with([' ', '}']) && !line.trim().is_empty());
    let outside: Vec<&str> =
        outside.filter(|line| !line.starts_with(['$', ')']) && !line.starts_with("function ")).collect();
    assert_eq!(outside, ["param(", "Set-StrictMode -Version 2"]);

    let (moves, copies) = code.split_once("$copied = $true").expect("it is known what was copied");
    assert!(moves.contains("Move-Item -LiteralPath $target") && copies.contains("Copy-Item -LiteralPath $file"));
    let (_, undone) = copies.split_once("if (($code -ne 0) -and $copied) {").expect("it is put back");
    assert!(undone.trim_start().starts_with("if (Test-Path -LiteralPath $target) { Remove-Item"), "{undone}");
}
