//! The bill of materials (CycloneDX 1.5, JSON): every crate that is linked into an executable, Rust's standard library, and
//! what the linkers add.
//!
//! `cargo tree` says which crates those are: for each target, with the features that are in force, without what is only
//! used to build or to test; what an executable itself names of its sources is held against that. Their fingerprints are those of `Cargo.lock`. The same commit and compiler give the same file:
//! its time is the commit's, its serial number is made of its content.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use anyhow::{Context, Result, ensure};
use memchr::memmem;
use serde_json::{Value, json};

use super::{Dist, sha256};
use crate::child::Run;
use crate::toolchain::{SourceRust, cargo};
use crate::tools::ZIG;
use crate::workspace::{LINUX_TARGET, STATIC_TARGET, WINDOWS_TARGET, Workspace};

/// Each target, and what its executable is called here.
const TARGETS: [(&str, &str); 3] =
    [(LINUX_TARGET, "linux"), (STATIC_TARGET, "linux-static"), (WINDOWS_TARGET, "windows")];

/// How the folder of crates.io's sources begins.
const REGISTRY: &[u8] = b"index.crates.io-";

/// The chart library of the page, as published.
const CHARTS: &str = "web/vendor/uPlot.iife.min.js";

const MINGW: &str = "x86_64-w64-mingw32-gcc";

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Crate {
    name: String,
    version: String,
    licence: String,
}

pub fn sbom(dist: &Dist<'_>) -> Result<()> {
    let library = SourceRust::get()?.sysroot()?.join("lib/rustlib/src/rust/library/Cargo.lock");
    let library = fs::read_to_string(&library).with_context(|| format!("cannot read {}", library.display()))?;
    let of_rust = checksums(&library);
    let mut linked: BTreeMap<Crate, BTreeSet<&str>> = BTreeMap::new();
    for ((target, executable), file) in TARGETS.into_iter().zip(dist.ws.executables()) {
        let crates = tree(dist.ws, target)?;
        let image = fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
        let mut unknown = unknown(&image, &crates);
        // The library's own crates, for which its entry stands.
        unknown.retain(|named| !of_rust.keys().any(|(name, version)| format!("{name}-{version}") == **named));
        ensure!(unknown.is_empty(), "{} names source files of {unknown:?}: cargo tree does not", file.display());
        for krate in crates {
            linked.entry(krate).or_default().insert(executable);
        }
    }
    let lock = dist.ws.read("Cargo.lock")?;
    let sums = checksums(&lock);
    let mut components = linked.iter().map(|(krate, of)| component(krate, of, &sums)).collect::<Result<Vec<_>>>()?;
    components.extend(beyond_cargo(dist.ws)?);
    let mut bom = json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "timestamp": dist.stamp.rfc3339(),
            "component": {
                "type": "application",
                "bom-ref": "falcon-agent",
                "name": "falcon-agent",
                "version": dist.version,
                "licenses": [{ "expression": "Apache-2.0" }],
            },
        },
        "components": components,
    });
    let serial = serial(&bom);
    if let Some(bom) = bom.as_object_mut() {
        bom.insert("serialNumber".into(), serial.into());
    }
    let mut text = serde_json::to_string_pretty(&bom)?;
    text.push('\n');
    dist.publish(&format!("falcon-agent-{}.cdx.json", dist.version), text.as_bytes())
}

/// The crates that are linked into the executable for this target.
fn tree(ws: &Workspace, target: &str) -> Result<BTreeSet<Crate>> {
    let tree = cargo().args(["tree", "--locked", "--package", "falcon-agent", "--edges", "normal,no-proc-macro"]);
    let tree = tree.args(["--target", target, "--prefix", "none", "--no-dedupe", "--format", "{p}|{l}"]);
    let lines = tree.dir(&ws.root).output()?;
    lines.lines().filter(|line| !line.is_empty()).map(parse).collect()
}

/// Crates whose source files are named in an executable, in messages of panics, and which are none of these.
fn unknown<'a>(image: &'a [u8], crates: &BTreeSet<Crate>) -> BTreeSet<Cow<'a, str>> {
    let known: BTreeSet<String> = crates.iter().map(|krate| format!("{}-{}", krate.name, krate.version)).collect();
    let named = memmem::find_iter(image, REGISTRY).filter_map(|at| {
        // `index.crates.io-HASH/NAME-VERSION/src/...`
        let folder = image.get(at..)?.splitn(3, |byte| *byte == b'/').nth(1)?;
        Some(String::from_utf8_lossy(folder))
    });
    named.filter(|name| !known.contains(name.as_ref())).collect()
}

/// `NAME vVERSION[ (FOLDER)]|LICENCE`
fn parse(line: &str) -> Result<Crate> {
    let odd = || format!("cargo tree said {line:?}");
    let (package, licence) = line.split_once('|').with_context(odd)?;
    let mut words = package.split(' ');
    let name = words.next().filter(|name| !name.is_empty()).with_context(odd)?;
    let version = words.next().and_then(|version| version.strip_prefix('v')).with_context(odd)?;
    ensure!(!licence.is_empty(), "{name} names no licence");
    // Cargo's way of old to say that one may choose; SPDX has none but OR.
    Ok(Crate { name: name.into(), version: version.into(), licence: licence.replace('/', " OR ") })
}

/// Of each package in `Cargo.lock` by name and version; those of this repository have none.
fn checksums<'a>(lock: &'a str) -> BTreeMap<(&'a str, &'a str), &'a str> {
    let field = |package: &'a str, name: &str| -> Option<&'a str> {
        let (_, rest) = package.split_once(&format!("\n{name} = \""))?;
        Some(rest.split_once('"')?.0)
    };
    let packages = lock.split("[[package]]");
    packages.filter_map(|of| Some(((field(of, "name")?, field(of, "version")?), field(of, "checksum")?))).collect()
}

fn component(krate: &Crate, of: &BTreeSet<&str>, sums: &BTreeMap<(&str, &str), &str>) -> Result<Value> {
    let Crate { name, version, licence } = krate;
    let executables = of.iter().copied().collect::<Vec<_>>().join(",");
    let mut component = json!({
        "type": "library",
        "bom-ref": format!("cargo:{name}@{version}"),
        "name": name,
        "version": version,
        "licenses": [{ "expression": licence }],
        "properties": [{ "name": "falcon-agent:executables", "value": executables }],
    });
    let Some(fields) = component.as_object_mut() else { return Ok(component) };
    if name.starts_with("falcon-") {
        return Ok(component);
    }
    let sum = sums.get(&(name.as_str(), version.as_str()));
    let sum = sum.with_context(|| format!("Cargo.lock has no checksum of {name} {version}"))?;
    fields.insert("purl".into(), format!("pkg:cargo/{name}@{version}").into());
    fields.insert("hashes".into(), json!([{ "alg": "SHA-256", "content": sum }]));
    Ok(component)
}

/// What is linked in and comes with no crate.
fn beyond_cargo(ws: &Workspace) -> Result<Vec<Value>> {
    let rust = SourceRust::get()?.version()?;
    let zig = ws.read(ZIG.requirements)?;
    let zig =
        zig.lines().find_map(|line| line.strip_prefix("ziglang==")).context("no ziglang among the requirements")?;
    let mingw = Run::new(MINGW).arg("-dumpfullversion").output()?;
    let of = |name: &str, version: &str, licence: &str, executables: &str, what: &str| {
        json!({
            "type": "library",
            "bom-ref": format!("{name}@{version}"),
            "name": name,
            "version": version,
            "description": what,
            "licenses": [{ "expression": licence }],
            "properties": [{ "name": "falcon-agent:executables", "value": executables }],
        })
    };
    let charts = ws.read(CHARTS)?;
    let charts = charts_version(&charts).with_context(|| format!("{CHARTS} does not begin with its version"))?;
    Ok(vec![
        of("uplot", charts, "MIT", "linux,linux-static,windows", "draws the charts of the page, in the browser"),
        of("rust-std", &rust, "MIT OR Apache-2.0", "linux,linux-static,windows", "Rust's standard library"),
        of(
            "zig-libc",
            zig.trim(),
            "MIT AND Apache-2.0 WITH LLVM-exception",
            "linux,linux-static",
            "what zig links: libunwind and code that starts a program, and musl in the static executable",
        ),
        of(
            "mingw-w64-gcc",
            mingw.trim(),
            "GPL-3.0-or-later WITH GCC-exception-3.1 AND ZPL-2.1",
            "windows",
            "what mingw-w64's compiler links: libgcc and code that starts a program",
        ),
    ])
}

/// `/*! ADDRESS (vVERSION) */`
fn charts_version(script: &str) -> Option<&str> {
    let (head, _) = script.strip_prefix("/*! ")?.split_once(") */")?;
    head.rsplit_once(" (v").map(|(_, version)| version)
}

/// A UUID (RFC 9562, version 8: of one's own making) of everything else in the file.
fn serial(bom: &Value) -> String {
    let digest = sha256(bom.to_string().as_bytes());
    let part = |from: usize, length: usize| digest.get(from..from + length).unwrap_or_default();
    format!("urn:uuid:{}-{}-8{}-8{}-{}", part(0, 8), part(8, 4), part(12, 3), part(15, 3), part(18, 12))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crate_is_read_as_cargo_tree_prints_it() {
        let krate = |name: &str, version: &str, licence: &str| Crate {
            name: name.into(),
            version: version.into(),
            licence: licence.into(),
        };
        assert_eq!(
            parse("core_detect v1.0.0|MIT/Apache-2.0").unwrap(),
            krate("core_detect", "1.0.0", "MIT OR Apache-2.0")
        );
        assert_eq!(
            parse("falcon-sys v0.1.0 (/x/crates/sys)|Apache-2.0").unwrap(),
            krate("falcon-sys", "0.1.0", "Apache-2.0")
        );
        assert!(parse("core_detect v1.0.0|").is_err());
        assert!(parse("warning: something").is_err());
    }

    #[test]
    fn a_crate_that_an_executable_names_and_the_list_does_not_is_found() {
        let image =
            b"..index.crates.io-1949cf8c/hyper-1.12.0/src/ffi.rs\0index.crates.io-1949cf8c/bytes-1.12.2/src/lib.rs..";
        let crates = BTreeSet::from([parse("bytes v1.12.2|MIT").unwrap()]);
        assert_eq!(unknown(image, &crates), BTreeSet::from([Cow::from("hyper-1.12.0")]));
        assert!(unknown(b"index.crates.io-", &crates).is_empty());
    }

    #[test]
    fn the_chart_library_says_its_version() {
        let script = Workspace::find().unwrap().read(CHARTS).unwrap();
        assert_eq!(charts_version(&script), Some("1.6.32"));
        assert_eq!(charts_version("var uPlot"), None);
    }

    #[test]
    fn checksums_are_those_of_their_package() {
        let lock = "version = 4\n\n[[package]]\nname = \"a\"\nversion = \"1.0.0\"\nsource = \"r\"\nchecksum = \"aa\"\n\n\
                    [[package]]\nname = \"ours\"\nversion = \"0.1.0\"\n\n[[package]]\nname = \"a\"\nversion = \"2.0.0\"\nchecksum = \"bb\"\n";
        assert_eq!(checksums(lock), BTreeMap::from([(("a", "1.0.0"), "aa"), (("a", "2.0.0"), "bb")]));
    }

    /// What cargo says of the packages themselves, not how it draws their tree.
    #[test]
    fn what_is_linked_is_in_it_and_what_builds_or_tests_is_not() {
        let ws = Workspace::find().unwrap();
        let names =
            |target| -> BTreeSet<String> { tree(&ws, target).unwrap().into_iter().map(|krate| krate.name).collect() };
        let (linux, windows) = (names(LINUX_TARGET), names(WINDOWS_TARGET));
        let metadata = cargo()
            .args(["metadata", "--locked", "--format-version", "1", "--no-deps"])
            .dir(&ws.root)
            .output()
            .unwrap();
        let metadata: Value = serde_json::from_str(&metadata).unwrap();
        let (mut direct, mut others) = (0, 0);
        for package in metadata["packages"].as_array().unwrap() {
            if !["falcon-agent", "falcon-sys"].contains(&package["name"].as_str().unwrap()) {
                continue;
            }
            for dependency in package["dependencies"].as_array().unwrap() {
                let name = dependency["name"].as_str().unwrap();
                if dependency["kind"].is_null() {
                    assert!(linux.contains(name) || windows.contains(name), "{name} is linked");
                    direct += 1;
                } else if ["proptest", "tempfile", "rcgen", "zip", "tar", "allocation-counter"].contains(&name) {
                    assert!(!linux.contains(name) && !windows.contains(name), "{name} is for tests");
                    others += 1;
                }
            }
        }
        assert!(direct > 20 && others >= 6, "{direct} and {others}");
        for name in ["cc", "serde_derive", "syn", "thiserror-impl", "tokio-macros"] {
            assert!(!linux.contains(name) && !windows.contains(name), "{name} only builds");
        }
        assert!(windows.contains("windows-sys") && !linux.contains("windows-sys"));
    }

    #[test]
    fn a_serial_number_is_one_of_its_content() {
        let number = serial(&json!({ "a": 1 }));
        assert_eq!(number, serial(&json!({ "a": 1 })));
        assert_ne!(number, serial(&json!({ "a": 2 })));
        let parts: Vec<usize> = number.strip_prefix("urn:uuid:").unwrap().split('-').map(str::len).collect();
        assert_eq!(parts, [8, 4, 4, 4, 12], "{number}");
    }
}
