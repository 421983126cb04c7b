//! Which answers of hbs count: those of a later time than the last one that did, and of the checks also of another checksum.
//! That is the Go agent's rule (falcon-plus, modules/agent/cron/builtin.go and plugin.go), but that an answer without a time is
//! none: hbs gives it where its database failed, and what is known then stays.
//!
//! An hbs whose clock stepped back is not believed until that has passed the last answer. Nothing of this outlives the agent, so
//! a restart begins anew.

use crate::falcon::rpc::BuiltinResponse;

/// hbs's checksums have 32 bytes; what is much longer is not sent back.
const MAX_CHECKSUM: usize = 128;
/// What the Go agent sends before it has a checksum.
const NO_CHECKSUM: &str = "nil";

/// Times of answers that count.
#[derive(Debug, Default)]
pub(super) struct Newest(i64);

impl Newest {
    fn is_newer(&self, timestamp_s: i64) -> bool {
        timestamp_s > self.0
    }

    /// Whether an answer counts; if so it is the newest.
    pub(super) fn takes(&mut self, timestamp_s: i64) -> bool {
        let newer = self.is_newer(timestamp_s);
        if newer {
            self.0 = timestamp_s;
        }
        newer
    }
}

/// The order of answers to `Agent.BuiltinMetrics`.
#[derive(Debug, Default)]
pub(super) struct Builtin {
    newest: Newest,
    /// Of the last one that counted: with it the next one is short.
    checksum: Option<String>,
}

impl Builtin {
    /// What is sent with the next call.
    pub(super) fn checksum(&self) -> &str {
        self.checksum.as_deref().unwrap_or(NO_CHECKSUM)
    }

    /// Whether an answer counts; if so it is the last one.
    pub(super) fn takes(&mut self, answer: &BuiltinResponse) -> bool {
        if answer.checksum == self.checksum() || !self.newest.takes(answer.timestamp_s) {
            return false;
        }
        self.checksum = Some(answer.checksum.clone()).filter(|checksum| checksum.len() <= MAX_CHECKSUM);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(checksum: &str, timestamp_s: i64) -> BuiltinResponse {
        BuiltinResponse { metrics: Vec::new(), checksum: checksum.to_owned(), timestamp_s }
    }

    #[test]
    fn an_answer_counts_with_a_later_time_and_another_checksum() {
        let mut builtin = Builtin::default();
        assert_eq!(builtin.checksum(), "nil");
        for (checksum, time, counts, known) in [
            ("", 0, false, "nil"),
            ("a", 100, true, "a"),
            ("a", 200, false, "a"),
            // The one before did not count, so its time did not either.
            ("b", 150, true, "b"),
            ("c", 150, false, "b"),
            // hbs's clock stepped back: it is believed again when it has passed.
            ("c", 20, false, "b"),
            ("", 0, false, "b"),
            ("c", 151, true, "c"),
            // Nothing is assigned any more.
            ("", 152, true, ""),
            ("", 153, false, ""),
            ("a", 154, true, "a"),
        ] {
            assert_eq!(builtin.takes(&answer(checksum, time)), counts, "{checksum} {time}");
            assert_eq!(builtin.checksum(), known, "{checksum} {time}");
        }
    }

    #[test]
    fn a_checksum_that_is_none_is_not_sent_back() {
        let mut builtin = Builtin::default();
        let long = "x".repeat(MAX_CHECKSUM + 1);
        assert!(builtin.takes(&answer(&long, 1)));
        assert_eq!(builtin.checksum(), "nil");
        assert!(builtin.takes(&answer(&long, 2)));
    }

    #[test]
    fn a_list_of_plugins_counts_with_a_later_time() {
        let mut newest = Newest::default();
        assert!(!newest.takes(0) && newest.takes(5) && !newest.takes(5) && !newest.takes(4) && newest.takes(6));
    }
}
