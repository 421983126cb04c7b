//! applicationHost.config, looked at in every cycle and read where it has changed.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::super::host_config::{Found, HostConfig, Unread, Version, look};
use crate::collect::Cx;
use crate::isolate::{Outcome, Single};
use crate::stats::Stats;

/// It may lie on a share. Two queries of counters come before it; an answer that is late is taken in the next cycle.
const DEADLINE: Duration = Duration::from_secs(3);

const WHAT: &str = "applicationHost.config";

/// Where IIS keeps its configuration.
pub(super) fn directory() -> PathBuf {
    let windows = std::env::var_os("windir").map_or_else(|| PathBuf::from(r"C:\Windows"), PathBuf::from);
    windows.join("System32").join("inetsrv").join("config")
}

pub(super) struct Map {
    directory: PathBuf,
    pub(super) deadline: Duration,
    stats: Arc<Stats>,
    job: Single<Result<Found, Unread>>,
    version: Option<Version>,
    config: Arc<HostConfig>,
}

impl Map {
    pub(super) fn new(directory: PathBuf, stats: Arc<Stats>) -> Map {
        Map {
            directory,
            deadline: DEADLINE,
            stats,
            job: Single::new("iis-config"),
            version: None,
            config: Arc::default(),
        }
    }

    /// What was read last; of a file that is there and cannot be read now, what it said before, as IIS does it. Nothing of one
    /// that is gone.
    pub(super) fn look(&mut self, cx: &mut Cx<'_>) -> Arc<HostConfig> {
        let (directory, known) = (self.directory.clone(), self.version.clone());
        match self.job.ask(move || look(&directory, known.as_ref()), self.deadline) {
            Outcome::Done(Ok(Found::Same)) => {}
            Outcome::Done(Ok(Found::New(version, config))) => {
                (self.version, self.config) = (Some(version), Arc::new(config));
            }
            Outcome::Done(Ok(Found::Gone(path))) => {
                (self.version, self.config) = (None, Arc::default());
                cx.remark(WHAT, format!("there is no {}; no site is told what it uses", path.display()));
            }
            Outcome::Done(Err(Unread { is_shared: true, why })) => cx.remark(WHAT, why),
            Outcome::Done(Err(Unread { is_shared: false, why })) => cx.problem(WHAT, why),
            Outcome::Late { newly } => {
                if newly {
                    self.stats.collect_hung.add(1);
                }
                cx.problem(WHAT, "the disk or share that it lies on does not answer");
            }
            Outcome::Panicked => cx.problem(WHAT, "the reader failed by a defect"),
            Outcome::NoThread(why) => cx.problem(WHAT, format!("not read: {why}")),
        }
        self.config.clone()
    }
}
