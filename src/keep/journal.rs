//! What all tabs agree on about a session: which line of refresh tokens is in use, and which of them were presented.
//!
//! A tab may present a refresh token only after it has written down, where every tab sees it and nobody can come in between, that it
//! will. So a token is presented once, whatever became of the tab that did it, and even if two tabs believe that it is their turn.
//! No token is written down: a line has a random name, and its tokens are counted.

use std::{cell::RefCell, rc::Rc, time::Duration};

use super::{
    ports::{Change, Ports, StoreFailure},
    signal::within,
};
use crate::protocol::UnixTime;

/// How long the journal may take to answer, and may be asked once more.
pub const PATIENCE: Duration = Duration::from_secs(2);

/// How long a tab that presented a refresh token may take to say what came of it.
pub const LEASE: Duration = Duration::from_secs(20);

/// What the journal says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Row {
    /// A line of refresh tokens, how many of them were presented, when the last one was, and by whom.
    Line { name: String, presented: u64, at: UnixTime, by: String },
    /// The provider refused the refresh token.
    Rejected,
    /// The user signed out.
    SignedOut,
}

impl Row {
    fn read(text: &str) -> Option<Row> {
        match text {
            "rejected" => return Some(Row::Rejected),
            "signed out" => return Some(Row::SignedOut),
            _ => {}
        }
        let mut words = text.split(' ');
        let (name, presented, at) = (words.next()?, words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        let by = words.next()?.to_owned();
        words.next().is_none().then(|| Row::Line { name: name.to_owned(), presented, at: UnixTime::from_millis(at), by })
    }

    fn write(&self) -> String {
        match self {
            Row::Line { name, presented, at, by } => format!("{name} {presented} {} {by}", at.as_millis()),
            Row::Rejected => "rejected".to_owned(),
            Row::SignedOut => "signed out".to_owned(),
        }
    }
}

/// Whether a refresh token may be presented.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Claim {
    /// It may, by this tab and no other.
    Ours,
    /// The provider refused another one of the line.
    Rejected,
    /// There is a newer line.
    Replaced,
    /// The user signed out.
    SignedOut,
    /// Another tab has presented it, so long ago.
    Taken(Duration),
}

/// Reads what is written, and lets `change` say what shall be written instead.
async fn update<T>(ports: &Ports, key: &str, change: impl Fn(Option<Row>) -> (T, Option<Row>) + 'static) -> Result<T, StoreFailure> {
    let change = Rc::new(change);
    let decide = change.clone();
    let row = replace(ports, key, Rc::new(move |row| decide(row).1)).await?;
    // The same row, so the same answer.
    Ok(change(row).0)
}

/// Writes another row, if there shall be one, and answers with the one that was there before.
async fn replace(ports: &Ports, key: &str, change: Rc<dyn Fn(Option<Row>) -> Option<Row>>) -> Result<Option<Row>, StoreFailure> {
    // A database may fail to open without saying so: it is asked again once.
    for _ in 0..2 {
        let read: Rc<RefCell<Option<Option<Row>>>> = Rc::default();
        let (seen, change) = (read.clone(), change.clone());
        let change: Change = Box::new(move |text| {
            let row = text.as_deref().and_then(Row::read);
            *seen.borrow_mut() = Some(row.clone());
            change(row).map(|row| row.write())
        });
        match within(&*ports.clock, PATIENCE, ports.journal.update(key, change)).await {
            Some(Ok(())) => return read.take().ok_or(StoreFailure::Blocked),
            Some(Err(failure)) => return Err(failure),
            // Once it was read, it may be written at any time: nobody knows.
            None if read.borrow().is_some() => break,
            None => {}
        }
    }
    Err(StoreFailure::Blocked)
}

/// What is written.
pub(crate) async fn read(ports: &Ports, key: &str) -> Result<Option<Row>, StoreFailure> {
    update(ports, key, |row| (row, None)).await
}

/// Begins a line: unconditionally after a sign-in, and in place of the line before when a session was only renewed. False when that
/// one is not in use any more.
pub(crate) async fn begin(ports: &Ports, key: &str, name: &str, before: Option<String>) -> Result<bool, StoreFailure> {
    let (name, at, by) = (name.to_owned(), ports.clock.now(), String::new());
    update(ports, key, move |row| {
        let begins = match (&before, row) {
            (None, _) => true,
            (Some(before), Some(Row::Line { name, .. })) => *before == name,
            (Some(_), Some(Row::Rejected | Row::SignedOut)) => false,
            (Some(_), None) => true,
        };
        (begins, begins.then(|| Row::Line { name: name.clone(), presented: 0, at, by: by.clone() }))
    })
    .await
}

/// Writes down that the refresh token with this number is about to be presented by this tab, which has not done so since it is called so.
pub(crate) async fn claim(ports: &Ports, key: &str, name: &str, number: u64, us: String) -> Result<Claim, StoreFailure> {
    let (ours, now) = (name.to_owned(), ports.clock.now());
    update(ports, key, move |row| match row {
        Some(Row::Rejected) => (Claim::Rejected, None),
        Some(Row::SignedOut) => (Claim::SignedOut, None),
        // A tab may have stood still before it saw that its claim was written.
        Some(Row::Line { name, presented, by, .. }) if name == ours && (presented < number || (presented == number && by == us)) => {
            (Claim::Ours, Some(Row::Line { name, presented: number, at: now, by: us.clone() }))
        }
        Some(Row::Line { name, at, .. }) if name == ours => (Claim::Taken(now.distance(at)), None),
        // Without a row nobody can tell what was presented.
        Some(Row::Line { .. }) | None => (Claim::Replaced, None),
    })
    .await
}

/// Takes a claim back: the provider said that it did not take the token.
pub(crate) async fn unclaim(ports: &Ports, key: &str, name: &str, number: u64) -> Result<(), StoreFailure> {
    let ours = name.to_owned();
    update(ports, key, move |row| match row {
        Some(Row::Line { name, presented, at, by }) if name == ours && presented == number => {
            ((), Some(Row::Line { name, presented: number.saturating_sub(1), at, by }))
        }
        _ => ((), None),
    })
    .await
}

/// What was signed out of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SignOutOf {
    /// That was written before.
    Nothing,
    /// Nothing yet: this line is in use now.
    Other(String),
    /// The line.
    This,
}

/// Writes down that the user signed out of a line, if no other is in use.
pub(crate) async fn sign_out(ports: &Ports, key: &str, name: &str) -> Result<SignOutOf, StoreFailure> {
    let ours = name.to_owned();
    update(ports, key, move |row| match row {
        Some(Row::SignedOut) => (SignOutOf::Nothing, None),
        Some(Row::Line { name, .. }) if name != ours => (SignOutOf::Other(name), None),
        Some(Row::Line { .. } | Row::Rejected) | None => (SignOutOf::This, Some(Row::SignedOut)),
    })
    .await
}

/// Writes down that the provider refused a refresh token of a line.
pub(crate) async fn reject(ports: &Ports, key: &str, name: &str) -> Result<(), StoreFailure> {
    let ours = name.to_owned();
    update(ports, key, move |row| ((), matches!(row, Some(Row::Line { name, .. }) if name == ours).then_some(Row::Rejected))).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again_and_nothing_else_is() {
        for row in
            [Row::Rejected, Row::SignedOut, Row::Line { name: "abc".into(), presented: 7, at: UnixTime::from_millis(12), by: "x".into() }]
        {
            assert_eq!(Row::read(&row.write()), Some(row));
        }
        for text in
            ["", " ", "abc", "abc 1", "abc 1 1", "abc x 1 t", "abc 1 1 t 1", "abc -1 1 t", "signed  out", "abc 99999999999999999999 1 t"]
        {
            assert_eq!(Row::read(text), None, "{text}");
        }
    }
}
