//! Whether a transfer acknowledges a call now: one without points, made as the agent makes its calls.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::time::Duration;

use anyhow::{Context as _, anyhow, ensure};
use serde_json::Value;

const CALL: &[u8] = b"{\"method\":\"Transfer.Update\",\"params\":[[]],\"id\":1}\n";
/// To connect, and for the answer.
const PATIENCE: Duration = Duration::from_secs(5);
const MOST_BYTES: u64 = 64 << 10;

/// # Errors
/// None does; what the last one had to say.
pub(super) fn any_acknowledges(addrs: &[String]) -> anyhow::Result<()> {
    let mut answer = Err(anyhow!("none is configured"));
    for addr in addrs {
        answer = acknowledges(addr).with_context(|| addr.clone());
        if answer.is_ok() {
            break;
        }
    }
    answer
}

fn acknowledges(addr: &str) -> anyhow::Result<()> {
    let mut stream = Err(anyhow!("the name has no address"));
    for address in addr.to_socket_addrs()? {
        stream = TcpStream::connect_timeout(&address, PATIENCE).map_err(Into::into);
        if stream.is_ok() {
            break;
        }
    }
    let mut stream = stream?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(CALL)?;
    let mut line = Vec::new();
    BufReader::new(stream.take(MOST_BYTES)).read_until(b'\n', &mut line)?;
    let answer: Value = serde_json::from_slice(&line).context("not the answer of a transfer")?;
    let member = |name: &str| answer.get(name).filter(|value| !value.is_null());
    if let Some(error) = member("error") {
        return Err(anyhow!("it says {error}"));
    }
    ensure!(member("result").is_some(), "not the answer of a transfer");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    /// What comes of servers that answer so, the first of them one that refuses connections.
    fn asked(answer: &'static str) -> Result<(), String> {
        let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap().to_string();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut call = vec![0; CALL.len()];
            stream.read_exact(&mut call).unwrap();
            assert_eq!(call, CALL);
            stream.write_all(answer.as_bytes()).unwrap();
        });
        let answer = any_acknowledges(&[gone, addr]).map_err(|error| format!("{error:#}"));
        server.join().unwrap();
        answer
    }

    #[test]
    fn only_who_takes_the_call_acknowledges() {
        assert_eq!(asked("{\"id\":1,\"result\":{\"Message\":\"ok\",\"Total\":0},\"error\":null}\n"), Ok(()));
        let error =
            asked("{\"id\":1,\"result\":null,\"error\":\"rpc: can't find service Transfer.Update\"}\n").unwrap_err();
        assert!(error.contains("can't find service"), "{error}");
        for nonsense in ["", "HTTP/1.1 400 Bad Request\r\n\r\n", "{\"id\":1,\"result\":null,\"error\":null}\n"] {
            assert!(asked(nonsense).unwrap_err().contains("not the answer"), "{nonsense}");
        }
        assert!(any_acknowledges(&[]).is_err() && any_acknowledges(&["no address".to_owned()]).is_err());
    }
}
