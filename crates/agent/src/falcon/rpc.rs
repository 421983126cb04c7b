//! A client of Go's `net/rpc/jsonrpc` over any byte stream: JSON-RPC 1.0, one call in flight, answers matched by id.
//!
//! Any fault (an answer that is not JSON, another id, an end of file, a write that fails) makes the connection unusable;
//! the owner drops it. Only [`Error::Refused`] and [`Error::NoMethod`] leave it whole: the server read the call and said no.
//! Answers are capped at [`MAX_ANSWER`].

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::assigned::{BuiltinMetric, MOST_CHECKS};
use crate::gojson::{self, Framer, Parser, Scalar, Token, key_is};

/// No server of Open-Falcon answers with more: the largest are lists of plugins and strategies of one host.
pub const MAX_ANSWER: usize = 4 * 1024 * 1024;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("the server closed the connection")]
    Closed,
    #[error("the server did not answer within {0} s")]
    Timeout(u64),
    #[error("not the answer of an Open-Falcon server: {0}")]
    Protocol(String),
    /// The server's `error` member.
    #[error("the server refused the call: {0}")]
    Refused(String),
    /// The `error` member of a server of another kind, or too old: whatever is sent there, it takes nothing.
    #[error("the server does not know the call: {0}")]
    NoMethod(String),
}

/// What `net/rpc` (server.go, readRequestHeader) says of a service or method that it does not have. The text of other
/// refusals changes with the version of Go.
const NO_METHOD: &str = "rpc: can't find ";

impl From<gojson::Error> for Error {
    fn from(error: gojson::Error) -> Error {
        Error::Protocol(error.to_string())
    }
}

/// One connection.
pub struct Client<S> {
    stream: S,
    next_id: u64,
    /// Bytes read but not consumed: an answer in parts, or what came behind one.
    pending: Vec<u8>,
    request: Vec<u8>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    pub fn new(stream: S) -> Client<S> {
        Client { stream, next_id: 0, pending: Vec::new(), request: Vec::new() }
    }

    pub fn stream(&self) -> &S {
        &self.stream
    }

    /// Calls `method` with one parameter, the concatenation of `param` (valid JSON together), and reads the result with
    /// `decode`. Not cancel-safe: drop the client when this is given up.
    pub async fn call<T>(
        &mut self,
        method: &str,
        param: &[&[u8]],
        decode: impl FnOnce(&mut Parser<'_>) -> Result<T, gojson::Error>,
    ) -> Result<T, Error> {
        let id = self.next_id;
        self.next_id += 1;
        self.request.clear();
        self.request.extend_from_slice(format!("{{\"method\":\"{method}\",\"params\":[").as_bytes());
        param.iter().for_each(|part| self.request.extend_from_slice(part));
        self.request.extend_from_slice(format!("],\"id\":{id}}}\n").as_bytes());
        self.stream.write_all(&self.request).await?;
        self.stream.flush().await?;
        // One large call or answer must not keep its size for ever.
        self.request.shrink_to(64 * 1024);
        let end = self.read_answer().await?;
        let answer: Vec<u8> = self.pending.drain(..end).collect();
        self.pending.shrink_to(64 * 1024);
        decode_answer(&answer, id, decode)
    }

    /// Fills `pending` up to the end of one JSON object; answers where that is.
    async fn read_answer(&mut self) -> Result<usize, Error> {
        let mut framer = Framer::new();
        let mut scanned = 0;
        loop {
            let fresh = self.pending.get(scanned..).unwrap_or_default();
            if let Some(end) = framer.push(fresh)? {
                return Ok(scanned + end);
            }
            scanned = self.pending.len();
            if scanned >= MAX_ANSWER {
                return Err(Error::Protocol(format!("an answer of more than {MAX_ANSWER} bytes")));
            }
            let room = (MAX_ANSWER - scanned).min(16 * 1024);
            let mut part = (&mut self.stream).take(u64::try_from(room).unwrap_or(u64::MAX));
            if part.read_buf(&mut self.pending).await? == 0 {
                return Err(Error::Closed);
            }
        }
    }
}

/// Reads one answer object: its id must be ours, its error null, its result present.
pub fn decode_answer<T>(
    answer: &[u8],
    id: u64,
    decode: impl FnOnce(&mut Parser<'_>) -> Result<T, gojson::Error>,
) -> Result<T, Error> {
    let mut parser = Parser::new(answer);
    let mut seen_id = None;
    let mut result: Option<usize> = None;
    let mut refusal = None;
    let is_object = parser.object(|p, key| {
        if key_is(key, "id") {
            seen_id = match p.value()? {
                Scalar::Number(number) => Some(number.to_string()),
                other => Some(format!("{other:?}")),
            };
        } else if key_is(key, "result") {
            result = (p.peek()? != Token::Null).then(|| p.offset());
            p.skip()?;
        } else if key_is(key, "error") {
            refusal = match p.value()? {
                Scalar::Null => None,
                Scalar::String(text) => Some(text.chars().take(300).collect()),
                other => Some(format!("{other:?}")),
            };
        } else {
            p.skip()?;
        }
        Ok::<(), gojson::Error>(())
    })?;
    if !is_object {
        return Err(Error::Protocol("null instead of an object".to_owned()));
    }
    if seen_id.as_deref() != Some(id.to_string().as_str()) {
        let seen = seen_id.unwrap_or_else(|| "no id".to_owned());
        return Err(Error::Protocol(format!("an answer to call {seen}, expected one to call {id}")));
    }
    if let Some(refusal) = refusal {
        return Err(if refusal.starts_with(NO_METHOD) { Error::NoMethod(refusal) } else { Error::Refused(refusal) });
    }
    let Some(start) = result else {
        return Err(Error::Protocol("neither a result nor an error".to_owned()));
    };
    Ok(decode(&mut Parser::new(answer.get(start..).unwrap_or_default()))?)
}

/// What a transfer says about a call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TransferResponse {
    pub message: String,
    pub total: i64,
    pub invalid: i64,
    pub latency_ms: i64,
}

pub fn transfer_response(p: &mut Parser<'_>) -> Result<TransferResponse, gojson::Error> {
    let mut response = TransferResponse::default();
    p.object(|p, key| {
        if key_is(key, "Message") {
            response.message = p.string()?.map(|text| text.chars().take(300).collect()).unwrap_or_default();
        } else if key_is(key, "Total") {
            response.total = p.integer()?.unwrap_or(response.total);
        } else if key_is(key, "Invalid") {
            response.invalid = p.integer()?.unwrap_or(response.invalid);
        } else if key_is(key, "Latency") {
            response.latency_ms = p.integer()?.unwrap_or(response.latency_ms);
        } else {
            p.skip()?;
        }
        Ok::<(), gojson::Error>(())
    })?;
    Ok(response)
}

/// The `code` of SimpleRpcResponse: 0 is success.
pub fn simple_response(p: &mut Parser<'_>) -> Result<i64, gojson::Error> {
    let mut code = 0;
    p.object(|p, key| {
        if key_is(key, "code") {
            code = p.integer()?.unwrap_or(code);
        } else {
            p.skip()?;
        }
        Ok::<(), gojson::Error>(())
    })?;
    Ok(code)
}

/// BuiltinMetricResponse.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BuiltinResponse {
    /// One more than is looked at, at most: so it shows that there are too many.
    pub metrics: Vec<BuiltinMetric>,
    /// Opaque: sent back, it keeps the next answer short.
    pub checksum: String,
    /// hbs's clock, Unix seconds; 0 is none.
    pub timestamp_s: i64,
}

pub fn builtin_response(p: &mut Parser<'_>) -> Result<BuiltinResponse, gojson::Error> {
    let mut response = BuiltinResponse::default();
    p.object(|p, key| {
        if key_is(key, "Checksum") {
            response.checksum = p.string()?.map(Into::into).unwrap_or_default();
        } else if key_is(key, "Timestamp") {
            response.timestamp_s = p.integer()?.unwrap_or(response.timestamp_s);
        } else if key_is(key, "Metrics") {
            response.metrics.clear();
            p.array(|p| {
                let metric = builtin_metric(p)?;
                if let Some(metric) = metric.filter(|_| response.metrics.len() <= MOST_CHECKS) {
                    response.metrics.push(metric);
                }
                Ok::<(), gojson::Error>(())
            })?;
        } else {
            p.skip()?;
        }
        Ok::<(), gojson::Error>(())
    })?;
    Ok(response)
}

/// `None`: `null`.
fn builtin_metric(p: &mut Parser<'_>) -> Result<Option<BuiltinMetric>, gojson::Error> {
    let mut metric = BuiltinMetric::default();
    let is_object = p.object(|p, key| {
        if key_is(key, "Metric") {
            metric.metric = p.string()?.map(Into::into).unwrap_or_default();
        } else if key_is(key, "Tags") {
            metric.tags = p.string()?.map(Into::into).unwrap_or_default();
        } else {
            p.skip()?;
        }
        Ok::<(), gojson::Error>(())
    })?;
    Ok(is_object.then_some(metric))
}

/// AgentPluginsResponse.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PluginsResponse {
    pub plugins: Vec<String>,
    /// hbs's clock, Unix seconds; 0 is none.
    pub timestamp_s: i64,
}

pub fn plugins_response(p: &mut Parser<'_>) -> Result<PluginsResponse, gojson::Error> {
    let mut response = PluginsResponse::default();
    p.object(|p, key| {
        if key_is(key, "Plugins") {
            response.plugins.clear();
            p.array(|p| {
                if let Some(plugin) = p.string()?.filter(|_| response.plugins.len() < MOST_CHECKS) {
                    response.plugins.push(plugin.into());
                }
                Ok::<(), gojson::Error>(())
            })?;
        } else if key_is(key, "Timestamp") {
            response.timestamp_s = p.integer()?.unwrap_or(response.timestamp_s);
        } else {
            p.skip()?;
        }
        Ok::<(), gojson::Error>(())
    })?;
    Ok(response)
}

/// The bare text of `Agent.TrustableIps`; `None`: something else, of a server that is no hbs.
pub fn trustable_response(p: &mut Parser<'_>) -> Result<Option<String>, gojson::Error> {
    if p.peek()? == Token::String {
        return Ok(p.string()?.map(Into::into));
    }
    p.skip()?;
    Ok(None)
}

/// Every reader of answers on the same bytes: the entry of the fuzz target.
pub fn fuzz_answer(data: &[u8]) {
    let mut framer = Framer::new();
    if let Ok(Some(end)) = framer.push(data) {
        let answer = data.get(..end).unwrap_or_default();
        let _ = decode_answer(answer, 0, transfer_response);
        let _ = decode_answer(answer, 0, simple_response);
        let _ = decode_answer(answer, 0, builtin_response);
        let _ = decode_answer(answer, 0, plugins_response);
        let _ = decode_answer(answer, 0, trustable_response);
    }
}

#[cfg(test)]
mod tests;
