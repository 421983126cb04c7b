//! Real servers on the loopback.

use super::*;
use socket2::SockRef;

fn servers_of(addrs: Vec<String>, dial_timeout_ms: u64) -> Servers {
    Servers::new_with(addrs, dial_timeout_ms, Box::new(Named("server")))
}

async fn ping(mut client: Connection) -> (Connection, Result<i64, Error>) {
    let result = client.call("Agent.ReportStatus", &[b"{}"], simple_response).await;
    (client, result)
}

/// Answers `calls` calls on each connection, then closes it.
async fn server(calls: usize) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let addr = listener.local_addr().expect("an address").to_string();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            for id in 0..calls {
                let mut request = [0; 256];
                let _ = stream.read(&mut request).await;
                let answer = format!("{{\"id\":{id},\"result\":{{\"code\":0}},\"error\":null}}\n");
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        }
    });
    addr
}

async fn closed_port() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    listener.local_addr().expect("an address").to_string()
}

#[tokio::test]
async fn a_dead_address_is_passed_over_and_a_living_one_kept() {
    let alive = server(usize::MAX).await;
    let mut servers = servers_of(vec![closed_port().await, alive.clone(), closed_port().await], 1000);
    for _ in 0..5 {
        assert_eq!(servers.call(ping).await.expect("answered"), 0);
        assert_eq!(servers.addr(), alive);
    }
}

/// A transfer that was restarted closes the kept connection; the next call must not be lost over it.
#[tokio::test]
async fn a_connection_that_went_stale_is_opened_anew_at_the_same_address() {
    let mut servers = servers_of(vec![server(1).await], 1000);
    for _ in 0..4 {
        assert_eq!(servers.call(ping).await.expect("answered"), 0);
    }
}

#[tokio::test]
async fn when_all_are_dead_the_last_error_is_told_and_the_pause_grows() {
    let mut servers = servers_of(vec![closed_port().await, closed_port().await], 1000);
    let (addr, error) = servers.call(ping).await.expect_err("all dead");
    assert!(addr.starts_with("127.0.0.1:") && matches!(error, Error::Io(_)), "{addr}: {error}");
    let pauses: Vec<_> = (0..8).map(|_| servers.back_off()).collect();
    assert!(pauses[0] <= seconds(1), "{pauses:?}");
    assert!(pauses[7] >= seconds(15) && pauses[7] <= seconds(30), "{pauses:?}");
    let (addr, error) = servers_of(vec![], 0).call(ping).await.expect_err("none");
    assert_eq!((addr, error.to_string().contains("no address is configured")), (String::new(), true));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_never_answers_costs_ten_seconds() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let addr = listener.local_addr().expect("an address").to_string();
    let mut servers = servers_of(vec![addr], 0);
    let held = tokio::spawn(async move {
        let stream = listener.accept().await;
        std::future::pending::<()>().await;
        drop(stream);
    });
    let start = Instant::now();
    let (_, error) = servers.call(ping).await.expect_err("no answer");
    assert!(matches!(error, Error::Timeout(10)), "{error}");
    assert_eq!(start.elapsed().as_secs(), 10);
    held.abort();
}

#[tokio::test]
async fn a_server_that_resets_in_the_middle_of_a_call_is_left_for_the_next() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let resets = listener.local_addr().expect("an address").to_string();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 256];
            let _ = stream.read(&mut request).await;
            // With this a close is a reset.
            let _ = SockRef::from(&stream).set_linger(Some(Duration::ZERO));
        }
    });
    let alive = server(usize::MAX).await;
    let mut servers = Servers::in_order(vec![resets, alive.clone()], Dialler::of_system(1000), Box::new(Named("test")));
    // More than both sides' buffers hold: the reset comes while it is written.
    let large = vec![b' '; 16 << 20];
    let large = &large;
    let mut first = true;
    let call = |mut client: Connection| {
        let body: &[u8] = if std::mem::take(&mut first) { large } else { b"{}" };
        async move {
            let result = client.call("Agent.ReportStatus", &[body, b"{}"], simple_response).await;
            (client, result)
        }
    };
    assert_eq!(servers.call(call).await.expect("answered"), 0);
    assert_eq!((servers.addr(), servers.board().states()[0].state), (alive.as_str(), State::Down));
}

/// A transfer that moved to another host was looked for at its old address until the agent was restarted.
#[tokio::test]
async fn a_name_that_means_another_host_is_followed_at_the_next_dial() {
    let (world, _) = World::new(&[Mode::Answers, Mode::Answers]);
    let meant = Arc::new(Mutex::new(world.addrs[0]));
    let name = meant.clone();
    let names = Names::asking(Arc::new(move |_: &str| Ok(vec![*name.lock().unwrap()])));
    let dialler = Dialler::with(names, world.connect(), 1000);
    let mut servers = Servers::in_order(vec!["transfer:8433".to_owned()], dialler, Box::new(Named("test")));
    let peers = Arc::new(Mutex::new(String::new()));
    for failing in [false, true, false, false] {
        *meant.lock().unwrap() = world.addrs[usize::from(failing)];
        let fails = &std::cell::Cell::new(failing);
        let seen = &peers;
        let world = &world;
        let call = |client: Connection| async move {
            let peer = client.stream().ends().expect("two").1.to_string();
            seen.lock().unwrap().push(world.letter(&peer));
            let result = if fails.take() { Err(Error::Closed) } else { Ok(()) };
            (client, result)
        };
        servers.call(call).await.expect("answered");
    }
    assert_eq!(*peers.lock().unwrap(), "AABBB");
}
