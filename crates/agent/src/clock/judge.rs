//! Which clock to believe, pure. The wall clock is set by people and by daemons, the time since boot by nobody: where the
//! first moved and the second did not, somebody set it, and a stamp in the future cannot be taken back.
//!
//! The agent's own clock is the time since boot plus an offset that is believed. It is the wall clock, but for these cases:
//! * A wall clock that moved by [`TOLERANCE_MS`] or less is followed at once.
//! * One that stepped back is followed at once; `tick` says what becomes of the points. If hbs then has the time from before
//!   the step, the wall clock is wrong, as below.
//! * One that jumped forward is in doubt, and the agent's clock goes on without the jump. Doubt ends
//!   - when the wall clock is back: nothing has happened;
//!   - when hbs has the wall clock's time, within [`AGREES_MS`]: it is believed;
//!   - when hbs has the agent's time, or is nearer to it: the wall clock is wrong. The agent's clock goes on alone, until the
//!     wall clock is back or hbs has its time too; a further step of it is judged anew;
//!   - by a second look: when the wall clock has kept its new time for [`SECOND_LOOK_MS`], or [`LONG_LOOK_MS`] after a jump of
//!     more than [`FAR_MS`], or when doubt has lasted [`LONG_LOOK_MS`]: it is believed. So no doubt is longer than that.
//!
//! hbs only ever chooses between two clocks of this host and brings no time of its own: a wrong hbs cannot move an agent whose
//! clock nobody set. At the start there is only the wall clock. Who does not want to wait has hbs answer, or starts the agent
//! anew.
//!
//! Times are milliseconds: of a wall clock since the epoch, else since boot. An offset is the difference of the two.

/// Daemons that slew gain less than this between two looks, also after a process was stopped for an hour (500 ppm), and the
/// time since boot may be off by a second after a suspend. Points that are so far ahead keep their bucket, or lose one.
pub const TOLERANCE_MS: i64 = 5_000;
/// hbs tells whole seconds, and its own host is off by some as well.
pub const AGREES_MS: i64 = 60_000;
/// How long a jump must last to be believed, if no hbs says anything: a daemon that overshot has set it right by then.
pub const SECOND_LOOK_MS: i64 = 60_000;
/// The same for a jump beyond [`FAR_MS`], and the longest doubt.
pub const LONG_LOOK_MS: i64 = 600_000;
/// Up to this a jump that was wrong costs no more than the agent waits out when the clock is set back
/// (`tick::MAX_WITHHOLD_MS`); beyond it servers drop every point until the wrong time has come.
pub const FAR_MS: i64 = 3_600_000;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judge {
    /// Of the agent's clock; `None` before the first look.
    offset: Option<i64>,
    mind: Mind,
    /// hbs has another time than a wall clock that nobody set, and that was told.
    apart: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mind {
    /// The agent's clock is the wall clock.
    Follows {
        /// The offset before a step back that no hbs has judged.
        before: Option<i64>,
    },
    /// The wall clock jumped to the offset `wall`.
    Doubts {
        wall: i64,
        since: i64,
        /// Since when the wall clock has kept its time.
        steady: i64,
    },
    /// hbs has the agent's time, and the wall clock has the offset `wall`.
    Alone { wall: i64 },
}

/// What changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// The wall clock jumped forward; if nobody says anything, it is believed after `wait_ms`.
    Doubted { ahead_ms: i64, wait_ms: i64 },
    /// The wall clock has the agent's time again.
    Back,
    /// The wall clock is followed back; `doubted`: it was not believed before.
    SteppedBack { by_ms: i64, doubted: bool },
    /// hbs has the wall clock's time too, and the agent's clock went forward by so much.
    Confirmed { by_ms: i64 },
    /// The wall clock has kept its new time, and the agent's clock went forward by so much.
    Lasted { by_ms: i64 },
    /// hbs has the agent's time; the wall clock is so much ahead of it, or behind it (negative).
    Wrong { ahead_ms: i64 },
    /// hbs has another time than the wall clock, which is so much ahead of it, or behind it (negative).
    Apart { ahead_ms: i64 },
    /// hbs and the wall clock have the same time again.
    Together,
}

impl Default for Judge {
    fn default() -> Judge {
        Judge { offset: None, mind: Mind::Follows { before: None }, apart: false }
    }
}

impl Judge {
    /// The agent's clock at a time since boot.
    pub fn at(&self, boot_ms: i64) -> i64 {
        boot_ms.saturating_add(self.offset.unwrap_or(0))
    }

    pub fn in_doubt(&self) -> bool {
        matches!(self.mind, Mind::Doubts { .. })
    }

    /// Looks at both clocks.
    pub fn look(&mut self, wall_ms: i64, boot_ms: i64) -> Option<Change> {
        let seen = wall_ms.saturating_sub(boot_ms);
        let Some(offset) = self.offset else {
            self.offset = Some(seen);
            return None;
        };
        let ahead_ms = seen.saturating_sub(offset);
        let near = ahead_ms.saturating_abs() <= TOLERANCE_MS;
        let followed = matches!(self.mind, Mind::Follows { .. });
        if near {
            self.offset = Some(seen);
            if !followed {
                self.mind = Mind::Follows { before: None };
            }
            return (!followed).then_some(Change::Back);
        }
        if let Mind::Alone { wall } = &mut self.mind
            && seen.saturating_sub(*wall).saturating_abs() <= TOLERANCE_MS
        {
            *wall = seen;
            return None;
        }
        if ahead_ms < 0 {
            self.offset = Some(seen);
            self.mind = Mind::Follows { before: Some(offset) };
            return Some(Change::SteppedBack { by_ms: ahead_ms.saturating_neg(), doubted: !followed });
        }
        let wait_ms = if ahead_ms > FAR_MS { LONG_LOOK_MS } else { SECOND_LOOK_MS };
        match &mut self.mind {
            Mind::Doubts { wall, since, steady } => {
                if seen.saturating_sub(*wall).saturating_abs() > TOLERANCE_MS {
                    *steady = boot_ms;
                }
                *wall = seen;
                if boot_ms - *steady < wait_ms && boot_ms - *since < LONG_LOOK_MS {
                    return None;
                }
                self.offset = Some(seen);
                self.mind = Mind::Follows { before: None };
                Some(Change::Lasted { by_ms: ahead_ms })
            }
            Mind::Alone { .. } | Mind::Follows { .. } => {
                self.mind = Mind::Doubts { wall: seen, since: boot_ms, steady: boot_ms };
                Some(Change::Doubted { ahead_ms, wait_ms })
            }
        }
    }

    /// hbs had the time `server_ms` at `boot_ms`. Look first.
    pub fn server_said(&mut self, server_ms: i64, boot_ms: i64) -> Option<Change> {
        let offset = self.offset?;
        let said = server_ms.saturating_sub(boot_ms);
        let apart = |offset: i64| said.saturating_sub(offset).saturating_abs();
        let agrees = |offset: i64| apart(offset) <= AGREES_MS;
        match self.mind {
            Mind::Follows { before } if !agrees(offset) => {
                if let Some(before) = before.filter(|before| agrees(*before)) {
                    self.offset = Some(before);
                    self.mind = Mind::Alone { wall: offset };
                    return Some(Change::Wrong { ahead_ms: offset.saturating_sub(before) });
                }
                let told = std::mem::replace(&mut self.apart, true);
                (!told).then_some(Change::Apart { ahead_ms: offset.saturating_sub(said) })
            }
            Mind::Follows { .. } => {
                self.mind = Mind::Follows { before: None };
                std::mem::replace(&mut self.apart, false).then_some(Change::Together)
            }
            Mind::Doubts { wall, .. } | Mind::Alone { wall } if agrees(wall) && apart(wall) <= apart(offset) => {
                self.offset = Some(wall);
                self.mind = Mind::Follows { before: None };
                self.apart = false;
                Some(Change::Confirmed { by_ms: wall.saturating_sub(offset) })
            }
            Mind::Doubts { wall, .. } if agrees(offset) => {
                self.mind = Mind::Alone { wall };
                Some(Change::Wrong { ahead_ms: wall.saturating_sub(offset) })
            }
            Mind::Doubts { .. } | Mind::Alone { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests;
