//! Addresses of web pages as people write them, taken apart for whoever asks for them.
//!
//! As curl reads them: without a scheme it is `http`; what is no ASCII in path and query is sent percent-encoded in UTF-8; a
//! fragment stays here. A host with other letters must be written in its ASCII form, as resolvers have it.
//!
//! What is asked for and what is shown are split in one place: a login that one of them took for a path would be shown.

use hyper::Uri;

use super::secret::HIDDEN;

/// What is asked, of whom, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WebAddress {
    pub is_https: bool,
    /// Name or address; one of IPv6 without its brackets.
    pub host: String,
    pub port: u16,
    /// Path and query, as they are sent.
    pub target: String,
    /// `user:password`, decoded.
    pub login: Option<Vec<u8>>,
}

impl WebAddress {
    /// # Errors
    /// What keeps it from being one, in words that follow a colon.
    pub fn parse(text: &str) -> Result<WebAddress, &'static str> {
        let text = text.trim();
        let Parts { scheme, login, host: authority, rest } = Parts::of(text);
        let is_https = match scheme {
            "" => false,
            _ if scheme.eq_ignore_ascii_case("http://") => false,
            _ if scheme.eq_ignore_ascii_case("https://") => true,
            _ => return Err("only http and https are known"),
        };
        let target = rest.split_once('#').map_or(rest, |(before, _)| before);
        if authority.is_empty() {
            return Err("it has no host");
        }
        if !authority.is_ascii() {
            return Err("its host must be written in its ASCII form (xn--...)");
        }
        let slash = if target.starts_with('/') { "" } else { "/" };
        let uri: Uri =
            format!("http://{authority}{slash}{}", encoded(target)).parse().map_err(|_| "it cannot be read")?;
        let (Some(host), Some(target)) = (uri.host(), uri.path_and_query()) else { return Err("it has no host") };
        let port = match uri.port() {
            // Something stands behind the host, which the library takes for none.
            None if host != authority => return Err("its port is no number"),
            None => usual_port(is_https),
            Some(port) if port.as_u16() == 0 => return Err("its port must be a number from 1 to 65535"),
            Some(port) => port.as_u16(),
        };
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        Ok(WebAddress {
            is_https,
            host: bare.to_owned(),
            port,
            target: target.as_str().to_owned(),
            login: login.map(decoded),
        })
    }

    /// Of the header `Host`: with the port where that is not the scheme's own.
    pub fn authority(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        if self.port == usual_port(self.is_https) { host } else { format!("{host}:{}", self.port) }
    }
}

fn usual_port(is_https: bool) -> u16 {
    if is_https { 443 } else { 80 }
}

/// An address as it is written.
struct Parts<'a> {
    /// With its `://`; empty where there is none.
    scheme: &'a str,
    login: Option<&'a str>,
    /// And port.
    host: &'a str,
    /// Path, query and fragment.
    rest: &'a str,
}

impl Parts<'_> {
    fn of(text: &str) -> Parts<'_> {
        let (scheme, rest) = split_scheme(text);
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, rest) = rest.split_at_checked(end).unwrap_or((rest, ""));
        let (login, host) = authority.rsplit_once('@').map_or((None, authority), |(login, host)| (Some(login), host));
        Parts { scheme, login, host, rest }
    }
}

/// The scheme with its `://`, empty where there is none, and what follows. One within the path, the query or a password is none.
pub(crate) fn split_scheme(text: &str) -> (&str, &str) {
    let of_scheme = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
    let end = text.find("://").filter(|end| text.bytes().take(*end).all(of_scheme));
    end.and_then(|end| text.split_at_checked(end + 3)).unwrap_or(("", text))
}

/// Without what stands before the last `@`, wherever that is: rather a path too short than half a password that had an
/// unescaped `/`, `?`, `#` or `@` in it.
pub(crate) fn without_credentials(text: &str) -> String {
    let (scheme, rest) = split_scheme(text);
    rest.rsplit_once('@').map_or_else(|| text.to_owned(), |(_, rest)| format!("{scheme}{HIDDEN}@{rest}"))
}

/// As a tag and the log have it: a login leaves no mark where it cannot be anything else.
pub(crate) fn without_login(text: &str) -> String {
    match Parts::of(text) {
        Parts { scheme, login: Some(_), host, rest } if !rest.contains('@') => format!("{scheme}{host}{rest}"),
        _ => without_credentials(text),
    }
}

/// Tags of which the first has an address for its value, whether or not they can be read as tags.
pub(crate) fn tags_without_credentials(tags: &str) -> String {
    match tags.split_once('=') {
        Some((key, rest)) if !key.contains([':', '/', '@']) => format!("{key}={}", without_credentials(rest)),
        _ => without_credentials(tags),
    }
}

/// What a request line cannot have, percent-encoded.
fn encoded(target: &str) -> String {
    let mut text = String::with_capacity(target.len());
    for byte in target.bytes() {
        match byte {
            b'!'..=b'~' if !matches!(byte, b'"' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}') => {
                text.push(char::from(byte))
            }
            _ => text.push_str(&format!("%{byte:02X}")),
        }
    }
    text
}

/// With `%XX` replaced by what it stands for; what is none stays.
fn decoded(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let digits = after.get(..2).filter(|_| first == b'%').and_then(|pair| std::str::from_utf8(pair).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(first);
                rest = after;
            }
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<(bool, String, u16, String), &'static str> {
        WebAddress::parse(text).map(|at| (at.is_https, at.host, at.port, at.target))
    }

    #[test]
    fn an_address_is_taken_apart() {
        for (text, https, host, port, target) in [
            ("http://example.com", false, "example.com", 80, "/"),
            ("https://example.com/a?b=c,d#e", true, "example.com", 443, "/a?b=c,d"),
            ("HTTPS://example.com:8443?q", true, "example.com", 8443, "/?q"),
            ("example.com/x", false, "example.com", 80, "/x"),
            ("h/redirect?to=http://x", false, "h", 80, "/redirect?to=http://x"),
            ("h#to=http://x", false, "h", 80, "/"),
            ("http://[::1]:8080/", false, "::1", 8080, "/"),
            ("http://[fe80::1]", false, "fe80::1", 80, "/"),
            ("http://10.0.0.1:1/健康 状态", false, "10.0.0.1", 1, "/%E5%81%A5%E5%BA%B7%20%E7%8A%B6%E6%80%81"),
            ("http://h/%e5|", false, "h", 80, "/%e5%7C"),
        ] {
            assert_eq!(parsed(text), Ok((https, host.to_owned(), port, target.to_owned())), "{text}");
        }
        for text in [
            "",
            "http://",
            "ftp://x",
            "http:///x",
            "http://x:/",
            "http://x:0",
            "http://x:99999",
            "http://x:y",
            "http://a b",
            "http://例.com",
            "http://[::1",
        ] {
            assert!(parsed(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_login_is_decoded_and_goes_nowhere_else() {
        let at = WebAddress::parse("https://us%65r:p%40ss@w%zz@h:444/").unwrap();
        assert_eq!(at.login.as_deref(), Some(b"user:p@ss@w%zz".as_slice()));
        assert_eq!((at.host.as_str(), at.authority().as_str()), ("h", "h:444"));
        assert_eq!(WebAddress::parse("http://[::1]").unwrap().authority(), "[::1]");
    }

    /// Who asked found a login where who showed the text saw a scheme, and the password stood in tags and in the log.
    #[test]
    fn what_may_be_a_login_is_never_shown() {
        for (text, tag, hidden) in [
            ("http://h/x?y#z", "http://h/x?y#z", "http://h/x?y#z"),
            ("http://u:secret@h/x", "http://h/x", "http://******@h/x"),
            ("u:secret@h/r?to=http://x", "h/r?to=http://x", "******@h/r?to=http://x"),
            ("u:secret://@h/r", "******@h/r", "******@h/r"),
            ("secret@h/x", "h/x", "******@h/x"),
            ("http://u:12/secret@h/", "http://******@h/", "http://******@h/"),
            ("http://u:12#secret@h/", "http://******@h/", "http://******@h/"),
            ("http://u:12?secret@h/", "http://******@h/", "http://******@h/"),
            ("http://u:secret@h/p@q", "http://******@q", "http://******@q"),
            ("ftp://u:sec@ret@h/", "ftp://h/", "ftp://******@h/"),
        ] {
            assert_eq!((&*without_login(text), &*without_credentials(text)), (tag, hidden), "{text}");
            assert_eq!(without_credentials(hidden), hidden, "hiding twice changes nothing");
        }
        for (tags, shown) in [
            ("url=http://h/x,timeout=5", "url=http://h/x,timeout=5"),
            ("url=http://u:secret@h/x?a=b,timeout=3", "url=http://******@h/x?a=b,timeout=3"),
            ("http://u:s=secret@h,timeout=3", "http://******@h,timeout=3"),
            ("u:s=secret@h", "******@h"),
            ("url=u:secret@h/?to=http://x,timeout=3,src=e", "url=******@h/?to=http://x,timeout=3,src=e"),
        ] {
            assert_eq!(tags_without_credentials(tags), shown);
        }
    }
}
