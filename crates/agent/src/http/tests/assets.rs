//! The files of the page: how they are sent, that they ask nobody else, and that nothing from outside becomes markup.

use std::collections::BTreeSet;
use std::fs;

use super::*;
use crate::http::ui::assets::ASSETS;

const WEB: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../web");

/// Each file of the page in the source tree.
fn sources() -> Vec<(String, String)> {
    let of = |folder: &str| fs::read_dir(format!("{WEB}{folder}")).expect("a folder");
    let files = ["", "/js", "/vendor"].into_iter().flat_map(of).map(|entry| entry.expect("a file").path());
    let files = files
        .filter(|path| path.extension().is_some_and(|kind| ["html", "css", "js"].iter().any(|known| kind == *known)));
    let name = |path: &Path| path.file_name().and_then(|name| name.to_str()).expect("a name").to_owned();
    files.map(|path| (name(&path), fs::read_to_string(&path).expect("a text"))).collect()
}

impl Server {
    /// The head, and the body as it came.
    async fn bytes(&self, path: &str, headers: &str) -> (String, Vec<u8>) {
        let mut stream = self.connect().await;
        let request = format!("GET {path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n{headers}\r\n");
        stream.write_all(request.as_bytes()).await.expect("sent");
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        let end = answer.windows(4).position(|part| part == b"\r\n\r\n").expect("a head") + 4;
        let body = answer.split_off(end);
        (String::from_utf8(answer).expect("a head of text"), body)
    }
}

fn gunzip(packed: &[u8]) -> String {
    let mut text = String::new();
    std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(packed), &mut text).expect("gzip");
    text
}

#[tokio::test]
async fn a_file_is_sent_packed_or_as_it_is_and_is_the_one_in_the_source_tree() {
    let server = server().await;
    for asset in &ASSETS {
        let path = asset.path;
        let (head, packed) = server.bytes(path, "Accept-Encoding: br, gzip\r\n").await;
        let kind = match path.rsplit('.').next() {
            Some("css") => "text/css; charset=utf-8",
            Some("js") => "text/javascript; charset=utf-8",
            _ => "text/html; charset=utf-8",
        };
        for (name, value) in [
            ("content-type", kind),
            ("content-encoding", "gzip"),
            ("cache-control", "no-cache"),
            ("vary", "Accept-Encoding"),
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "same-origin"),
        ] {
            assert_eq!(header(&head, name), Some(value), "{path}: {head}");
        }
        let source = gunzip(&packed);
        for takes in ["", "Accept-Encoding: identity, gzip;q=0\r\n", "Accept-Encoding: br\r\n"] {
            let (head, plain) = server.bytes(path, takes).await;
            assert_eq!(
                (header(&head, "content-encoding"), header(&head, "content-type")),
                (None, Some(kind)),
                "{path}"
            );
            assert!(plain == source.as_bytes(), "{path}: {takes}");
        }
    }
}

#[test]
fn what_is_packed_is_what_the_source_tree_has() {
    let sources = sources();
    let packed = |path: &str| gunzip(ASSETS.iter().find(|asset| asset.path == path).expect(path).packed);
    let script = packed("/ui/page.js");
    for (name, source) in &sources {
        // The author's files and the page are sent as they are, of others indents and comments are left out.
        match name.as_str() {
            "index.html" => assert!(packed("/") == *source),
            name if name.starts_with("uPlot") => assert!(packed(&format!("/ui/{name}")) == *source, "{name}"),
            name => {
                let lines: Vec<&str> = source
                    .lines()
                    .map(str::trim)
                    .filter(|line| !line.starts_with("//") && !line.starts_with("/*"))
                    .collect();
                let own = format!("/ui/{name}");
                let text = if ASSETS.iter().any(|asset| asset.path == own) && name != "page.js" {
                    packed(&own)
                } else {
                    script.clone()
                };
                for line in lines.into_iter().filter(|line| !line.starts_with("import ")) {
                    assert!(text.contains(line.trim_start_matches("export ")), "{name}: {line}");
                }
            }
        }
    }
    assert!(!script.contains("\nimport ") && !script.contains("\nexport "));
}

#[tokio::test]
async fn a_file_that_the_browser_has_is_not_sent_again() {
    let server = server().await;
    for asset in &ASSETS {
        let answer = server.get(asset.path).await;
        let etag = header(&answer, "etag").expect("an ETag");
        for known in [etag.to_owned(), format!("\"x\", {etag}"), "*".to_owned()] {
            let again = server.get_with(asset.path, &format!("Host: h\r\nIf-None-Match: {known}\r\n")).await;
            assert_eq!((status(&again), body(&again), header(&again, "etag")), (304, "", Some(etag)), "{}", asset.path);
            assert_eq!(header(&again, "content-length"), None, "it would be that of the file");
        }
        let other = server.get_with(asset.path, "Host: h\r\nIf-None-Match: \"x\"\r\n").await;
        assert_eq!(status(&other), 200);
    }
    let tags: BTreeSet<_> = ASSETS.iter().map(|asset| asset.path).collect();
    assert_eq!(tags.len(), ASSETS.len());
}

#[tokio::test]
async fn the_page_may_load_and_run_its_own_files_alone() {
    let server = server().await;
    let page = server.get("/").await;
    let policy = header(&page, "content-security-policy").expect("a policy");
    assert!(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self';"), "{policy}");
    for part in ["base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"] {
        assert!(policy.contains(part), "{policy}");
    }
    assert!(!policy.contains("unsafe") && !policy.contains("http"), "{policy}");
    let head = server.raw("HEAD / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n").await;
    assert_eq!((status(&head), body(&head)), (200, ""));
    assert_eq!(header(&head, "content-length"), header(&page, "content-length"));
    // What it names is there, and a module that is not named would be asked for only when another has come.
    let named: BTreeSet<&str> =
        body(&page).split('"').filter(|word| word.starts_with("ui/") && word.contains('.')).collect();
    for asset in ASSETS.iter().filter(|asset| asset.path != "/") {
        assert!(named.contains(asset.path.trim_start_matches('/')), "the page does not name {}", asset.path);
    }
    assert_eq!(named.len(), ASSETS.len() - 1, "{named:?}");
}

/// Names come from plugins, pushes and adapters: one of `<img onerror=...>` is a text.
#[test]
fn no_text_becomes_markup_or_program() {
    for (name, source) in sources().into_iter().filter(|(name, _)| !name.contains("uPlot")) {
        for bad in [
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
            "new Function",
            " style=",
            "createContextualFragment",
            "javascript:",
        ] {
            assert!(!source.contains(bad), "{name} has {bad}");
        }
        if name == "index.html" {
            assert!(!source.contains(" on"), "{name} has a handler");
            assert!(
                source.matches("<script").count() == source.matches("<script src=\"ui/").count(),
                "a script within the page"
            );
        }
    }
}

#[test]
fn nothing_is_asked_of_anybody_else() {
    for (name, source) in sources() {
        let source =
            source.replace("http://www.w3.org/2000/svg", "").replace("/*! https://github.com/leeoniya/uPlot", "");
        for address in ["http://", "https://", "src=\"//", "url(\""] {
            assert!(!source.contains(address), "{name} has {address}");
        }
    }
}

/// Executables have little room left.
#[test]
fn the_page_is_small() {
    let packed: usize = ASSETS.iter().map(|asset| asset.packed.len()).sum();
    assert!(packed <= 55_000, "{packed} bytes");
}

/// What is published under a licence is what its author published.
#[test]
fn the_chart_library_is_the_published_one() {
    let readme = fs::read_to_string(format!("{WEB}/vendor/README.md")).expect("a text");
    let name = "uPlot.iife.min.js";
    let file = fs::read(format!("{WEB}/vendor/{name}")).expect("a file");
    let digest = ring::digest::digest(&ring::digest::SHA256, &file);
    let digest: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    assert!(readme.contains(&format!("| `{name}` | `{digest}` |")), "{name}: {digest}");
}
