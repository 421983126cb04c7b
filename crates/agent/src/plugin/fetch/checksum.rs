//! Which hash an archive must have: what `sha256sum` prints, in a file that minisign has signed.
//!
//! The signature is looked at before a word of what is signed. Sources: jedisct1/minisign, "Signature format"; ring verifies.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use blake2::{Blake2b512, Digest as _};
use ring::signature::{ED25519, UnparsedPublicKey};

/// Signed is the file itself, or its BLAKE2b.
const PLAIN: [u8; 2] = *b"Ed";
const HASHED: [u8; 2] = *b"ED";
const COMMENT: &str = "trusted comment: ";

/// Whether a file is signed with a key.
///
/// # Errors
/// Why it is not.
pub(super) fn verify(file: &[u8], signature: &str, key: &str) -> Result<(), String> {
    let key: Box<[u8; 42]> =
        decoded(key).ok_or("plugin.key is no public key of minisign (the second line of its file)")?;
    let [k0, k1, key @ ..] = *key;
    let (Some((id, key)), PLAIN) = (key.split_first_chunk::<8>(), [k0, k1]) else {
        return Err("plugin.key is a key of another kind than minisign's".to_owned());
    };
    let bad = "the signature is none of minisign";
    let mut lines = signature.lines();
    let (_, signed, comment, over_all) = (lines.next(), lines.next(), lines.next(), lines.next());
    let signed: Box<[u8; 74]> = signed.and_then(decoded).ok_or(bad)?;
    let over_all: Box<[u8; 64]> = over_all.and_then(decoded).ok_or(bad)?;
    let comment = comment.and_then(|line| line.strip_prefix(COMMENT)).ok_or(bad)?;
    let [s0, s1, signed @ ..] = *signed;
    let (by, signed) = signed.split_first_chunk::<8>().ok_or(bad)?;
    if by != id {
        return Err("it is signed with another key than plugin.key".to_owned());
    }
    let key = UnparsedPublicKey::new(&ED25519, key);
    let is_good = match [s0, s1] {
        PLAIN => key.verify(file, signed),
        HASHED => key.verify(&Blake2b512::digest(file), signed),
        _ => return Err(bad.to_owned()),
    };
    is_good.map_err(|_| "the signature is not of this file")?;
    key.verify(&[signed, comment.as_bytes()].concat(), &*over_all)
        .map_err(|_| "its trusted comment is not what was signed")?;
    Ok(())
}

fn decoded<const N: usize>(text: &str) -> Option<Box<[u8; N]>> {
    STANDARD.decode(text.trim()).ok()?.into_boxed_slice().try_into().ok()
}

/// The hash of a file that is named so, in small letters.
///
/// # Errors
/// It is not there.
pub(super) fn of_name(sums: &[u8], name: &str) -> Result<String, String> {
    let sums = std::str::from_utf8(sums).map_err(|_| "it is no text")?;
    let lines = sums.lines().filter_map(|line| line.trim().split_once(' '));
    let named = |text: &str| {
        let text = text.trim_start();
        let text = text.strip_prefix('*').unwrap_or(text);
        text.strip_prefix("./").unwrap_or(text) == name
    };
    let mut found = lines.filter(|(_, of)| named(of)).map(|(hash, _)| hash.to_ascii_lowercase());
    let hash = found.next().ok_or_else(|| format!("it has no line for {name:?}"))?;
    if hash.len() != 64 || !hash.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err(format!("what it has for {name:?} is no SHA-256"));
    }
    if found.any(|other| other != hash) {
        return Err(format!("it has two hashes for {name:?}"));
    }
    Ok(hash)
}
