//! `/ui/history?id=1,2&from=UNIX`: what the history has of some series, thinned to what a chart shows.

use std::io::Write;
use std::sync::Arc;

use hyper::StatusCode;

use super::json;
use super::series::separate;
use crate::falcon::wire;
use crate::http::Site;
use crate::http::answer::{DEFECT, Refused, Response, wants_json};
use crate::http::making::made;
use crate::http::routes::Asked;
use crate::hub::Hub;

/// Series of a request.
const MOST: usize = 64;

struct Query {
    ids: Vec<u32>,
    from: i64,
}

pub(super) async fn shown(site: Arc<Site>, asked: Asked) -> Response {
    let as_json = wants_json(asked.request.headers());
    let refused = |status, why: &str| Refused::new(status, why).answer(as_json);
    let query = match read(asked.request.uri().query().unwrap_or_default()) {
        Ok(query) => query,
        Err(why) => return refused(StatusCode::BAD_REQUEST, why),
    };
    let made = made(site, None, Box::new(move |site, _| render(&site.hub, &query).into()));
    made.await.map_or_else(|| refused(StatusCode::INTERNAL_SERVER_ERROR, DEFECT), json)
}

/// # Errors
/// What is wrong with it.
fn read(query: &str) -> Result<Query, &'static str> {
    let (mut ids, mut from) = (None, None);
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        match pair.split_once('=') {
            Some(("id", list)) if ids.is_none() => {
                // Browsers send a comma as it is; others may encode it.
                let list = list.replace("%2C", ",").replace("%2c", ",");
                let read: Result<Vec<u32>, _> = list.split(',').map(str::parse).collect();
                ids = Some(read.map_err(|_| "id: expected numbers of series, as id=1,2")?);
            }
            Some(("from", text)) if from.is_none() => {
                from = Some(text.parse().map_err(|_| "from: expected Unix seconds")?);
            }
            _ => return Err("expected id=1,2 and, if wanted, from=UNIX, once each"),
        }
    }
    match ids {
        None => Err("id is missing: which series, as id=1,2"),
        Some(ids) if ids.len() > MOST => Err("id: at most 64 series at once"),
        Some(ids) => Ok(Query { ids, from: from.unwrap_or(i64::MIN) }),
    }
}

fn render(hub: &Hub, query: &Query) -> Vec<u8> {
    let (from, series) = hub.history(&query.ids, query.from);
    let mut out = Vec::with_capacity(64 + series.iter().map(|(_, points)| points.len() * 24).sum::<usize>());
    // To memory: nothing fails.
    let _ = match from {
        Some(from) => write!(out, "{{\"from\":{from},\"series\":{{"),
        None => write!(out, "{{\"from\":null,\"series\":{{"),
    };
    for (n, (id, points)) in series.iter().enumerate() {
        separate(n, &mut out);
        let _ = write!(out, "\"{id}\":[[");
        for (n, (at, _)) in points.iter().enumerate() {
            separate(n, &mut out);
            let _ = write!(out, "{at}");
        }
        out.extend_from_slice(b"],[");
        for (n, (_, value)) in points.iter().enumerate() {
            separate(n, &mut out);
            wire::number(*value, &mut out);
        }
        out.extend_from_slice(b"]]");
    }
    out.extend_from_slice(b"}}");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_read_or_told_what_is_wrong_with_it() {
        let ids = |query| read(query).map(|query| (query.ids, query.from));
        assert_eq!(ids("id=7"), Ok((vec![7], i64::MIN)));
        assert_eq!(ids("from=-5&id=1,2%2C3"), Ok((vec![1, 2, 3], -5)));
        for bad in [
            "",
            "id=",
            "id=1,",
            "id=-1",
            "id=4294967296",
            "id=a",
            "from=1",
            "id=1&from=",
            "id=1&from=x",
            "id=1&id=2",
            "id=1&x=1",
            "id",
        ] {
            assert!(ids(bad).is_err(), "{bad}");
        }
        let many = |count| format!("id={}", vec!["1"; count].join(","));
        assert!(read(&many(MOST)).is_ok() && read(&many(MOST + 1)).is_err());
    }
}
