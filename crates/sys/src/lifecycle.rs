//! The life of a service: which status follows from which event. No call is made here, so it is tested on every platform.
//!
//! The state never goes backwards, nothing follows the report of the end, and a service is told to stop at most once.
//! Numbers are those of winsvc.h and winerror.h; what may be accepted when is told by Microsoft's reference of
//! SERVICE_STATUS and HandlerEx.

use crate::types::{ServiceControl, ServiceExit};

const STOPPED: u32 = 1;
const START_PENDING: u32 = 2;
const STOP_PENDING: u32 = 3;
const RUNNING: u32 = 4;

const ACCEPT_STOP: u32 = 0x1;
const ACCEPT_SHUTDOWN: u32 = 0x4;
const ACCEPT_PARAMCHANGE: u32 = 0x8;
const ACCEPT_PRESHUTDOWN: u32 = 0x100;

const CONTROL_STOP: u32 = 1;
const CONTROL_INTERROGATE: u32 = 4;
const CONTROL_SHUTDOWN: u32 = 5;
const CONTROL_PARAMCHANGE: u32 = 6;
const CONTROL_PRESHUTDOWN: u32 = 15;

const NO_ERROR: u32 = 0;
const ERROR_CALL_NOT_IMPLEMENTED: u32 = 120;
const ERROR_SERVICE_CANNOT_ACCEPT_CTRL: u32 = 1061;
const ERROR_SERVICE_SPECIFIC_ERROR: u32 = 1066;

/// How long the manager waits for the next sign of life, in milliseconds, where nobody said.
const HINT_MS: u32 = 5000;

/// Signs of life that are given unasked in one pending state. What hangs must not look alive for ever: at two a second
/// this is two minutes.
const MAX_TICKS: u32 = 240;

/// The fields of SERVICE_STATUS that change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Report {
    pub(crate) state: u32,
    pub(crate) accepts: u32,
    pub(crate) win32_exit: u32,
    pub(crate) specific_exit: u32,
    pub(crate) checkpoint: u32,
    pub(crate) wait_hint_ms: u32,
}

/// What a control code asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reaction {
    /// What the handler returns.
    pub(crate) code: u32,
    /// The state changed: report it before anything else is done.
    pub(crate) changed: bool,
    pub(crate) deliver: Option<ServiceControl>,
}

/// A service from its start to its end.
#[derive(Debug)]
pub(crate) struct Lifecycle {
    report: Report,
    ticks: u32,
}

impl Lifecycle {
    pub(crate) const fn new() -> Lifecycle {
        let report = Report {
            state: START_PENDING,
            accepts: ACCEPT_STOP | ACCEPT_SHUTDOWN | ACCEPT_PRESHUTDOWN,
            win32_exit: NO_ERROR,
            specific_exit: 0,
            checkpoint: 1,
            wait_hint_ms: HINT_MS,
        };
        Lifecycle { report, ticks: 0 }
    }

    /// What the manager is to know now.
    pub(crate) fn report(&self) -> Report {
        self.report
    }

    pub(crate) fn is_pending(&self) -> bool {
        matches!(self.report.state, START_PENDING | STOP_PENDING)
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.report.state == STOPPED
    }

    /// The start is over. Like the others: whether the state changed by it.
    pub(crate) fn running(&mut self) -> bool {
        if self.report.state != START_PENDING {
            return false;
        }
        self.report = Report {
            state: RUNNING,
            accepts: self.report.accepts | ACCEPT_PARAMCHANGE,
            checkpoint: 0,
            wait_hint_ms: 0,
            ..self.report
        };
        true
    }

    /// The stop has begun, or goes on and needs so long until it tells again.
    pub(crate) fn stop_pending(&mut self, wait_hint_ms: u32) -> bool {
        if self.is_stopped() {
            return false;
        }
        let checkpoint = if self.report.state == STOP_PENDING { self.report.checkpoint.saturating_add(1) } else { 1 };
        self.report = Report { state: STOP_PENDING, accepts: 0, checkpoint, wait_hint_ms, ..self.report };
        self.ticks = 0;
        true
    }

    pub(crate) fn stopped(&mut self, exit: ServiceExit) -> bool {
        if self.is_stopped() {
            return false;
        }
        let (win32_exit, specific_exit) = match exit {
            ServiceExit::Clean | ServiceExit::Specific(0) => (NO_ERROR, 0),
            ServiceExit::Specific(code) => (ERROR_SERVICE_SPECIFIC_ERROR, code),
            ServiceExit::Win32(code) => (code, 0),
        };
        self.report = Report { state: STOPPED, accepts: 0, win32_exit, specific_exit, checkpoint: 0, wait_hint_ms: 0 };
        true
    }

    /// A sign of life while something is pending.
    pub(crate) fn tick(&mut self) -> bool {
        if !self.is_pending() || self.ticks >= MAX_TICKS {
            return false;
        }
        self.ticks = self.ticks.saturating_add(1);
        self.report.checkpoint = self.report.checkpoint.saturating_add(1);
        true
    }

    /// A control code has come. Whoever reads the reaction reports a change before it delivers anything.
    pub(crate) fn control(&mut self, code: u32) -> Reaction {
        let answer = |code| Reaction { code, changed: false, deliver: None };
        let stop = match code {
            // The manager knows the last report, and there must be none after that of the end.
            CONTROL_INTERROGATE => return answer(NO_ERROR),
            CONTROL_PARAMCHANGE => {
                return match self.report.state {
                    RUNNING => Reaction { deliver: Some(ServiceControl::ParamChange), ..answer(NO_ERROR) },
                    _ => answer(ERROR_SERVICE_CANNOT_ACCEPT_CTRL),
                };
            }
            CONTROL_STOP => ServiceControl::Stop,
            CONTROL_SHUTDOWN => ServiceControl::Shutdown,
            CONTROL_PRESHUTDOWN => ServiceControl::Preshutdown,
            _ => return answer(ERROR_CALL_NOT_IMPLEMENTED),
        };
        if matches!(self.report.state, STOP_PENDING | STOPPED) {
            return answer(NO_ERROR);
        }
        Reaction { code: NO_ERROR, changed: self.stop_pending(HINT_MS), deliver: Some(stop) }
    }
}

/// What was to be delivered before anybody listened; each at most once.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    stop: Option<ServiceControl>,
    change: bool,
}

impl Kept {
    pub(crate) const fn new() -> Kept {
        Kept { stop: None, change: false }
    }

    pub(crate) fn keep(&mut self, control: ServiceControl) {
        match control {
            ServiceControl::ParamChange => self.change = true,
            stop => self.stop = self.stop.or(Some(stop)),
        }
    }

    /// The change first: whoever stops reads no configuration any more.
    pub(crate) fn take(&mut self) -> impl Iterator<Item = ServiceControl> + use<> {
        let change = std::mem::take(&mut self.change).then_some(ServiceControl::ParamChange);
        change.into_iter().chain(self.stop.take())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn running() -> Lifecycle {
        let mut life = Lifecycle::new();
        assert!(life.running());
        life
    }

    fn accepted(life: &Lifecycle) -> u32 {
        life.report().accepts
    }

    #[test]
    fn a_life_without_accidents() {
        let mut life = Lifecycle::new();
        assert_eq!((life.report().state, accepted(&life), life.report().checkpoint), (START_PENDING, 0x105, 1));
        assert!(life.tick() && life.is_pending());
        assert_eq!((life.report().checkpoint, life.report().wait_hint_ms), (2, HINT_MS));
        assert!(life.running() && !life.is_pending() && !life.tick());
        assert_eq!((life.report().state, accepted(&life)), (RUNNING, 0x10D));
        assert_eq!((life.report().checkpoint, life.report().wait_hint_ms), (0, 0));
        let reaction = life.control(CONTROL_STOP);
        assert_eq!(reaction, Reaction { code: 0, changed: true, deliver: Some(ServiceControl::Stop) });
        assert_eq!((life.report().state, accepted(&life), life.report().checkpoint), (STOP_PENDING, 0, 1));
        assert!(life.stop_pending(3000) && life.tick());
        assert_eq!((life.report().checkpoint, life.report().wait_hint_ms), (3, 3000));
        assert!(life.stopped(ServiceExit::Clean) && life.is_stopped());
        let end =
            Report { state: STOPPED, accepts: 0, win32_exit: 0, specific_exit: 0, checkpoint: 0, wait_hint_ms: 0 };
        assert_eq!(life.report(), end);
    }

    #[test]
    fn the_state_never_goes_backwards_and_ends_once() {
        let mut life = running();
        assert!(!life.running() && life.stop_pending(1) && !life.running());
        assert_eq!(life.report().state, STOP_PENDING);
        assert!(life.stopped(ServiceExit::Specific(2)));
        let end = life.report();
        assert!(!life.running() && !life.stop_pending(1) && !life.tick() && !life.stopped(ServiceExit::Clean));
        let reactions = [CONTROL_STOP, CONTROL_SHUTDOWN, CONTROL_PRESHUTDOWN].map(|code| life.control(code));
        assert_eq!(reactions, [Reaction { code: 0, changed: false, deliver: None }; 3]);
        assert_eq!(life.report(), end);
    }

    // windows-service frees its handler at the stop, and the manager may interrogate after it.
    #[test]
    fn an_interrogation_is_answered_at_any_time_and_changes_nothing() {
        let mut life = Lifecycle::new();
        let answer = Reaction { code: 0, changed: false, deliver: None };
        assert_eq!(life.control(CONTROL_INTERROGATE), answer);
        assert!(life.running());
        assert_eq!(life.control(CONTROL_INTERROGATE), answer);
        assert!(life.stopped(ServiceExit::Clean));
        assert_eq!(life.control(CONTROL_INTERROGATE), answer);
    }

    #[test]
    fn a_stop_is_told_once_however_often_and_by_whom_it_is_asked() {
        let mut life = Lifecycle::new();
        assert_eq!(life.control(CONTROL_PRESHUTDOWN).deliver, Some(ServiceControl::Preshutdown));
        assert!(!life.running());
        for code in [CONTROL_SHUTDOWN, CONTROL_STOP, CONTROL_PRESHUTDOWN] {
            assert_eq!(life.control(code), Reaction { code: 0, changed: false, deliver: None });
        }
        let mut life = running();
        assert_eq!(life.control(CONTROL_SHUTDOWN).deliver, Some(ServiceControl::Shutdown));
    }

    #[test]
    fn a_change_is_told_while_the_service_runs_and_what_is_not_known_is_refused() {
        let mut life = Lifecycle::new();
        assert_eq!(life.control(CONTROL_PARAMCHANGE).code, ERROR_SERVICE_CANNOT_ACCEPT_CTRL);
        assert!(life.running());
        let change = Reaction { code: 0, changed: false, deliver: Some(ServiceControl::ParamChange) };
        assert_eq!([life.control(CONTROL_PARAMCHANGE), life.control(CONTROL_PARAMCHANGE)], [change; 2]);
        for code in [0, 2, 3, 7, 14, 128, 255, u32::MAX] {
            assert_eq!(life.control(code), Reaction { code: 120, changed: false, deliver: None }, "{code}");
        }
        assert!(life.stop_pending(1));
        assert_eq!(life.control(CONTROL_PARAMCHANGE).code, ERROR_SERVICE_CANNOT_ACCEPT_CTRL);
    }

    #[test]
    fn the_end_says_why() {
        let end = |exit| {
            let mut life = running();
            assert!(life.stopped(exit));
            (life.report().win32_exit, life.report().specific_exit)
        };
        assert_eq!(end(ServiceExit::Specific(75)), (1066, 75));
        assert_eq!(end(ServiceExit::Win32(1067)), (1067, 0));
        assert_eq!([end(ServiceExit::Specific(0)), end(ServiceExit::Win32(0)), end(ServiceExit::Clean)], [(0, 0); 3]);
    }

    #[test]
    fn what_hangs_does_not_look_alive_for_ever() {
        let mut life = Lifecycle::new();
        assert_eq!((0..10_000).filter(|_| life.tick()).count(), 240);
        assert!(life.is_pending() && life.stop_pending(1) && life.tick());
    }

    #[test]
    fn what_came_before_anybody_listened_is_delivered_once() {
        let mut kept = Kept::new();
        for control in [ServiceControl::Stop, ServiceControl::ParamChange, ServiceControl::ParamChange] {
            kept.keep(control);
        }
        kept.keep(ServiceControl::Shutdown);
        assert_eq!(kept.take().collect::<Vec<_>>(), [ServiceControl::ParamChange, ServiceControl::Stop]);
        assert_eq!(kept.take().count(), 0);
    }
}
