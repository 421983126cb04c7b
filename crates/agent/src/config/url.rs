//! Addresses of web pages as people write them, taken apart for whoever asks for them.
//!
//! As curl reads them: without a scheme it is `http`; what is no ASCII in path and query is sent percent-encoded in UTF-8; a
//! fragment stays here. A host with other letters must be written in its ASCII form, as resolvers have it.

use axum::http::Uri;

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
        let text = text.split_once('#').map_or(text, |(before, _)| before);
        // One within the path, the query or a password is none.
        let whole = text.split_once("://").filter(|(scheme, _)| !scheme.contains(['/', '?', '@']));
        let (scheme, rest) = whole.unwrap_or(("http", text));
        let is_https = match scheme {
            _ if scheme.eq_ignore_ascii_case("http") => false,
            _ if scheme.eq_ignore_ascii_case("https") => true,
            _ => return Err("only http and https are known"),
        };
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, target) = rest.split_at_checked(end).ok_or("it cannot be read")?;
        let (login, authority) =
            authority.rsplit_once('@').map_or((None, authority), |(login, host)| (Some(login), host));
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
            // The library takes a port of no digits for none.
            None if authority.ends_with(':')
                || !authority.contains("]:")
                    && authority.rsplit_once(':').is_some_and(|(host, _)| !host.contains('[')) =>
            {
                return Err("its port is no number");
            }
            None => {
                if is_https {
                    443
                } else {
                    80
                }
            }
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
        let usual = if self.is_https { 443 } else { 80 };
        if self.port == usual { host } else { format!("{host}:{}", self.port) }
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
}
