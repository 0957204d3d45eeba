//! [`Date`](https://developer.mozilla.org/docs/Web/JavaScript/Reference/Global_Objects/Date): what this device's clock shows.

use js_sys::Date;
use tokenkeep::protocol::UnixTime;

/// The last instant that a `Date` can show. What is later makes it throw.
const LAST: f64 = 8.64e15;

pub fn now() -> UnixTime {
    UnixTime::from_millis(Date::now() as u64)
}

/// `14:05:09.123`
pub fn to_the_millisecond(at: UnixTime) -> String {
    let date = date(at);
    format!("{:02}:{:02}:{:02}.{:03}", date.get_hours(), date.get_minutes(), date.get_seconds(), date.get_milliseconds())
}

/// `2026-03-14 14:05:09`
pub fn to_the_second(at: UnixTime) -> String {
    let date = date(at);
    let day = format!("{}-{:02}-{:02}", date.get_full_year(), date.get_month().saturating_add(1), date.get_date());
    format!("{day} {:02}:{:02}:{:02}", date.get_hours(), date.get_minutes(), date.get_seconds())
}

/// For the attribute `datetime`.
pub fn for_machines(at: UnixTime) -> String {
    date(at).to_iso_string().into()
}

fn date(at: UnixTime) -> Date {
    Date::new(&(at.as_millis() as f64).min(LAST).into())
}
