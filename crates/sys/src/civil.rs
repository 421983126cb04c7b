//! Calendar arithmetic that needs no system call: the range of seconds the platforms' calls are asked about, and UTC
//! for the case that a platform does not answer.

use crate::types::LocalTime;

/// 9999-12-31 00:00:00 UTC, a day short of the last year both platforms can print, so that no time zone leaves it.
const LAST_S: i64 = 253_402_214_400;

const DAY_S: i64 = 86_400;

/// Keeps `unix_s` within 1970-01-02 and 9999-12-31, where no time zone leaves what the platforms' calls accept.
pub(crate) fn clamp(unix_s: i64) -> i64 {
    unix_s.clamp(DAY_S, LAST_S)
}

/// UTC of a clamped time. The method is the usual one: years begin in March, so that the leap day is the last.
pub(crate) fn utc(unix_s: i64) -> LocalTime {
    let unix_s = clamp(unix_s);
    let (days, second) = (unix_s / DAY_S, unix_s % DAY_S);
    // Days since 0000-03-01, in eras of 400 years (146097 days).
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    LocalTime {
        year: i32::try_from(year).unwrap_or(i32::MAX),
        month: small(month),
        day: small(day),
        hour: small(second / 3_600),
        minute: small(second / 60 % 60),
        second: small(second % 60),
    }
}

fn small(n: i64) -> u32 {
    u32::try_from(n).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(unix_s: i64) -> (i32, u32, u32, u32, u32, u32) {
        let t = utc(unix_s);
        (t.year, t.month, t.day, t.hour, t.minute, t.second)
    }

    // Expected values are those of `date -u -d @N`.
    #[test]
    fn knows_the_calendar() {
        assert_eq!(at(951_782_399), (2000, 2, 28, 23, 59, 59));
        assert_eq!(at(951_782_400), (2000, 2, 29, 0, 0, 0));
        assert_eq!(at(951_868_800), (2000, 3, 1, 0, 0, 0));
        assert_eq!(at(1_785_542_399), (2026, 7, 31, 23, 59, 59));
        assert_eq!(at(4_107_542_400), (2100, 3, 1, 0, 0, 0), "2100 is no leap year");
    }

    #[test]
    fn stays_within_four_digit_years() {
        assert_eq!(at(i64::MIN), (1970, 1, 2, 0, 0, 0));
        assert_eq!(at(i64::MAX), (9999, 12, 31, 0, 0, 0));
    }
}
