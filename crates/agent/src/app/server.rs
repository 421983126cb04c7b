//! The HTTP server of an agent, over reloads that leave its section of the configuration.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::task::supervise;
use crate::http::{self, Port, Site};

/// The HTTP server, and what it answers with.
pub(super) struct Server {
    task: JoinHandle<()>,
    pub site: watch::Sender<Arc<Site>>,
    stopping: watch::Sender<bool>,
}

impl Server {
    pub fn start(site: Site, port: Arc<Port>) -> Server {
        let (stopping, stopped) = watch::channel(false);
        let site = Arc::new(site);
        let (entrance, (site, asked)) = (site.entrance(), watch::channel(site));
        let task =
            supervise("http", move || http::serve(entrance.clone(), port.clone(), asked.clone(), stopped.clone()));
        Server { task, site, stopping }
    }

    /// Takes no more requests; those in progress have a moment, of which `limit` is waited for.
    pub async fn stop(self, limit: Duration) {
        let _ = self.stopping.send(true);
        let _ = tokio::time::timeout(limit, self.task).await;
    }
}
