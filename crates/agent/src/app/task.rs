//! Tasks of the runtime, all of one type. Of each type that is spawned the runtime has code of its own, some kilobytes in
//! the executable; these run for long or rarely begin, so what the box costs is nothing.

use std::future::Future;
use std::pin::Pin;

use tokio::task::JoinHandle;

pub(crate) type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Begins a task; it goes on when the handle is dropped.
pub(crate) fn spawn(task: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
    begin(Box::pin(task))
}

fn begin(task: Task) -> JoinHandle<()> {
    tokio::spawn(task)
}
