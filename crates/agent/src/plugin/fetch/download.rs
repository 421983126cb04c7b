//! What an address has, over HTTP or HTTPS, with the redirects that web servers of archives answer with.

use std::pin::pin;
use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::Job;
use crate::app;
use crate::config::WebAddress;
use crate::web::client::Fetched;

const MOST_REDIRECTS: usize = 5;
/// Between two looks at whether the agent stops.
const LOOK: Duration = Duration::from_millis(100);

pub(super) type Take<'a> = dyn FnMut(&[u8]) -> Result<(), String> + Send + 'a;

/// Takes what an address has, of `most` bytes at most, as it comes.
///
/// # Errors
/// It has not come whole, or is not taken.
pub(super) fn get(job: &Job<'_>, url: &str, most: u64, take: &mut Take<'_>) -> Result<(), String> {
    let address = WebAddress::parse(url)?;
    let runtime = app::runtime().map_err(|error| format!("the system gives no event loop: {error}"))?;
    let done = runtime.block_on(async {
        let mut follow = pin!(follow(job, address, most, take));
        loop {
            job.goes_on()?;
            if let Ok(done) = timeout(LOOK, &mut follow).await {
                return done;
            }
        }
    });
    // Who looks a name up may hang.
    runtime.shutdown_background();
    done
}

async fn follow(job: &Job<'_>, mut address: WebAddress, most: u64, take: &mut Take<'_>) -> Result<(), String> {
    // A bit later than what the fetch itself is told.
    let end = Instant::from_std(job.end) + LOOK * 2;
    for _ in 0..=MOST_REDIRECTS {
        match job.client.fetch(&address, end, most, take).await? {
            Fetched::Whole => return Ok(()),
            Fetched::Elsewhere(place) => address = redirected(&address, &place)?,
        }
    }
    Err(format!("it is elsewhere, and elsewhere again, more than {MOST_REDIRECTS} times"))
}

/// Another server is told no login.
fn redirected(from: &WebAddress, place: &str) -> Result<WebAddress, String> {
    let (host, scheme) = (from.authority(), if from.is_https { "https" } else { "http" });
    let full = match place {
        _ if place.starts_with("//") => format!("{scheme}:{place}"),
        _ if place.starts_with('/') => format!("{scheme}://{host}{place}"),
        _ if place.contains("://") => place.to_owned(),
        _ => return Err("it is elsewhere, at a place that is no whole address".to_owned()),
    };
    let mut to = WebAddress::parse(&full).map_err(|why| format!("it is elsewhere, at no address: {why}"))?;
    if from.is_https && !to.is_https {
        return Err("it is elsewhere, without the TLS of this address, and is not fetched from there".to_owned());
    }
    if (&to.host, to.port, to.is_https) == (&from.host, from.port, from.is_https) {
        to.login.clone_from(&from.login);
    }
    Ok(to)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to(from: &str, place: &str) -> Result<(String, String, bool), String> {
        let from = WebAddress::parse(from).unwrap();
        redirected(&from, place).map(|to| (to.authority(), to.target, to.login.is_some()))
    }

    #[test]
    fn a_redirect_leads_to_a_whole_address_or_a_path_and_takes_the_login_to_the_same_server_alone() {
        let told = |host: &str, target: &str, login| Ok((host.to_owned(), target.to_owned(), login));
        assert_eq!(to("http://u:p@h:81/a", "/b?c"), told("h:81", "/b?c", true));
        assert_eq!(to("http://u:p@h:81/a", "http://h:81/b"), told("h:81", "/b", true));
        assert_eq!(to("http://u:p@h:81/a", "http://h/b"), told("h", "/b", false));
        assert_eq!(to("http://u:p@h/a", "https://h/b"), told("h", "/b", false));
        assert_eq!(to("https://u:p@h/a", "//i/b"), told("i", "/b", false));
        assert!(to("https://h/a", "http://h/a").unwrap_err().contains("without the TLS"));
        assert!(to("http://h/a", "b").unwrap_err().contains("no whole address"));
        assert!(to("http://h/a", "file:///etc/passwd").is_err());
    }
}
