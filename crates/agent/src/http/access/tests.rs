//! Which requests are let through, by their headers alone.

use super::*;
use hyper::header::{HeaderName, HeaderValue};

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    pairs.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())).collect()
}

fn is_named(name: &str) -> bool {
    matches!(name, "h" | "10.0.0.1" | "::1")
}

fn allowed(method: &Method, pairs: &[(&'static str, &str)]) -> bool {
    browser(method, &Uri::from_static("/"), &headers(pairs), is_named).is_ok()
}

#[test]
fn a_browser_uses_a_name_of_this_host() {
    const AGENT: (&str, &str) = ("user-agent", "Mozilla/5.0 (X11)");
    for host in ["h", "h:1988", "10.0.0.1:1988", "[::1]:1988", "[::1]"] {
        assert!(allowed(&Method::GET, &[AGENT, ("host", host)]), "{host}");
    }
    // DNS rebinding: the name of another site that resolves to this host.
    for host in ["evil.example", "evil.example:1988", "h.evil.example", "", "h:1988:1"] {
        for sign in [AGENT, ("sec-fetch-site", "none"), ("referer", "http://h/")] {
            assert!(!allowed(&Method::GET, &[sign, ("host", host)]), "{host} {sign:?}");
        }
        assert!(allowed(&Method::POST, &[("user-agent", "curl/8"), ("host", host)]), "a script, {host}");
    }
    assert!(!allowed(&Method::GET, &[AGENT]), "without Host");
}

#[test]
fn a_page_of_another_site_has_nothing_sent_here() {
    for (origin, same) in [
        ("http://h:1988", true),
        ("http://H:1988", true),
        ("http://h", false),
        ("http://evil.example", false),
        ("null", false),
        ("http://h:1988.evil.example", false),
    ] {
        for method in [Method::GET, Method::POST] {
            assert_eq!(allowed(&method, &[("host", "h:1988"), ("origin", origin)]), same, "{origin}");
        }
    }
    assert!(allowed(&Method::POST, &[("host", "h"), ("origin", "http://h:80")]));
    assert!(allowed(&Method::POST, &[("host", "h:443"), ("origin", "https://h")]));
    let linked = [("host", "h:1988"), ("referer", "http://portal.example/hosts?x=http://h:1988/")];
    assert!(allowed(&Method::GET, &linked), "a link leads here");
    assert!(!allowed(&Method::POST, &linked), "an old browser's form, without Origin");
    assert!(allowed(&Method::POST, &[("host", "h:1988"), ("referer", "http://h:1988/page?x")]));
}

/// What a proxy, or anybody, writes of the client changes nothing.
#[test]
fn forwarded_names_are_not_believed() {
    let forwarded = [("host", "evil.example"), ("x-forwarded-host", "h"), ("origin", "http://h")];
    assert!(!allowed(&Method::GET, &forwarded));
}

#[test]
fn what_changes_the_agent_is_asked_for_by_programs_and_pages_of_this_host() {
    const AGENT: (&str, &str) = ("user-agent", "Mozilla/5.0 (X11)");
    const HOST: (&str, &str) = ("host", "h:1988");
    let own = |pairs: &[(&'static str, &str)]| is_own(&Uri::from_static("/exit"), &headers(pairs), true, is_named);
    for right in [
        &[HOST][..],
        &[],
        &[HOST, ("user-agent", "curl/8")],
        &[("host", "10.0.0.1:1988"), ("user-agent", "curl/8")],
        &[("host", "[::1]:1988")],
        &[HOST, AGENT, ("referer", "http://h:1988/")],
        &[HOST, AGENT, ("origin", "http://h:1988")],
        &[HOST, AGENT, ("sec-fetch-site", "same-origin")],
    ] {
        assert!(own(right), "{right:?}");
    }
    for wrong in [
        // An image of another page, whose referrer policy hides it.
        &[HOST, AGENT][..],
        &[HOST, AGENT, ("referer", "http://evil.example/")],
        &[HOST, AGENT, ("sec-fetch-site", "cross-site")],
        &[HOST, AGENT, ("sec-fetch-site", "same-site"), ("referer", "http://h:1988/")],
        &[HOST, AGENT, ("sec-fetch-site", "same-origin"), ("origin", "null")],
        &[HOST, ("user-agent", "curl/8"), ("sec-fetch-site", "cross-site")],
        // A page in Firefox under a name that leads here now, which calls itself curl.
        &[("host", "evil.example:1988"), ("user-agent", "curl/8")],
        &[("host", "evil.example:1988")],
        &[("host", "")],
        // A user who typed the address of a site whose server redirects here: Chromium says the same of both.
        &[HOST, AGENT, ("sec-fetch-site", "none")],
    ] {
        assert!(!own(wrong), "{wrong:?}");
    }
    let typed = headers(&[HOST, AGENT, ("sec-fetch-site", "none")]);
    assert!(is_own(&Uri::from_static("/config"), &typed, false, is_named), "to see it");
    let elsewhere = Uri::from_static("http://evil.example/exit");
    assert!(!is_own(&elsewhere, &headers(&[HOST]), true, is_named), "as of a proxy");
}

/// PowerShell was a program to one rule and a browser to the other.
#[test]
fn scripts_that_call_themselves_mozilla_are_programs_to_every_rule() {
    for (agent, is_script) in [
        ("curl/8", true),
        ("Mozilla/5.0 (Windows NT; Windows NT 10.0; en-US) WindowsPowerShell/5.1.17763.1", true),
        ("Mozilla/5.0 (Windows NT 10.0; Microsoft Windows 10.0.17763; en-US) PowerShell/7.4.1", true),
        ("Mozilla/4.0 (compatible; Win32; WinHttp.WinHttpRequest.5)", true),
        ("Mozilla/4.0 (compatible; MSIE 8.0; Windows NT 6.1; Win64; x64)", false),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", false),
    ] {
        let own = is_own(&Uri::from_static("/exit"), &headers(&[("user-agent", agent), ("host", "h")]), true, is_named);
        let alias = allowed(&Method::POST, &[("user-agent", agent), ("host", "alias.example")]);
        assert_eq!((own, alias), (is_script, is_script), "{agent}");
    }
}

#[test]
fn the_token_is_a_bearers_or_a_password() {
    let token = Secret::new("s3cret:token".to_owned());
    let basic = |pair: &str| format!("Basic {}", BASE64_STANDARD.encode(pair));
    for right in ["Bearer s3cret:token", "bearer  s3cret:token", &basic(":s3cret:token"), &basic("me:s3cret:token")] {
        assert!(bears(&headers(&[("authorization", right)]), &token), "{right}");
    }
    for wrong in [
        "Bearer",
        "Bearer ",
        "Bearer s3cret",
        "Bearer s3cret:tokem",
        "Basic !",
        "s3cret:token",
        &basic("s3cret:token"),
        &basic(""),
    ] {
        assert!(!bears(&headers(&[("authorization", wrong)]), &token), "{wrong}");
    }
    assert!(!bears(&HeaderMap::new(), &token));
}
