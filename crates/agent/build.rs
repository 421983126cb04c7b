//! Puts the commit into the executable as FALCON_BUILD_COMMIT: seven digits, or `unknown` outside a clone. It packs the files
//! of the page, in `web`, into the table that `http/ui/assets.rs` includes. For Windows it
//! also links the resources: version, icon, manifest, and the message table from which Event Viewer takes the texts of events.
//!
//! The commit never fails a build: a source archive has no git, and an archive unpacked inside somebody else's clone must not
//! carry that clone's commit. The tools of the resources come with the linker for Windows; without them the build says so.

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

/// Packs each file of the page, and writes the table of them. The same files give the same bytes: no time stands in them.
fn assets() -> Result<(), String> {
    // A folder stands for what is in it, also for a file that is new.
    for watched in ["index.html", "app.css", "js", "vendor"] {
        println!("cargo::rerun-if-changed={WEB}/{watched}");
    }
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("cargo sets no OUT_DIR")?);
    let mut files = vec![PathBuf::from(WEB).join("index.html"), PathBuf::from(WEB).join("app.css")];
    for folder in ["js", "vendor"] {
        let folder = PathBuf::from(WEB).join(folder);
        let entries = fs::read_dir(&folder).map_err(|why| format!("{}: {why}", folder.display()))?;
        files.extend(entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| kind(path).is_some()));
    }
    files.sort();
    let (mut table, mut routes) = (String::new(), String::new());
    for file in &files {
        let bytes = fs::read(file).map_err(|why| format!("{}: {why}", file.display()))?;
        let name = file.file_name().and_then(OsStr::to_str).ok_or("a file of the page has no plain name")?;
        let path = if name == "index.html" { "/".to_owned() } else { format!("/ui/{name}") };
        let mut hasher = DefaultHasher::new();
        bytes.hash(&mut hasher);
        let packed = out.join(format!("{name}.gz"));
        fs::write(&packed, gzip(&bytes)).map_err(|why| format!("{}: {why}", packed.display()))?;
        let (kind, tag, length) = (kind(file).unwrap_or_default(), hasher.finish(), bytes.len());
        let _ = writeln!(
            table,
            "Asset {{ path: {path:?}, kind: {kind:?}, etag: \"W/\\\"{tag:016x}\\\"\", length: {length}, packed: include_bytes!({packed:?}) }},"
        );
        let _ = writeln!(routes, "Route {{ path: {path:?}, answer: |_, asked| at_once(answer(&asked)) }},");
    }
    let count = files.len();
    let text = format!(
        "pub(crate) static ASSETS: [Asset; {count}] = [\n{table}];\npub(crate) static ROUTES: [Route; {count}] = [\n{routes}];\n"
    );
    fs::write(out.join("assets.rs"), text).map_err(|why| format!("assets.rs: {why}"))
}

/// What a browser is told that a file is; `None`: it is not part of the page.
fn kind(file: &Path) -> Option<&'static str> {
    match file.extension()?.to_str()? {
        "html" => Some("text/html; charset=utf-8"),
        "css" => Some("text/css; charset=utf-8"),
        "js" => Some("text/javascript; charset=utf-8"),
        _ => None,
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
