use super::*;
use tokio::io::DuplexStream;

const OK: &str = "{\"id\":0,\"result\":{\"Message\":\"ok\",\"Total\":2,\"Invalid\":1,\"Latency\":0},\"error\":null}\n";

async fn answered(parts: &[&[u8]]) -> Result<TransferResponse, Error> {
    let (ours, mut theirs) = tokio::io::duplex(64);
    let mut client = Client::new(ours);
    let server = async {
        let mut request = vec![0; 64];
        let read = theirs.read(&mut request).await.expect("a request");
        assert!(request[..read].starts_with(b"{\"method\":\"Transfer.Update\",\"params\":[[1]],\"id\":0}"));
        for part in parts {
            theirs.write_all(part).await.expect("an answer");
        }
        drop(theirs);
    };
    tokio::join!(client.call("Transfer.Update", &[b"[", b"1", b"]"], transfer_response), server).0
}

#[tokio::test]
async fn an_answer_may_come_byte_by_byte() {
    let parts: Vec<&[u8]> = OK.as_bytes().chunks(1).collect();
    let response = answered(&parts).await.expect("an answer");
    assert_eq!((response.message.as_str(), response.total, response.invalid), ("ok", 2, 1));
}

#[tokio::test]
async fn two_answers_may_come_in_one_piece() {
    async fn serve(mut theirs: DuplexStream) {
        let mut request = vec![0; 256];
        let _ = theirs.read(&mut request).await.expect("a request");
        let both =
            "{\"id\":0,\"result\":{\"code\":0},\"error\":null}\n{\"id\":1,\"result\":{\"code\":1},\"error\":null}\n";
        theirs.write_all(both.as_bytes()).await.expect("both");
        let _ = theirs.read(&mut request).await.expect("a second request");
    }
    let (ours, theirs) = tokio::io::duplex(1024);
    let mut client = Client::new(ours);
    let calls = async {
        let first = client.call("Agent.ReportStatus", &[b"{}"], simple_response).await.expect("first");
        let second = client.call("Agent.ReportStatus", &[b"{}"], simple_response).await.expect("second");
        (first, second)
    };
    assert_eq!(tokio::join!(calls, serve(theirs)).0, (0, 1));
}

#[tokio::test]
async fn what_no_server_says_ends_the_connection() {
    let cases: [(&str, &str); 9] = [
        ("hello", "not the answer"),
        ("", "closed"),
        ("{\"id\":0,\"result\":", "closed"),
        ("{\"id\":7,\"result\":{\"Total\":1},\"error\":null}", "call 7"),
        ("{\"id\":null,\"result\":{\"Total\":1},\"error\":null}", "expected one to call 0"),
        ("{\"id\":0,\"result\":null,\"error\":null}", "neither"),
        ("{\"id\":0,\"result\":[],\"error\":null}", "not the answer"),
        ("{\"id\":0,\"result\":{\"Total\":\"x\"},\"error\":null}", "not the answer"),
        ("HTTP/1.1 400 Bad Request\r\n\r\n{}", "not the answer"),
    ];
    for (answer, expected) in cases {
        let error = answered(&[answer.as_bytes()]).await.expect_err(answer);
        assert!(!matches!(error, Error::Refused(_)) && error.to_string().contains(expected), "{answer}: {error}");
    }
}

#[tokio::test]
async fn a_refusal_is_told_in_the_servers_words() {
    let answer = "{\"id\":0,\"result\":null,\"error\":\"json: cannot unmarshal\"}\n";
    let error = answered(&[answer.as_bytes()]).await.expect_err("refused");
    assert!(matches!(&error, Error::Refused(text) if text.contains("unmarshal")), "{error}");
    let answer = "{\"id\":0,\"result\":null,\"error\":\"rpc: can't find method Transfer.Update\"}\n";
    let error = answered(&[answer.as_bytes()]).await.expect_err("refused");
    assert!(matches!(&error, Error::NoMethod(text) if text.contains("Transfer.Update")), "{error}");
}

#[tokio::test]
async fn an_answer_without_end_is_cut_off() {
    let (ours, mut theirs) = tokio::io::duplex(64 * 1024);
    let mut client = Client::new(ours);
    let server = async move {
        let block = vec![b' '; 32 * 1024];
        let mut sent = 0;
        while theirs.write_all(&block).await.is_ok() {
            sent += block.len();
            assert!(sent <= MAX_ANSWER + 256 * 1024, "read without a limit");
        }
    };
    let call = async {
        let result = client.call("Transfer.Update", &[b"[]"], transfer_response).await;
        drop(client);
        result
    };
    let error = tokio::join!(call, server).0.expect_err("too long");
    assert!(error.to_string().contains("more than"), "{error}");
}

#[test]
fn what_hbs_assigns_is_read_with_its_time() {
    let said = |result: &str| {
        decode_answer(format!("{{\"id\":0,\"result\":{result},\"error\":null}}").as_bytes(), 0, builtin_response)
    };
    let full = r#"{"Metrics":[{"Metric":"du.bs","Tags":"path=/etc"},null],"Checksum":"abc","Timestamp":1795363585}"#;
    let metrics = vec![BuiltinMetric { metric: "du.bs".to_owned(), tags: "path=/etc".to_owned() }];
    let expected = BuiltinResponse { metrics, checksum: "abc".to_owned(), timestamp_s: 1_795_363_585 };
    assert_eq!(said(full).expect("an answer"), expected);
    let failed = r#"{"Metrics":null,"Checksum":"","Timestamp":0}"#;
    assert_eq!(said(failed).expect("an answer"), BuiltinResponse::default());
    assert!(matches!(said(r#"{"Timestamp":"1795363585"}"#), Err(Error::Protocol(_))));
}

#[test]
fn of_a_list_without_end_no_more_is_kept_than_is_looked_at() {
    let metric = r#"{"Metric":"du.bs","Tags":"path=/etc"}"#;
    let list = vec![metric; MOST_CHECKS + 100].join(",");
    let answer = format!("{{\"id\":0,\"result\":{{\"Metrics\":[{list}],\"Timestamp\":7}},\"error\":null}}");
    let read = decode_answer(answer.as_bytes(), 0, builtin_response).expect("an answer");
    assert_eq!((read.metrics.len(), read.timestamp_s), (MOST_CHECKS + 1, 7));
}

#[test]
fn trusted_addresses_are_a_bare_text_and_plugins_a_list() {
    let whole = |result: &str| format!("{{\"id\":0,\"result\":{result},\"error\":null}}");
    let trustable = |result: &str| decode_answer(whole(result).as_bytes(), 0, trustable_response).expect("an answer");
    assert_eq!(trustable(r#""127.0.0.1,10.0.0.5""#).as_deref(), Some("127.0.0.1,10.0.0.5"));
    assert_eq!(trustable(r#""""#).as_deref(), Some(""));
    assert_eq!(trustable(r#"{"code":0}"#), None, "another server");
    let plugins = |result: &str| decode_answer(whole(result).as_bytes(), 0, plugins_response).expect("an answer");
    let expected = PluginsResponse { plugins: vec!["sys/ntp".to_owned()], timestamp_s: 7 };
    assert_eq!(plugins(r#"{"Plugins":["sys/ntp",null],"Timestamp":7}"#), expected);
    assert_eq!(plugins(r#"{"Plugins":null,"Timestamp":0}"#), PluginsResponse::default());
}
