//! Pushes a second of one client (`http.limits.rate`), counted in a table of bounded size.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Clients that are remembered; of more, those that were silent longest are forgotten, in their favour.
const MOST_CLIENTS: usize = 4096;

/// A bucket for each client: it holds the pushes of one second, and fills at the rate.
#[derive(Debug)]
pub struct Rates {
    /// 0: any number.
    per_second: u32,
    clients: Mutex<HashMap<IpAddr, Bucket>>,
}

#[derive(Debug)]
struct Bucket {
    left: f64,
    at: Instant,
}

impl Rates {
    pub fn new(per_second: u32) -> Rates {
        Rates { per_second, clients: Mutex::default() }
    }

    /// Takes one push from the client's bucket.
    ///
    /// # Errors
    /// It is empty; when there is one again.
    pub fn take(&self, client: IpAddr) -> Result<(), Duration> {
        if self.per_second == 0 {
            return Ok(());
        }
        let (rate, now) = (f64::from(self.per_second), Instant::now());
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        let client = subject(client);
        if clients.len() >= MOST_CLIENTS && !clients.contains_key(&client) {
            // A bucket is full after a second.
            clients.retain(|_, bucket| now - bucket.at < Duration::from_secs(1));
            if clients.len() >= MOST_CLIENTS {
                let silent = clients.iter().min_by_key(|(_, bucket)| bucket.at).map(|(client, _)| *client);
                silent.and_then(|client| clients.remove(&client));
            }
        }
        let bucket = clients.entry(client).or_insert(Bucket { left: rate, at: now });
        bucket.left = (bucket.left + (now - bucket.at).as_secs_f64() * rate).min(rate);
        bucket.at = now;
        if bucket.left < 1.0 {
            return Err(Duration::from_secs_f64((1.0 - bucket.left) / rate));
        }
        bucket.left -= 1.0;
        Ok(())
    }
}

/// One host of IPv6 has 2^64 addresses to choose from.
fn subject(client: IpAddr) -> IpAddr {
    match client.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX))),
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1));

    #[tokio::test(start_paused = true)]
    async fn a_client_has_its_pushes_of_a_second_and_then_waits() {
        let rates = Rates::new(2);
        assert_eq!([rates.take(A), rates.take(A)], [Ok(()), Ok(())]);
        assert_eq!(rates.take(A), Err(Duration::from_millis(500)));
        assert_eq!(rates.take("10.0.0.2".parse().unwrap()), Ok(()), "others have their own");
        tokio::time::advance(Duration::from_millis(500)).await;
        assert_eq!(rates.take(A), Ok(()));
        tokio::time::advance(Duration::from_secs(3600)).await;
        assert_eq!((0..10).filter(|_| rates.take(A).is_ok()).count(), 2, "an hour of silence saves up no more");
        assert!((0..1000).all(|_| Rates::new(0).take(A).is_ok()));
    }

    #[tokio::test(start_paused = true)]
    async fn the_table_of_clients_is_bounded_and_a_network_is_one_client() {
        let rates = Rates::new(1);
        for n in 0..10_000_u32 {
            let _ = rates.take(IpAddr::V4(n.into()));
        }
        assert_eq!(rates.clients.lock().unwrap().len(), MOST_CLIENTS);
        assert!(rates.take("fd00::1".parse().unwrap()).is_ok());
        assert!(rates.take("fd00::2".parse().unwrap()).is_err());
        assert!(rates.take("::ffff:9.9.9.9".parse().unwrap()).is_ok());
        assert!(rates.take("9.9.9.9".parse().unwrap()).is_err());
    }
}
