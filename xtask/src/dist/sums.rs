//! `SHA256SUMS`: the fingerprint of every other published file, as `sha256sum --check` reads it.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};

use super::{Dist, sha256};

pub const NAME: &str = "SHA256SUMS";

/// Of everything that is published by now, and so the last to be made.
pub fn sums(dist: &Dist<'_>) -> Result<()> {
    let text = list(&dist.folder)?;
    dist.publish(NAME, text.as_bytes())
}

fn list(folder: &Path) -> Result<String> {
    let entries = fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
    let mut files = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    files.retain(|path| path.file_name().is_some_and(|name| name != NAME));
    files.sort();
    ensure!(!files.is_empty(), "{} is empty", folder.display());
    let mut text = String::new();
    for path in files {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let bytes = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        text.push_str(&format!("{}  {name}\n", sha256(&bytes)));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::child::Run;

    #[test]
    fn sha256sum_finds_every_file_and_that_one_was_changed() {
        let dir = std::env::temp_dir().join(format!("xtask-sums-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        fs::write(dir.join("b.deb"), "two").unwrap();
        fs::write(dir.join("a.zip"), "one").unwrap();
        let text = list(&dir).unwrap();
        fs::write(dir.join(NAME), &text).unwrap();
        assert_eq!(list(&dir).unwrap(), text, "its own file is not in it");
        let check = || Run::new("sha256sum").args(["--check", "--strict", NAME]).dir(&dir);
        assert_eq!(check().output().unwrap(), "a.zip: OK\nb.deb: OK\n");
        fs::write(dir.join("b.deb"), "three").unwrap();
        assert!(!check().succeeds());
        fs::remove_dir_all(dir).unwrap();
    }
}
