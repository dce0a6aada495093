//! When a request is sent again.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rand::RngExt;
use ureq::http::HeaderMap;

/// The longest wait that is our own choice.
const LONGEST: Duration = Duration::from_mins(1);

/// How long to wait before retry number `retry`, from 0: a random part of a time that doubles each
/// time ("full jitter"), and never less than the server asks for.
pub(super) fn wait(
    retry: u32,
    backoff: Duration,
    asked: Option<Duration>,
    random: &mut impl rand::Rng,
) -> Duration {
    let most = match asked {
        // The server's time is known; the random part only keeps requests from coming all at once.
        Some(_) => backoff,
        None => backoff.saturating_mul(2_u32.saturating_pow(retry)),
    };
    let part = most.min(LONGEST).mul_f64(random.random::<f64>());
    asked.unwrap_or_default().saturating_add(part)
}

/// How long the server asks to wait: `retry-after-ms`, or `Retry-After` in seconds or as a date.
pub(super) fn asked(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = |name: &str| headers.get(name)?.to_str().ok().map(str::trim);
    let number = |text: &str| {
        let number = text.parse::<f64>().ok()?;
        Duration::try_from_secs_f64(number).ok()
    };
    if let Some(time) = text("retry-after-ms").and_then(number) {
        return Some(time / 1000);
    }
    let after = text("retry-after")?;
    if let Some(time) = number(after) {
        return Some(time);
    }
    let then = date(after)?;
    // Of two dates of one clock the difference is right, even if the clock is not.
    let now = text("date").and_then(date).unwrap_or(now);
    Some(then.duration_since(now).unwrap_or_default())
}

/// A date as HTTP writes it (RFC 9110, 5.6.7): `Sun, 06 Nov 1994 08:49:37 GMT`.
fn date(text: &str) -> Option<SystemTime> {
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let (_, rest) = text.split_once(", ")?;
    let parts: Vec<&str> = rest.split([' ', ':']).collect();
    let [day, month, year, hour, minute, second, "GMT"] = parts[..] else {
        return None;
    };
    let number = |text: &str, most: u64| text.parse().ok().filter(|number| *number <= most);
    let month = MONTHS.iter().position(|name| *name == month)? as u64;
    let (day, year) = (number(day, 31)?, number(year, 9999)?);
    let time = 3600 * number(hour, 23)? + 60 * number(minute, 59)? + number(second, 60)?;
    let days = days_since_1970(year, month, day)?;
    UNIX_EPOCH.checked_add(Duration::from_secs(86_400 * days + time))
}

/// Days from 1970-01-01 to a day of the Gregorian calendar; `month` from 0, `day` from 1.
fn days_since_1970(year: u64, month: u64, day: u64) -> Option<u64> {
    // Days before each month of a year that begins with March, so that a leap day comes last.
    let (year, month) = if month < 2 {
        (year.checked_sub(1)?, month + 10)
    } else {
        (year, month - 2)
    };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day;
    // The same of 1970-01-01.
    days.checked_sub(719_469)
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    fn headers(all: &[(&'static str, &str)]) -> HeaderMap {
        let pairs = all.iter().map(|(name, value)| {
            let value = value.parse().expect("a value");
            (name.parse().expect("a name"), value)
        });
        pairs.collect()
    }

    #[test]
    fn a_server_says_in_four_ways_when_to_come_back() {
        // `date -u -d '1994-11-06 08:49:37' +%s`
        let now = UNIX_EPOCH + Duration::from_secs(784_111_777);
        let asked = |all: &[(&'static str, &str)]| asked(&headers(all), now);
        let seconds = |seconds| Some(Duration::from_secs_f64(seconds));
        assert_eq!(asked(&[]), None);
        assert_eq!(asked(&[("retry-after", "7")]), seconds(7.0));
        assert_eq!(asked(&[("retry-after", "0.25")]), seconds(0.25));
        assert_eq!(
            asked(&[("retry-after-ms", "1500"), ("retry-after", "2")]),
            seconds(1.5)
        );
        let date = ("retry-after", "Sun, 06 Nov 1994 08:50:00 GMT");
        assert_eq!(asked(&[date]), seconds(23.0));
        let servers = ("date", "Sun, 06 Nov 1994 08:49:58 GMT");
        assert_eq!(asked(&[date, servers]), seconds(2.0));
        let past = ("retry-after", "Sat, 05 Nov 1994 08:50:00 GMT");
        assert_eq!(asked(&[past]), seconds(0.0));
        for nonsense in [
            "soon",
            "-1",
            "nan",
            "1e400",
            "Sun, 06 Nov 1994",
            "Sun, 99 Foo 1 0:0:0 GMT",
        ] {
            assert_eq!(asked(&[("retry-after", nonsense)]), None, "{nonsense}");
        }
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        // By `date -u -d … +%s`.
        for (text, seconds) in [
            ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
            ("Thu, 29 Feb 2024 23:59:59 GMT", 1_709_251_199),
            ("Fri, 01 Mar 2024 00:00:00 GMT", 1_709_251_200),
            ("Tue, 01 Mar 2022 00:00:00 GMT", 1_646_092_800),
            ("Sat, 31 Dec 2050 12:00:00 GMT", 2_556_100_800),
        ] {
            assert_eq!(
                date(text),
                Some(UNIX_EPOCH + Duration::from_secs(seconds)),
                "{text}"
            );
        }
    }

    #[test]
    fn a_wait_is_a_random_part_of_a_time_that_doubles_up_to_a_minute() {
        let mut random = ChaCha8Rng::seed_from_u64(7);
        let backoff = Duration::from_secs(1);
        for (retry, most) in [(0, 1), (1, 2), (3, 8), (6, 60), (40, 60)] {
            let waits: Vec<_> = (0..1000)
                .map(|_| wait(retry, backoff, None, &mut random).as_secs_f64())
                .collect();
            let most = f64::from(most);
            assert!(waits.iter().all(|wait| (0.0..most).contains(wait)));
            let mean = waits.iter().sum::<f64>() / 1000.0;
            assert!(
                (0.45 * most..0.55 * most).contains(&mean),
                "{mean} of {most}"
            );
        }
        let asked = Duration::from_secs(30);
        for retry in [0, 9] {
            let wait = wait(retry, backoff, Some(asked), &mut random);
            assert!((asked..asked + backoff).contains(&wait), "{wait:?}");
        }
    }
}
