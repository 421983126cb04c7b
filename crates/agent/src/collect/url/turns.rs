//! Checks take turns: a few at once, each with its own time limit, all within that of the cycle.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

use crate::web::client::{Ask, Asked, Client};

/// At once.
pub(super) const TURNS: usize = 4;

/// A check that waits for its turn, by its place in the list.
pub(super) struct Turn {
    pub n: usize,
    pub ask: Ask,
    pub limit: Duration,
}

/// What became of each, by its place; nothing of what was cut off or got no turn. Then no connection is open any more.
pub(super) async fn take_turns(client: &Arc<Client>, turns: Vec<Turn>, time: Duration) -> Vec<(usize, Asked)> {
    let end = Instant::now() + time;
    let (mut turns, mut at_work) = (turns.into_iter(), JoinSet::new());
    let (mut places, mut answers) = (Vec::with_capacity(TURNS), Vec::new());
    loop {
        while at_work.len() < TURNS
            && Instant::now() < end
            && let Some(Turn { n, ask, limit }) = turns.next()
        {
            let client = client.clone();
            let task = at_work.spawn(async move {
                let own_end = Instant::now() + limit;
                let asked = client.ask(&ask, own_end.min(end)).await;
                // Cut off before its own time: nothing is known of it.
                (own_end <= end || Instant::now() < end).then_some(asked)
            });
            places.push((task.id(), n));
        }
        let (id, asked) = match timeout_at(end, at_work.join_next_with_id()).await {
            Ok(Some(Ok((id, asked)))) => (id, asked),
            Ok(Some(Err(error))) => {
                let failure = Some("the client failed by a defect".to_owned());
                (error.id(), Some(Asked { failure, ..Asked::default() }))
            }
            Ok(None) | Err(_) => break,
        };
        let place = places.iter().position(|(of, _)| *of == id).map(|at| places.swap_remove(at));
        if let (Some((_, n)), Some(asked)) = (place, asked) {
            answers.push((n, asked));
        }
    }
    at_work.shutdown().await;
    answers
}
