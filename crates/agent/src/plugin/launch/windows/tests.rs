use super::*;
use falcon_sys::types::RegistryValue;
use proptest::prelude::*;

/// A Windows that is made up.
#[derive(Default)]
struct Made {
    path: &'static str,
    programs: Vec<&'static str>,
    /// Versions and values of InstallPath, by the key.
    pythons: Vec<(&'static str, &'static str, &'static str, &'static str)>,
}

impl System for Made {
    fn root(&self) -> String {
        r"C:\Windows".to_owned()
    }

    fn path(&self) -> String {
        self.path.to_owned()
    }

    fn is_program(&self, path: &str) -> bool {
        self.programs.iter().any(|program| program.eq_ignore_ascii_case(path))
    }

    fn registry(&self, key: &str) -> Option<RegistryKey> {
        let here = self.pythons.iter().filter(|(at, ..)| *at == key);
        let keys = here.map(|(_, version, value, text)| {
            let values = vec![((*value).to_owned(), RegistryValue::text(text))];
            let install = RegistryKey { values, keys: Vec::new() };
            ((*version).to_owned(), RegistryKey { values: Vec::new(), keys: vec![("InstallPath".to_owned(), install)] })
        });
        let keys: Vec<_> = keys.collect();
        (!keys.is_empty()).then(|| RegistryKey { values: Vec::new(), keys })
    }
}

const POWERSHELL: &str = r"C:\Windows\System32\WindowsPowerShell\v1.0\powershell.exe";
const CSCRIPT: &str = r"C:\Windows\System32\cscript.exe";
const PYTHON: &str = r"SOFTWARE\Python\PythonCore";
const PYTHON_32: &str = r"SOFTWARE\WOW6432Node\Python\PythonCore";

/// The program with its arguments, divided by bars; of `C:\plugin\60_x` with this end.
fn line(end: &str, head: &str, args: &[&str], system: &Made) -> Result<String, String> {
    let args: Vec<_> = args.iter().map(|arg| (*arg).to_owned()).collect();
    let launch = launch(&format!(r"\\?\C:\plugin/60_x{end}"), head.as_bytes(), &args, system)?;
    let told: Vec<_> = launch.args.iter().map(|arg| arg.to_str().unwrap().to_owned()).collect();
    assert_eq!(launch.interpreter.is_some(), !launch.program.to_str().unwrap().starts_with(r"C:\plugin"));
    Ok([vec![launch.program.to_str().unwrap().to_owned()], told].concat().join("|"))
}

fn found(end: &str, head: &str, system: &Made) -> String {
    line(end, head, &[], system).unwrap()
}

fn missing(end: &str, head: &str, system: &Made) -> String {
    line(end, head, &[], system).unwrap_err()
}

#[test]
fn programs_and_batch_files_run_by_themselves() {
    let bare = Made::default();
    for end in [".exe", ".EXE", ".com", ".bat", ".Cmd"] {
        assert_eq!(line(end, "", &["a b", ""], &bare).unwrap(), format!(r"C:\plugin\60_x{end}|a b|"));
    }
}

#[test]
fn powershell_is_the_one_of_windows_else_the_one_in_path() {
    let options = r"-NoLogo|-NoProfile|-NonInteractive|-ExecutionPolicy|Bypass|-File|C:\plugin\60_x.ps1";
    let mut system =
        Made { path: r"C:\a;C:\pwsh\7", programs: vec![POWERSHELL, r"C:\pwsh\7\pwsh.exe"], ..Made::default() };
    assert_eq!(line(".ps1", "", &["-a", "$x;y"], &system).unwrap(), format!("{POWERSHELL}|{options}|-a|$x;y"));
    system.programs.remove(0);
    assert_eq!(
        found(".PS1", "#!/usr/bin/perl", &system),
        format!(r"C:\pwsh\7\pwsh.exe|{}", options.replace("ps1", "PS1"))
    );
    assert_eq!(
        missing(".ps1", "", &Made::default()),
        format!("needs PowerShell: {POWERSHELL} is not there, nor is pwsh.exe in PATH; install one of them")
    );
}

#[test]
fn cscript_gets_no_option_from_outside() {
    let system = Made { programs: vec![CSCRIPT], ..Made::default() };
    assert_eq!(
        line(".vbs", "", &["/a", "b"], &system).unwrap(),
        format!(r"{CSCRIPT}|//Nologo|C:\plugin\60_x.vbs|/a|b")
    );
    assert!(line(".vbs", "", &["//E:jscript"], &system).unwrap_err().contains("takes for one of its own"));
    assert!(missing(".vbs", "", &Made::default()).contains("feature VBSCRIPT"));
}

#[test]
fn python_is_the_one_of_the_first_line_then_the_newest_then_a_launcher_then_the_one_in_path() {
    let mut system = Made {
        path: r"C:\Users\x\AppData\Local\Microsoft\WindowsApps;C:\old",
        programs: vec![
            r"D:\py36\python.exe",
            r"C:\old\python2.exe",
            r"C:\Python39\python.exe",
            r"C:\Python310-32\python.exe",
            r"C:\Python310\python.exe",
            r"C:\Windows\py.exe",
            r"C:\old\python.exe",
        ],
        pythons: vec![
            (PYTHON, "3.9", "", r"C:\Python39\"),
            (PYTHON_32, "3.10-32", "", r"C:\Python310-32"),
            (PYTHON, "3.10", "ExecutablePath", r"C:\Python310\python.exe"),
            (PYTHON, "3.14", "", r"C:\removed"),
        ],
    };
    let py = |head: &str, system: &Made| found(".py", head, system);
    assert_eq!(py("#!D:\\py36\\python.exe -u\r\n", &system), r"D:\py36\python.exe|-u|C:\plugin\60_x.py");
    assert_eq!(
        py("\u{FEFF}#!D:/py36/python.exe\n", &system).replace('/', r"\"),
        r"D:\py36\python.exe|C:\plugin\60_x.py"
    );
    assert_eq!(py("#!/usr/bin/env python2 -E\n", &system), r"C:\old\python2.exe|-E|C:\plugin\60_x.py");
    // What the line names is not there; its options are for any Python.
    assert_eq!(py("#!/usr/bin/python3 -u\n", &system), r"C:\Python310\python.exe|-u|C:\plugin\60_x.py");
    assert_eq!(py("#!/bin/sh -e\n", &system), r"C:\Python310\python.exe|C:\plugin\60_x.py");
    assert_eq!(py("import os\n", &system), r"C:\Python310\python.exe|C:\plugin\60_x.py");
    system.pythons.remove(2);
    assert_eq!(py("", &system), r"C:\Python310-32\python.exe|C:\plugin\60_x.py");
    system.pythons.clear();
    assert_eq!(py("", &system), r"C:\Windows\py.exe|C:\plugin\60_x.py");
    system.programs.retain(|program| *program != r"C:\Windows\py.exe");
    // The name in WindowsApps is empty, and leads to a shop.
    assert_eq!(py("", &system), r"C:\old\python.exe|C:\plugin\60_x.py");
    let why = missing(".py", "", &Made::default());
    assert!(
        why.contains("python.exe is neither in the registry (HKLM\\SOFTWARE\\Python\\PythonCore) nor in PATH"),
        "{why}"
    );
}

#[test]
fn any_other_file_is_run_by_what_its_first_line_names() {
    let system = Made {
        path: r#"relative;.;"C:\Program Files\Git\usr\bin";C:\perl\bin\"#,
        programs: vec![
            r"C:\Program Files\Git\usr\bin\sh.exe",
            r"C:\perl\bin\perl.exe",
            r"C:\tools\x.exe",
            r"relative\y.exe",
        ],
        pythons: vec![(PYTHON, "3.9", "ExecutablePath", r"C:\tools\x.exe")],
    };
    let file = r"C:\plugin\60_x";
    assert_eq!(found("", "#!/bin/sh\n", &system), format!(r"C:\Program Files\Git\usr\bin\sh.exe|{file}"));
    assert_eq!(found(".sh", "#! /bin/sh -e\n", &system), format!(r"C:\Program Files\Git\usr\bin\sh.exe|-e|{file}.sh"));
    assert_eq!(found(".pl", "#!/usr/bin/env -S perl -w\r\n", &system), format!(r"C:\perl\bin\perl.exe|-w|{file}.pl"));
    assert_eq!(found(".pl", "#!/usr/bin/env A=b perl", &system), format!(r"C:\perl\bin\perl.exe|{file}.pl"));
    assert_eq!(found("", r"#!C:\tools\x.exe -u -v", &system), format!(r"C:\tools\x.exe|-u|-v|{file}"));
    assert_eq!(found("", "#!\"C:\\tools\\x.exe\" -u\n", &system), format!(r"C:\tools\x.exe|-u|{file}"));
    assert_eq!(found("", r"#!C:\tools\x", &system), format!(r"C:\tools\x.exe|{file}"));
    assert_eq!(found("", "#!/usr/bin/python3", &system), format!(r"C:\tools\x.exe|{file}"));
    assert_eq!(
        missing(".rb", "#!/usr/bin/env ruby\n", &system),
        "names the interpreter ruby in its first line; ruby.exe is not in PATH: install it for all users, or name its full \
         path in that line"
    );
    // Never from the current directory.
    assert!(missing("", "#!y\n", &system).contains("y.exe is not in PATH"));
    assert!(missing("", "#!\n", &system).contains("names no interpreter"));
    assert!(missing(".txt", "hello", &system).contains(".exe, .bat, .cmd, .ps1, .py, .vbs"));
}

/// `cmd /c 60_x a&b` runs `b`.
#[test]
fn no_shell_of_windows_gets_arguments_by_way_of_a_first_line() {
    let system = Made { path: r"C:\Windows\System32;C:\pwsh", ..Made::default() };
    for head in ["#!cmd /c", "#!CMD.EXE /c\r\n", r"#!C:\Windows\System32\cmd.exe /c", "#!/usr/bin/env -S cmd /c"] {
        assert!(missing("", head, &system).contains("ends in .bat or .cmd"), "{head}");
    }
    for head in ["#!powershell", "#!/usr/bin/env pwsh", "#!pwsh.exe -Command"] {
        assert!(missing(".txt", head, &system).contains("ends in .ps1"), "{head}");
    }
}

/// A server that was gone was waited for beyond the deadline.
#[test]
fn no_share_in_path_is_asked() {
    let system = Made {
        path: r"\\server\tools;//server/tools;C:\perl",
        programs: vec![r"\\server\tools\perl.exe", r"C:\perl\perl.exe"],
        ..Made::default()
    };
    assert_eq!(found(".pl", "#!perl", &system), r"C:\perl\perl.exe|C:\plugin\60_x.pl");
}

#[test]
fn a_path_is_written_as_every_program_takes_it() {
    assert_eq!(written(r"\\?\C:\a/b"), r"C:\a\b");
    assert_eq!(written(r"\\?\UNC\server\share\a"), r"\\server\share\a");
    assert_eq!(written(r"C:\a"), r"C:\a");
}

/// All that is asked for is there.
struct Full;

impl System for Full {
    fn root(&self) -> String {
        r"C:\Windows".to_owned()
    }

    fn path(&self) -> String {
        r".;\;x;C:\bin".to_owned()
    }

    fn is_program(&self, _path: &str) -> bool {
        true
    }

    fn registry(&self, _key: &str) -> Option<RegistryKey> {
        None
    }
}

proptest! {
    #[test]
    fn no_interpreter_is_looked_for_where_the_agent_happens_to_be(
        head in "(#!)?[ \t\"/\\\\:.a-cA-C=-]{0,12}(python|env )?[ /\\\\a-c.]{0,6}\n?",
        end in prop::sample::select(vec!["", ".py", ".ps1", ".vbs", ".sh"]),
    ) {
        if let Ok(launch) = launch(&format!(r"C:\plugin\60_x{end}"), head.as_bytes(), &[], &Full) {
            let program = launch.interpreter.unwrap();
            prop_assert!(is_absolute(program.to_str().unwrap()), "{}", program.display());
        }
    }
}
