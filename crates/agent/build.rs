//! Puts the commit into the executable as FALCON_BUILD_COMMIT: seven digits, or `unknown` outside a clone. It packs the files
//! of the page, in `web`, into the table that `http/ui/assets.rs` includes. For Windows it
//! also links the resources: version, icon, manifest, and the message table from which Event Viewer takes the texts of events.
//!
//! The commit never fails a build: a source archive has no git, and an archive unpacked inside somebody else's clone must not
//! carry that clone's commit. The tools of the resources come with the linker for Windows; without them the build says so.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::ffi::OsStr;
use std::fmt::Write;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let commit = commit().unwrap_or_else(|| "unknown".to_owned());
    println!("cargo::rustc-env=FALCON_BUILD_COMMIT={commit}");
    if let Err(why) = assets() {
        println!("cargo::error={why}");
    }
    if env::var_os("CARGO_CFG_TARGET_OS").as_deref() == Some(OsStr::new("windows"))
        && let Err(why) = resources()
    {
        println!("cargo::error={why}");
    }
}

/// Where the page lies, from here.
const WEB: &str = "../../web";
/// The modules of the page become one script, so that a browser asks once and they pack well.
const SCRIPT: &str = "page.js";
/// Runs before the page is there.
const FIRST: &str = "theme.js";

/// Packs each file of the page, and writes the table of them. The same files give the same bytes: no time stands in them.
fn assets() -> Result<(), String> {
    // A folder stands for what is in it, also for a file that is new.
    for watched in ["index.html", "app.css", "js", "vendor"] {
        println!("cargo::rerun-if-changed={WEB}/{watched}");
    }
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("cargo sets no OUT_DIR")?);
    let web = PathBuf::from(WEB);
    let mut files: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    for file in ["index.html", "app.css", "vendor/uPlot.iife.min.js"] {
        files.insert(file.rsplit('/').next().unwrap_or(file).to_owned(), read(&web.join(file))?.into_bytes());
    }
    files.insert(FIRST.to_owned(), trimmed(&read(&web.join("js").join(FIRST))?).into_bytes());
    let mut script = Script::default();
    script.add(&web.join("js"), SCRIPT)?;
    files.insert(SCRIPT.to_owned(), script.text.into_bytes());
    let css = files.get("app.css").map(|css| trimmed(&String::from_utf8_lossy(css)));
    files.extend(css.map(|css| ("app.css".to_owned(), css.into_bytes())));
    let (mut table, mut routes) = (String::new(), String::new());
    for (place, (name, bytes)) in files.iter().enumerate() {
        let path = if name == "index.html" { "/".to_owned() } else { format!("/ui/{name}") };
        let mut hasher = DefaultHasher::new();
        bytes.hash(&mut hasher);
        let packed = out.join(format!("{name}.gz"));
        fs::write(&packed, gzip(bytes)).map_err(|why| format!("{}: {why}", packed.display()))?;
        let (kind, tag, length) = (kind(Path::new(name)), hasher.finish(), bytes.len());
        let _ = writeln!(
            table,
            "Asset {{ path: {path:?}, kind: {kind:?}, etag: \"W/\\\"{tag:016x}\\\"\", length: {length}, packed: include_bytes!({packed:?}) }},"
        );
        let _ = writeln!(
            routes,
            "Route {{ path: {path:?}, answer: |_, asked| at_once(ASSETS[{place}].answer(asked.request.headers())) }},"
        );
    }
    let count = files.len();
    let text = format!(
        "pub(crate) static ASSETS: [Asset; {count}] = [\n{table}];\npub(crate) static ROUTES: [Route; {count}] = [\n{routes}];\n"
    );
    fs::write(out.join("assets.rs"), text).map_err(|why| format!("assets.rs: {why}"))
}

fn read(file: &Path) -> Result<String, String> {
    fs::read_to_string(file).map_err(|why| format!("{}: {why}", file.display()))
}

/// Without what only who reads the source needs: indents, and comments on lines of their own.
fn trimmed(source: &str) -> String {
    let comment = |line: &str| line.starts_with("//") || line.starts_with("/*") && line.ends_with("*/");
    let lines = source.lines().map(str::trim).filter(|line| !line.is_empty() && !comment(line));
    lines.flat_map(|line| [line, "\n"]).collect()
}

/// Modules, each as a function that gives what it exports, behind those that it imports.
#[derive(Default)]
struct Script {
    text: String,
    done: BTreeSet<String>,
}

impl Script {
    fn add(&mut self, folder: &Path, name: &str) -> Result<(), String> {
        if !self.done.insert(name.to_owned()) {
            return Ok(());
        }
        let (mut body, mut exports) = (String::new(), Vec::new());
        for line in trimmed(&read(&folder.join(name))?).lines() {
            if let Some(import) = line.strip_prefix("import ") {
                // `{ a, b as c } from "./x.js";`, on one line.
                let parts = import.strip_suffix("\";").and_then(|import| import.split_once(" from \"./"));
                let (names, from) = parts.ok_or_else(|| format!("web/js/{name}: {line}"))?;
                self.add(folder, from)?;
                let _ = writeln!(body, "const {} = {};", names.replace(" as ", ": "), variable(from));
            } else if let Some(export) = line.strip_prefix("export ") {
                let mut words =
                    export.split([' ', '(']).skip_while(|word| ["async", "function", "const", "class"].contains(word));
                let exported = words.next().filter(|word| is_name(word));
                exports.push(
                    exported
                        .ok_or_else(|| format!("web/js/{name}: {line}: a name behind `export` is missing"))?
                        .to_owned(),
                );
                let _ = writeln!(body, "{export}");
            } else {
                let _ = writeln!(body, "{line}");
            }
        }
        let _ = writeln!(
            self.text,
            "// {name}\nconst {} = (() => {{\n{body}return {{ {} }};\n}})();",
            variable(name),
            exports.join(", ")
        );
        Ok(())
    }
}

/// Of what is exported one by one; `export let`, `default` and `{ a }` would make a script that no browser reads.
fn is_name(word: &str) -> bool {
    let mut chars = word.chars();
    let starts = chars.next().is_some_and(|c| c.is_ascii_alphabetic() || "_$".contains(c));
    starts
        && chars.all(|c| c.is_ascii_alphanumeric() || "_$".contains(c))
        && !["let", "var", "default", "import"].contains(&word)
}

fn variable(module: &str) -> String {
    module.replace(".js", "_")
}

/// What a browser is told that a file is.
fn kind(file: &Path) -> &'static str {
    match file.extension().and_then(OsStr::to_str) {
        Some("html") => "text/html; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        _ => "text/javascript; charset=utf-8",
    }
}

/// RFC 1952, with a head of ten bytes that names neither a time nor a system.
fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packed = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 0xff];
    packed.extend(miniz_oxide::deflate::compress_to_vec(bytes, 10));
    packed.extend(crc32fast::hash(bytes).to_le_bytes());
    packed.extend((bytes.len() as u32).to_le_bytes());
    packed
}

/// Into the executable alone: test programs report no events. One object, for linkers keep the resources of one.
fn resources() -> Result<(), String> {
    const MESSAGES: &str = "windows/messages.mc";
    const SCRIPT: &str = "windows/falcon-agent.rc";
    for file in [MESSAGES, SCRIPT, "windows/falcon-agent.ico", "windows/falcon-agent.manifest"] {
        println!("cargo::rerun-if-changed={file}");
    }
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("cargo sets no OUT_DIR")?);
    tool("windmc", |windmc| windmc.arg("-h").arg(&out).arg("-r").arg(&out).arg(MESSAGES))?;
    let [major, minor, patch] =
        [env!("CARGO_PKG_VERSION_MAJOR"), env!("CARGO_PKG_VERSION_MINOR"), env!("CARGO_PKG_VERSION_PATCH")];
    let numbers = format!("-DVERSION_NUMBERS={major},{minor},{patch},0");
    let text = format!("-DVERSION_TEXT=\\\"{major}.{minor}.{patch}.0\\\"");
    let object = out.join("resources.o");
    // Scripts name files without their directories.
    tool("windres", |windres| {
        let windres = windres.arg("-I").arg(&out).args(["-I", "windows", &numbers, &text]);
        windres.arg(SCRIPT).args(["-O", "coff", "-o"]).arg(&object)
    })?;
    println!("cargo::rustc-link-arg-bins={}", object.display());
    Ok(())
}

/// Runs a program of binutils for Windows, under the name that it has where Windows is not the host, or its plain one.
fn tool(name: &str, arguments: impl Fn(&mut Command) -> &mut Command) -> Result<(), String> {
    for program in [format!("x86_64-w64-mingw32-{name}"), name.to_owned()] {
        match arguments(&mut Command::new(&program)).output() {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(format!("{program}: {error}")),
            Ok(output) if output.status.success() => return Ok(()),
            Ok(output) => {
                let said = String::from_utf8_lossy(&output.stderr).replace('\n', " ");
                return Err(format!("{program} failed: {said}"));
            }
        }
    }
    Err(format!("x86_64-w64-mingw32-{name} is missing (Debian: binutils-mingw-w64-x86-64, with gcc-mingw-w64-x86-64)"))
}

fn commit() -> Option<String> {
    let package = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR")?);
    let root = package.parent()?.parent()?.canonicalize().ok()?;
    let top = PathBuf::from(git(&root, &["rev-parse", "--show-toplevel"])?);
    if top.canonicalize().ok()? != root {
        return None;
    }
    watch_head(&root);
    git(&root, &["rev-parse", "--short=7", "HEAD"])
}

/// HEAD changes with the branch, the branch's file or packed-refs with a commit; the log of HEAD changes with both. Only
/// files that exist are named: one that does not would make every build run this again.
fn watch_head(root: &Path) {
    let branch = git(root, &["symbolic-ref", "--quiet", "HEAD"]);
    for name in ["HEAD", "logs/HEAD", "packed-refs"].into_iter().chain(branch.as_deref()) {
        let file = git(root, &["rev-parse", "--git-path", name]).map(|path| root.join(path));
        if let Some(file) = file.filter(|file| file.exists()) {
            println!("cargo::rerun-if-changed={}", file.display());
        }
    }
}

/// The first line that git prints, if it succeeds.
fn git(root: &Path, args: &[&str]) -> Option<String> {
    let output = Command::new("git").args(args).current_dir(root).stdin(Stdio::null()).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let line = text.lines().next()?.trim();
    (output.status.success() && !line.is_empty()).then(|| line.to_owned())
}
