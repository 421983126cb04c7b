//! One request over one connection, for who asks: the verbs that ask the running agent, and the checks of URLs.
//!
//! The connection works while something is waited for ([`driven`]) and no longer: it is no task of its own, and gone when it is
//! dropped. All streams are of one kind, so that this code is in the executable once.

use std::convert::Infallible;
use std::future::{Future, pending, poll_fn};

use http_body_util::Empty;
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;

use crate::falcon::connection::Stream;

/// Bytes of an answer's head, about.
const MOST_HEAD: usize = 64 * 1024;

pub(crate) type Connection = http1::Connection<TokioIo<Stream>, Empty<Bytes>>;
pub(crate) type Sender = http1::SendRequest<Empty<Bytes>>;

pub(crate) async fn open(stream: Stream) -> hyper::Result<(Sender, Connection)> {
    http1::Builder::new().max_buf_size(MOST_HEAD).handshake(TokioIo::new(stream)).await
}

/// Lets the connection work while something is waited for.
pub(crate) async fn driven<T>(connection: &mut Connection, wait: impl Future<Output = T>) -> T {
    let work = async {
        // What ended it, the one who waits is told.
        let _ = poll_fn(|cx| connection.poll_without_shutdown(cx)).await;
        pending::<Infallible>().await
    };
    tokio::select! {
        biased;
        answer = wait => answer,
        never = work => match never {},
    }
}
