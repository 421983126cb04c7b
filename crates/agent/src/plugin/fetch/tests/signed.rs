//! Which archive is the right one, as signatures and hashes say.

use super::*;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use blake2::{Blake2b512, Digest as _};
use ring::signature::{Ed25519KeyPair, KeyPair as _};

use super::super::checksum::{of_name, verify};

const SUMS: &str = "/files/plugins.tar.gz.sha256";
const SIGNATURE: &str = "/files/plugins.tar.gz.sha256.minisig";

/// Signs as minisign does.
struct Signer(Ed25519KeyPair);

impl Signer {
    fn new(seed: u8) -> Signer {
        Signer(Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap())
    }

    fn key(&self) -> String {
        STANDARD.encode([b"Ed01234567", self.0.public_key().as_ref()].concat())
    }

    fn sign(&self, kind: &str, file: &[u8], comment: &str) -> String {
        let signed = if kind == "ED" { self.0.sign(&Blake2b512::digest(file)) } else { self.0.sign(file) };
        let over_all = self.0.sign(&[signed.as_ref(), comment.as_bytes()].concat());
        let line = STANDARD.encode([kind.as_bytes(), b"01234567", signed.as_ref()].concat());
        let over_all = STANDARD.encode(over_all.as_ref());
        format!("untrusted comment: x\n{line}\ntrusted comment: {comment}\n{over_all}\n")
    }
}

#[test]
fn a_hash_counts_that_is_signed_and_of_this_name() {
    let archive = zip(&plugins("a"));
    let (mut host, signer) = (Host::having(&archive), Signer::new(7));
    (host.source.sha256, host.source.key) = (String::new(), signer.key());
    let good = format!("{}  other.zip\n{}  plugins.tar.gz\n", sha256(b""), sha256(&archive));
    let offer = |sums: &str, signature: String| {
        host.server.has(SUMS, answer(sums.as_bytes()));
        host.server.has(SIGNATURE, answer(signature.as_bytes()));
    };
    assert_eq!(host.refused(), ".sha256 beside it: the answer is 404, not 200");
    for (sums, signature, why) in [
        (good.as_str(), Signer::new(8).sign("ED", good.as_bytes(), "c"), "the signature is not of this file"),
        (&good, signer.sign("ED", b"another file", "c"), "the signature is not of this file"),
        (&good, signer.sign("Ed", b"another file", "c"), "the signature is not of this file"),
        (
            &good,
            signer.sign("ED", good.as_bytes(), "c").replace(": c", ": d"),
            "its trusted comment is not what was signed",
        ),
        (&good, signer.sign("EX", good.as_bytes(), "c"), "the signature is none of minisign"),
        (&good, String::new(), "the signature is none of minisign"),
    ] {
        offer(sums, signature);
        assert_eq!(host.refused(), format!(".sha256 beside it: {why}"));
    }
    let of_others = good.replace("plugins.tar.gz", "plugins.zip");
    offer(&of_others, signer.sign("ED", of_others.as_bytes(), "c"));
    assert_eq!(host.refused(), ".sha256 beside it: it has no line for \"plugins.tar.gz\"");
    assert!(!host.server.asked().contains(&ARCHIVE.to_owned()), "nothing was fetched that nothing tells of");
    for kind in ["ED", "Ed"] {
        offer(&good, signer.sign(kind, good.as_bytes(), "c"));
        host.update().unwrap();
        assert_eq!(host.files(), unpacked("a"));
    }
    assert_eq!(host.server.asked().iter().filter(|path| *path == ARCHIVE).count(), 1, "the hash told that it is there");
}

#[test]
fn without_a_hash_and_a_key_nothing_is_fetched() {
    let mut host = Host::having(&zip(&plugins("a")));
    host.source.sha256.clear();
    assert!(host.refused().starts_with("nothing tells what is in it: set plugin.sha256"));
    host.source.key = "RWQ".to_owned();
    host.server.has(SUMS, answer(b""));
    host.server.has(SIGNATURE, answer(b""));
    assert!(host.refused().ends_with("plugin.key is no public key of minisign (the second line of its file)"));
    assert!(!host.dir().exists());
}

/// Key and signatures are of jedisct1's minisign, as its library for Rust is tested with them.
#[test]
fn what_minisign_signed_is_verified() {
    let key = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3";
    let plain = "untrusted comment: signature from minisign secret key\n\
        RWQf6LRCGA9i59SLOFxz6NxvASXDJeRtuZykwQepbDEGt87ig1BNpWaVWuNrm73YiIiJbq71Wi+dP9eKL8OC351vwIasSSbXxwA=\n\
        trusted comment: timestamp:1555779966\tfile:test\n\
        QtKMXWyYcwdpZAlPF7tE2ENJkRd1ujvKjlj1m9RtHTBnZPa5WKU5uWRs5GoP5M/VqE81QFuMKI5k/SfNQUaOAA==";
    let hashed = "untrusted comment: signature from minisign secret key\r\n\
        RUQf6LRCGA9i559r3g7V1qNyJDApGip8MfqcadIgT9CuhV3EMhHoN1mGTkUidF/z7SrlQgXdy8ofjb7bNJJylDOocrCo8KLzZwo=\r\n\
        trusted comment: timestamp:1556193335\tfile:test\r\n\
        y/rUw2y8/hOUYjZU71eHp/Wo1KZ40fGy2VJEDl34XMJM+TX48Ss/17u3IvIfbVR1FkZZSNCisQbuQY+bHwhEBg==\r\n";
    for signature in [plain, hashed] {
        assert_eq!(verify(b"test", signature, key), Ok(()));
        assert_eq!(verify(b"Test", signature, key), Err("the signature is not of this file".to_owned()));
        let other = STANDARD.encode([b"Ed01234567", [1; 32].as_slice()].concat());
        assert_eq!(verify(b"test", signature, &other), Err("it is signed with another key than plugin.key".to_owned()));
    }
}

#[test]
fn a_file_of_checksums_is_read_as_sha256sum_writes_it() {
    let (a, b) = (sha256(b"a"), sha256(b"b"));
    let sums = format!("{a}  a.zip\n{b} *dir/b.zip\r\n{}  ./C d.zip\nshort  e\n{a}  f\n{b}  f\n", b.to_uppercase());
    for (name, hash) in
        [("a.zip", Some(&a)), ("C d.zip", Some(&b)), ("b.zip", None), ("e", None), ("f", None), ("", None)]
    {
        assert_eq!(of_name(sums.as_bytes(), name).ok().as_ref(), hash, "{name}");
    }
}
