//! Tasks of the runtime, all of one type, and its jobs on threads of their own, of another. Of each type that is spawned the runtime
//! has code of its own, some kilobytes in the executable; these run for long or rarely begin, so what the box costs is nothing.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::task::JoinHandle;

/// Before a task that failed by a defect is started again.
const RESTART: Duration = Duration::from_secs(10);

pub(crate) type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Begins a task; it goes on when the handle is dropped.
pub(crate) fn spawn(task: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
    begin(Box::pin(task))
}

fn begin(task: Task) -> JoinHandle<()> {
    tokio::spawn(task)
}

/// What `job` makes on a thread of its own, while the loop goes on; `None`: it failed by a defect. Dropping this does not end it.
pub(crate) async fn aside<T: Send + 'static>(job: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let made = Arc::new(Mutex::new(None));
    let put = made.clone();
    let job = move || *put.lock().unwrap_or_else(PoisonError::into_inner) = Some(job());
    begin_aside(Box::new(job)).await.ok()?;
    made.lock().unwrap_or_else(PoisonError::into_inner).take()
}

fn begin_aside(job: Box<dyn FnOnce() + Send>) -> JoinHandle<()> {
    tokio::task::spawn_blocking(job)
}

/// Runs a task for as long as the agent lives: one that fails by a defect is started again.
pub(super) fn supervise<F>(name: &'static str, mut start: impl FnMut() -> F + Send + 'static) -> JoinHandle<()>
where
    F: Future<Output = ()> + Send + 'static,
{
    spawn(go_on_after_defects(name, Box::new(move || Box::pin(start()))))
}

async fn go_on_after_defects(name: &'static str, mut start: Box<dyn FnMut() -> Task + Send>) {
    loop {
        // Aborted together with its supervisor.
        let mut task = tokio::task::JoinSet::new();
        task.spawn(start());
        match task.join_next().await {
            Some(Err(error)) if error.is_panic() => {
                crate::log::say!(Error, "A011", "{name}: failed by a defect; started again in {} s", RESTART.as_secs());
                tokio::time::sleep(RESTART).await;
            }
            _ => return,
        }
    }
}
