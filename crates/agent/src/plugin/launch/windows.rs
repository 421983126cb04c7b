//! Which program runs a file on Windows. What it asks of the system is little, so that it is tested everywhere: paths are texts
//! here.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use falcon_sys::types::RegistryKey;

use super::{Launch, UTF8_MARK, first_line};
use crate::model::Platform;
use crate::plugin::plain;

/// Of Python, by PEP 514, for all users of the computer.
const PYTHONS: [&str; 2] = [r"SOFTWARE\Python\PythonCore", r"SOFTWARE\WOW6432Node\Python\PythonCore"];

/// What is asked of Windows.
pub(super) trait System {
    /// The directory of Windows.
    fn root(&self) -> String;
    fn path(&self) -> String;
    /// Whether there is such a file, and something in it: the names in WindowsApps that lead to a shop are empty.
    fn is_program(&self, path: &str) -> bool;
    /// `None` where there is no such key, or it cannot be read.
    fn registry(&self, key: &str) -> Option<RegistryKey>;
}

pub(super) struct Host;

impl System for Host {
    fn root(&self) -> String {
        std::env::var("SystemRoot").unwrap_or_else(|_| r"C:\Windows".to_owned())
    }

    fn path(&self) -> String {
        std::env::var_os("PATH").map(|path| path.to_string_lossy().into_owned()).unwrap_or_default()
    }

    fn is_program(&self, path: &str) -> bool {
        Path::new(path).metadata().is_ok_and(|meta| meta.is_file() && meta.len() > 0)
    }

    fn registry(&self, key: &str) -> Option<RegistryKey> {
        falcon_sys::registry_tree(key).ok().flatten()
    }
}

pub(super) fn launch(file: &str, head: &[u8], args: &[String], system: &dyn System) -> Result<Launch, String> {
    let file = written(file);
    let name = file.rsplit('\\').next().unwrap_or(&file);
    let end = name.rsplit_once('.').map_or("", |(_, end)| end).to_ascii_lowercase();
    let line = first_line(head.strip_prefix(UTF8_MARK).unwrap_or(head));
    let line = line.as_deref().map(Line::of);
    let (program, options) = match end.as_str() {
        // The standard library runs batch files with the system's cmd.exe, and writes each argument so that it stays one.
        "exe" | "com" | "bat" | "cmd" => return Ok(by(&file, None, Vec::new(), args)),
        "ps1" => (
            powershell(system)?,
            words(&["-NoLogo", "-NoProfile", "-NonInteractive", "-ExecutionPolicy", "Bypass", "-File"]),
        ),
        "vbs" => {
            if args.iter().any(|arg| arg.starts_with("//")) {
                return Err(
                    "has an argument that begins with //, which cscript.exe takes for one of its own".to_owned()
                );
            }
            // Not //B, with which nothing that a script echoes is printed.
            (cscript(system)?, words(&["//Nologo"]))
        }
        "py" => python(line.as_ref(), system)?,
        _ => match line {
            Some(line) if line.name.is_empty() => {
                return Err(
                    "names no interpreter in its first line: begin it with one such as #!/usr/bin/env perl".to_owned()
                );
            }
            Some(line) if line.is_python() => python(Some(&line), system)?,
            Some(line) if let Some((what, ends)) = line.shell() => {
                return Err(format!(
                    "names {what} in its first line, which would read the arguments as commands: give the file a name that \
                     ends in {ends}, with which they stay what they are"
                ));
            }
            Some(line) => {
                let program = line.find(system).ok_or_else(|| {
                    format!(
                        "names the interpreter {} in its first line; {} is not in PATH: install it for all users, or name \
                         its full path in that line",
                        line.written,
                        exe(&line.name)
                    )
                })?;
                (program, line.options)
            }
            None => {
                return Err(
                    "has neither a name whose program is known (.exe, .bat, .cmd, .ps1, .py, .vbs) nor a first line \
                            such as #!/usr/bin/env perl: give it one of these"
                        .to_owned(),
                );
            }
        },
    };
    Ok(by(&file, Some(program), options, args))
}

fn by(file: &str, interpreter: Option<String>, options: Vec<String>, args: &[String]) -> Launch {
    let args = args.iter().map(OsString::from);
    let (program, args) = match &interpreter {
        None => (file, args.collect()),
        Some(program) => {
            let before = options.into_iter().chain([file.to_owned()]).map(OsString::from);
            (program.as_str(), before.chain(args).collect())
        }
    };
    let program = PathBuf::from(program);
    Launch { program, args, interpreter: interpreter.map(PathBuf::from), platform: Platform::Windows }
}

/// A path as every program takes it.
fn written(file: &str) -> String {
    plain(&file.replace('/', "\\")).into_owned()
}

/// What stands behind `#!`.
struct Line {
    /// A path, or a name.
    written: String,
    /// The last part of it.
    name: String,
    options: Vec<String>,
}

impl Line {
    fn of(line: &str) -> Line {
        let (quoted, line) = match line.trim_start().strip_prefix('"').and_then(|rest| rest.split_once('"')) {
            Some((path, rest)) => (Some(path.to_owned()), rest),
            None => (None, line),
        };
        let mut parts = line.split_whitespace().map(str::to_owned).peekable();
        let mut written = quoted.or_else(|| parts.next()).unwrap_or_default();
        if name_of(&written).trim_end_matches(".exe") == "env" {
            // Its own options, and variables.
            while parts.next_if(|part| part.starts_with('-') || part.contains('=')).is_some() {}
            written = parts.next().unwrap_or_default();
        }
        Line { name: name_of(&written).to_owned(), written, options: parts.collect() }
    }

    fn is_python(&self) -> bool {
        self.name.to_ascii_lowercase().starts_with("python")
    }

    /// A shell of Windows that reads what follows its options as a command, and how a file for it is called.
    fn shell(&self) -> Option<(&'static str, &'static str)> {
        let name = self.name.to_ascii_lowercase();
        match name.strip_suffix(".exe").unwrap_or(&name) {
            "cmd" => Some(("cmd", ".bat or .cmd")),
            "powershell" | "pwsh" => Some(("PowerShell", ".ps1")),
            _ => None,
        }
    }

    /// The program itself where its path is one of Windows, else one of its name.
    fn find(&self, system: &dyn System) -> Option<String> {
        if is_absolute(&self.written) {
            let path = exe(&self.written.replace('/', "\\"));
            return system.is_program(&path).then_some(path);
        }
        in_path(&exe(&self.name), system)
    }
}

fn name_of(path: &str) -> &str {
    path.rsplit(['/', '\\']).next().unwrap_or(path)
}

fn exe(name: &str) -> String {
    if name.to_ascii_lowercase().ends_with(".exe") { name.to_owned() } else { format!("{name}.exe") }
}

/// On a drive or a share.
fn is_absolute(path: &str) -> bool {
    path.starts_with(r"\\") || is_on_drive(path)
}

fn is_on_drive(path: &str) -> bool {
    matches!(path.as_bytes(), [drive, b':', b'\\' | b'/', ..] if drive.is_ascii_alphabetic())
}

fn in_path(name: &str, system: &dyn System) -> Option<String> {
    let path = system.path();
    // A share that does not answer would be waited for.
    let dirs = path.split(';').map(|dir| dir.trim().trim_matches('"')).filter(|dir| is_on_drive(dir));
    dirs.map(|dir| below(dir, name)).find(|file| system.is_program(file))
}

fn below(dir: &str, name: &str) -> String {
    format!("{}\\{name}", dir.trim_end_matches(['\\', '/']))
}

fn words(options: &[&str]) -> Vec<String> {
    options.iter().map(|option| (*option).to_owned()).collect()
}

fn powershell(system: &dyn System) -> Result<String, String> {
    let own = below(&system.root(), r"System32\WindowsPowerShell\v1.0\powershell.exe");
    if system.is_program(&own) {
        return Ok(own);
    }
    in_path("pwsh.exe", system)
        .ok_or_else(|| format!("needs PowerShell: {own} is not there, nor is pwsh.exe in PATH; install one of them"))
}

fn cscript(system: &dyn System) -> Result<String, String> {
    let own = below(&system.root(), r"System32\cscript.exe");
    if system.is_program(&own) {
        return Ok(own);
    }
    Err(format!("needs {own}, which is not there: add the feature VBSCRIPT of Windows, or write it for PowerShell"))
}

/// As the first line names it, else the newest that is installed for all users, else a launcher or what PATH has.
fn python(line: Option<&Line>, system: &dyn System) -> Result<(String, Vec<String>), String> {
    let line = line.filter(|line| line.is_python());
    let options = line.map(|line| line.options.clone()).unwrap_or_default();
    let found = line
        .and_then(|line| line.find(system))
        .or_else(|| installed(system))
        .or_else(|| Some(below(&system.root(), "py.exe")).filter(|launcher| system.is_program(launcher)))
        .or_else(|| ["python3.exe", "python.exe"].into_iter().find_map(|name| in_path(name, system)));
    found.map(|program| (program, options)).ok_or_else(|| {
        let [key, _] = PYTHONS;
        format!(
            "needs Python: python.exe is neither in the registry (HKLM\\{key}) nor in PATH; install Python for all users, or \
             name the full path of python.exe in the first line (#!C:\\...\\python.exe)"
        )
    })
}

fn installed(system: &dyn System) -> Option<String> {
    let mut found = Vec::new();
    for key in PYTHONS {
        for (version, python) in system.registry(key).map(|all| all.keys).unwrap_or_default() {
            if let Some(program) = program_of(&python).filter(|program| system.is_program(program)) {
                found.push((numbers(&version), program));
            }
        }
    }
    // Of the same version the first, which is the one of 64 bits.
    found.sort_by(|(a, _), (b, _)| b.cmp(a));
    found.into_iter().next().map(|(_, program)| program)
}

fn program_of(python: &RegistryKey) -> Option<String> {
    let (_, install) = python.keys.iter().find(|(name, _)| name.eq_ignore_ascii_case("InstallPath"))?;
    let text = |wanted: &str| {
        let value = install.values.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted));
        value.and_then(|(_, value)| value.as_text()).filter(|text| is_absolute(text))
    };
    text("ExecutablePath").or_else(|| text("").map(|dir| below(&dir, "python.exe")))
}

/// `3.12-32` is 3, 12.
fn numbers(version: &str) -> Vec<u32> {
    version.split('-').next().unwrap_or_default().split('.').map_while(|part| part.parse().ok()).collect()
}

#[cfg(test)]
mod tests;
