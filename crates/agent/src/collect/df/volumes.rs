//! Which volumes there are. On Windows the list itself asks every volume what it is, so one that hangs would cost all of
//! `df.*`: it is made on a thread that may be lost, and while it is out the last list serves.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use anyhow::bail;
use falcon_sys::Host;
use falcon_sys::types::Mount;

use crate::collect::Cx;
use crate::isolate::Single;
use crate::stats::Stats;

/// With the deadline of the volumes it stays within what a lane gives a collector.
const LIST_DEADLINE: Duration = Duration::from_secs(2);
/// For the first one, without which there is nothing to say: longer, for a host may be busy when the agent starts.
const FIRST_DEADLINE: Duration = Duration::from_secs(8);

type List = io::Result<Vec<Mount>>;

pub struct Volumes {
    ask: Arc<dyn Fn() -> List + Send + Sync>,
    lists: Single<List>,
    /// `None`: not listed yet.
    known: Option<Vec<Mount>>,
    stats: Arc<Stats>,
}

impl Volumes {
    pub fn new(host: &Host, stats: Arc<Stats>) -> Volumes {
        let host = host.clone();
        let list = move || {
            let mut mounts = Vec::new();
            host.clone().mounts(&mut mounts).map(|_| mounts)
        };
        Volumes::asking(Arc::new(list), stats)
    }

    fn asking(ask: Arc<dyn Fn() -> List + Send + Sync>, stats: Arc<Stats>) -> Volumes {
        Volumes { ask, lists: Single::new("volumes"), known: None, stats }
    }

    /// The volumes of this cycle, or those of the last list.
    ///
    /// # Errors
    /// There is no list yet.
    pub fn list(&mut self, cx: &mut Cx<'_>) -> anyhow::Result<Vec<Mount>> {
        let deadline = if self.known.is_some() { LIST_DEADLINE } else { FIRST_DEADLINE };
        self.list_within(cx, deadline)
    }

    fn list_within(&mut self, cx: &mut Cx<'_>, deadline: Duration) -> anyhow::Result<Vec<Mount>> {
        let ask = self.ask.clone();
        let late = "not ready in time; it is taken when it comes";
        let why = match self.lists.ask(move || ask(), deadline).answer(late, &self.stats.collect_hung) {
            Ok(mounts) => {
                self.known = Some(mounts.clone());
                return Ok(mounts);
            }
            Err(error) => error,
        };
        match &self.known {
            Some(known) => {
                cx.problem("list of volumes", why);
                Ok(known.clone())
            }
            None => bail!("list of volumes: {why}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collect::tests::with_cx;
    use crate::model::{Platform, Sets};
    use std::collections::VecDeque;
    use std::sync::{Mutex, mpsc};

    const LONG: Duration = Duration::from_secs(600);

    fn mount(name: &str) -> Mount {
        Mount {
            device: name.to_owned(),
            mount: name.to_owned(),
            path: name.into(),
            fstype: String::new(),
            removable: false,
        }
    }

    type Answers = Arc<Mutex<VecDeque<mpsc::Receiver<List>>>>;

    /// Lists that come when a test sends them.
    fn volumes() -> (Answers, Volumes) {
        let answers = Answers::default();
        let asked = answers.clone();
        let ask = move || {
            let next = asked.lock().unwrap().pop_front();
            next.expect("asked once for each list").recv().expect("an answer")
        };
        (answers, Volumes::asking(Arc::new(ask), Arc::default()))
    }

    fn coming(answers: &Answers) -> mpsc::Sender<List> {
        let (send, answer) = mpsc::channel();
        answers.lock().unwrap().push_back(answer);
        send
    }

    /// What is listed, and how many problems are told.
    fn listed(volumes: &mut Volumes, deadline: Duration) -> (Option<Vec<String>>, usize) {
        let (list, said) =
            with_cx(Sets::FALCON, Platform::Windows, |cx| volumes.list_within(cx, deadline).map_err(|e| e.to_string()));
        (list.ok().map(|list| list.into_iter().map(|mount| mount.mount).collect()), said.problems.len())
    }

    /// One volume that hung kept all of `df.*` away.
    #[test]
    fn while_a_list_is_late_the_last_one_serves_and_then_the_late_one() {
        let (answers, mut volumes) = volumes();
        coming(&answers).send(Ok(vec![mount("C:")])).unwrap();
        let first = Some(vec!["C:".to_owned()]);
        assert_eq!(listed(&mut volumes, LONG), (first.clone(), 0));
        let late = coming(&answers);
        for _ in 0..3 {
            assert_eq!(listed(&mut volumes, Duration::ZERO), (first.clone(), 1));
        }
        assert_eq!(volumes.stats.collect_hung.get(), 1);
        late.send(Ok(vec![mount("C:"), mount("D:")])).unwrap();
        let second = loop {
            match listed(&mut volumes, Duration::ZERO) {
                (_, 1) => std::thread::yield_now(),
                other => break other,
            }
        };
        assert_eq!(second, (Some(vec!["C:".to_owned(), "D:".to_owned()]), 0));
        coming(&answers).send(Err(io::Error::other("no list"))).unwrap();
        assert_eq!(listed(&mut volumes, LONG), (second.0, 1));
    }

    #[test]
    fn without_any_list_the_collector_fails_and_goes_on_when_it_comes() {
        let (answers, mut volumes) = volumes();
        let late = coming(&answers);
        assert_eq!(listed(&mut volumes, Duration::ZERO), (None, 0));
        late.send(Ok(Vec::new())).unwrap();
        while listed(&mut volumes, Duration::ZERO).0.is_none() {
            std::thread::yield_now();
        }
    }
}
