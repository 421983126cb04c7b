//! Plugins from an archive: its hash is known before a byte of it is unpacked, and the new tree is whole before the old one goes.

use std::fs::File;
use std::io::Write;

use ring::digest::{Context, SHA256};

use super::keep::Keep;
use super::marker::{Found, MARKER, Marker, found, listed};
use super::staging::{Staging, tidy};
use super::{Job, checksum, download, swap, unpack};
use crate::config::without_credentials;

/// Bytes of a file of checksums, and of a signature.
const MOST_SUMS: u64 = 64 * 1024;
const SUMS: &str = ".sha256";
const SIGNATURE: &str = ".sha256.minisig";

/// `anew`: also what is there already.
pub(super) fn update(job: &Job<'_>, anew: bool) -> Result<(), String> {
    let shown = without_credentials(job.source.url.expose());
    let failed = |why: String| format!("archive {shown} in dir:{} fail. error: {why}", job.dir.display());
    install(job, &shown, anew).map_err(failed)
}

fn install(job: &Job<'_>, shown: &str, anew: bool) -> Result<(), String> {
    let dir = swap::place(&job.dir)?;
    tidy(&dir);
    let found = found(&dir)?;
    let wanted = wanted(job)?;
    if matches!(&found, Found::Ours(marker) if marker.sha256 == wanted) && !anew {
        return Ok(());
    }
    let before = match found {
        Found::Ours(_) => Some(listed(&dir)?),
        Found::Nothing => None,
    };
    let staging = Staging::beside(&dir)?;
    let hash = fetch(job, &staging)?;
    if hash != wanted {
        return Err(format!("its SHA-256 is {hash}, and {wanted} is expected"));
    }
    let (root, files) = unpack::unpack(job, &staging.archive(), &staging.tree())?;
    let marker = Marker { url: shown.to_owned(), sha256: wanted };
    marker.write(&root, &files).map_err(|error| format!("{MARKER} cannot be written: {error}"))?;
    if let Some(listed) = &before {
        let keep = Keep { job, old: &dir, new: &root, listed };
        keep.times(&files)?;
        keep.others()?;
    }
    job.goes_on()?;
    swap::swap(job, &staging, &root, &dir)
}

/// The hash that the archive must have.
fn wanted(job: &Job<'_>) -> Result<String, String> {
    let source = job.source;
    if !source.sha256.is_empty() {
        return Ok(source.sha256.clone());
    }
    if source.key.is_empty() {
        return Err("nothing tells what is in it: set plugin.sha256 to its SHA-256, or plugin.key to the public key \
                    of minisign that signed its file of checksums"
            .to_owned());
    }
    let sums = small(job, SUMS)?;
    let of_sums = |why: String| format!("{SUMS} beside it: {why}");
    let signature = small(job, SIGNATURE)?;
    let signature = std::str::from_utf8(&signature).map_err(|_| format!("{SIGNATURE} beside it: it is no text"))?;
    checksum::verify(&sums, signature, &source.key).map_err(of_sums)?;
    checksum::of_name(&sums, name(source.url.expose())).map_err(of_sums)
}

/// What lies beside the archive, under its name with something behind.
fn small(job: &Job<'_>, ending: &str) -> Result<Vec<u8>, String> {
    let (url, mut bytes) = (beside(job.source.url.expose(), ending), Vec::new());
    download::get(job, &url, MOST_SUMS, &mut |chunk| {
        bytes.extend_from_slice(chunk);
        Ok(())
    })
    .map_err(|why| format!("{ending} beside it: {why}"))?;
    Ok(bytes)
}

/// Puts the archive on disk, and gives its hash.
fn fetch(job: &Job<'_>, staging: &Staging) -> Result<String, String> {
    let failed = |error: std::io::Error| format!("it cannot be kept: {error}");
    let (mut file, mut hash) = (File::create_new(staging.archive()).map_err(failed)?, Context::new(&SHA256));
    download::get(job, job.source.url.expose(), job.limits.archive, &mut |chunk| {
        hash.update(chunk);
        file.write_all(chunk).map_err(failed)
    })?;
    file.flush().map_err(failed)?;
    let mut hex = String::with_capacity(64);
    for byte in hash.finish().as_ref() {
        for digit in [byte >> 4, byte & 15] {
            hex.extend(char::from_digit(digit.into(), 16));
        }
    }
    Ok(hex)
}

/// The path of an address and what follows it.
fn split(url: &str) -> (&str, &str) {
    let end = url.find(['?', '#']).unwrap_or(url.len());
    url.split_at_checked(end).unwrap_or((url, ""))
}

fn beside(url: &str, ending: &str) -> String {
    let (path, rest) = split(url);
    format!("{path}{ending}{rest}")
}

/// The last part of its path.
fn name(url: &str) -> &str {
    let (path, _) = split(url);
    path.rsplit('/').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_beside_an_archive_is_asked_for_as_it_is() {
        assert_eq!(beside("https://h/a/p.zip", SUMS), "https://h/a/p.zip.sha256");
        assert_eq!(beside("https://h/p.zip?token=x/y", SIGNATURE), "https://h/p.zip.sha256.minisig?token=x/y");
        assert_eq!(name("https://h/a/p.zip?token=x/y"), "p.zip");
        assert_eq!(name("https://h/a/#b"), "");
    }
}
