//! Who is told how the servers of one kind do: the log, and for the transfers `agent.transfer.*`.
//!
//! A line is said once for a change, never for a try. What all servers together do (none answers, one answers again) the
//! caller tells, who knows what waits for them.

use std::sync::Arc;
use std::time::Duration;

use crate::stats::Stats;

/// Who is told how the servers of one kind do.
pub trait Watch: Send + Sync {
    /// Of the kind, before each line of the log.
    fn name(&self) -> &'static str;

    /// Whether the last call was answered.
    fn up(&self, _up: bool) {}

    /// Another address answers than before.
    fn switched(&self) {}

    /// How long an answer took.
    fn took(&self, _time: Duration) {}

    /// A change of one address's state, or of the address in use; `good`: nothing to act on, or the caller tells what is.
    fn changed(&self, good: bool, what: &str) {
        let name = self.name();
        if good {
            crate::log::say!(Info, "N001", "{name}: {what}");
        } else {
            crate::log::say!(Warn, "N002", "{name}: {what}");
        }
    }
}

/// Servers that only the log tells of.
pub struct Named(pub &'static str);

impl Watch for Named {
    fn name(&self) -> &'static str {
        self.0
    }
}

/// The transfers, as `agent.transfer.*` shows them.
pub struct Transfers(pub Arc<Stats>);

impl Watch for Transfers {
    fn name(&self) -> &'static str {
        "transfer"
    }

    fn up(&self, up: bool) {
        self.0.transfer_up.set(i64::from(up));
    }

    fn switched(&self) {
        self.0.transfer_switches.add(1);
    }

    fn took(&self, time: Duration) {
        self.0.transfer_call_ms.set(i64::try_from(time.as_millis()).unwrap_or(i64::MAX));
    }
}
