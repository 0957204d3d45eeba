//! Pending logins: one record per `state`, used once, ten minutes, at most twenty.
//!
//! They are in a store that all tabs of this browser see, because any of them may be the one that the provider comes back to. A
//! record that was used leaves a mark, so that the same response is recognized when it comes again.

use crate::protocol::{Callback, Error, Issuer, Json, Misbehaved, PendingLogin, StateDigest, UnixTime};

use super::ports::Store;

/// How many records there are at most, marks included.
pub const MAX_PENDING: usize = 20;

const PREFIX: &str = "tokenkeep.login.";

/// Remembers a login, and forgets the oldest if there are too many.
///
/// # Errors
/// When the browser stores nothing. Then the login must not begin: nobody could finish it.
pub(crate) fn remember(store: &dyn Store, login: &PendingLogin, now: UnixTime) -> Result<(), Error> {
    tidy(store, MAX_PENDING.saturating_sub(1), now);
    Ok(store.write(&key(login.state()), login.to_record().expose())?)
}

/// Takes the login that a response claims to answer out of the store: nobody else gets it.
///
/// # Errors
/// [`NotTaken`] says why there is none. Then nothing was changed.
pub(crate) fn take(
    store: &dyn Store,
    callback: &Callback,
    issuer: &Issuer,
    client_id: &str,
    now: UnixTime,
) -> Result<PendingLogin, NotTaken> {
    let state = callback.state().map_err(refused)?;
    let key = key(&state);
    let record = match store.read(&key) {
        Err(failure) => return Err(refused(failure)),
        Ok(None) => return Err(refused(Misbehaved::StateUnknown)),
        Ok(Some(record)) => record,
    };
    match Record::read(&record) {
        Record::Used(_) => Err(refused(Misbehaved::AlreadyUsed)),
        Record::Login(login) if *login.state() != state => {
            store.remove(&key);
            Err(refused(Misbehaved::StateUnknown))
        }
        // At a redirect URI that its client does not listen to nobody would come for it: it is taken, and fails there.
        Record::Login(login) if !login.is_for(issuer, client_id) && callback.may_be_for(&login.redirect_uri) => Err(NotTaken::OtherClient),
        Record::Login(login) => {
            store.remove(&key);
            // The mark is a courtesy: without it the same response is unknown instead of used.
            let mark = Json::object(vec![("used", Some(now.as_millis().into()))]);
            let _ = store.write(&key, &mark.to_string());
            Ok(*login)
        }
        Record::Nothing => {
            store.remove(&key);
            Err(refused(Misbehaved::StateUnknown))
        }
    }
}

/// Why no login was taken.
#[derive(Debug, PartialEq)]
pub(crate) enum NotTaken {
    /// It belongs to another client on this origin, which is to have it.
    OtherClient,
    /// There is none to be had, or the response is no answer to it.
    Refused {
        /// Why.
        error: Error,
        /// Where the user wanted to be, if the response belonged to a login.
        return_to: Option<String>,
    },
}

fn refused(error: impl Into<Error>) -> NotTaken {
    NotTaken::Refused { error: error.into(), return_to: None }
}

/// Removes every record of this client; another client's stay.
pub(crate) fn forget_all(store: &dyn Store, issuer: &Issuer, client_id: &str) {
    for key in ours(store) {
        let record = store.read(&key).ok().flatten().unwrap_or_default();
        if !matches!(Record::read(&record), Record::Login(login) if !login.is_for(issuer, client_id)) {
            store.remove(&key);
        }
    }
}

/// Removes what is broken or too old, and the oldest until only so many are left.
fn tidy(store: &dyn Store, leave: usize, now: UnixTime) {
    let mut records = Vec::new();
    for key in ours(store) {
        let begun = match store.read(&key).ok().flatten().as_deref().map(Record::read) {
            Some(Record::Login(login)) if !login.has_expired(now) => login.begun,
            Some(Record::Used(at)) if now.since(at) <= PendingLogin::LIFE => at,
            _ => {
                store.remove(&key);
                continue;
            }
        };
        records.push((begun, key));
    }
    while records.len() > leave {
        let oldest = records.iter().enumerate().min_by_key(|(_, (begun, _))| *begun).map_or(0, |(index, _)| index);
        store.remove(&records.swap_remove(oldest).1);
    }
}

fn ours(store: &dyn Store) -> impl Iterator<Item = String> {
    store.keys().into_iter().filter(|key| key.starts_with(PREFIX))
}

fn key(state: &StateDigest) -> String {
    [PREFIX, state.as_str()].concat()
}

enum Record {
    Login(Box<PendingLogin>),
    Nothing,
    Used(UnixTime),
}

impl Record {
    /// No record of ours is larger than this, in bytes.
    const MAX: usize = 64 * 1024;

    fn read(text: &str) -> Record {
        if text.len() > Record::MAX {
            return Record::Nothing;
        }
        if let Some(login) = PendingLogin::from_record(text) {
            return Record::Login(Box::new(login));
        }
        let used = Json::parse(text).ok().and_then(|mark| mark.get("used")?.as_number()?.floor());
        used.map_or(Record::Nothing, |at| Record::Used(UnixTime::from_millis(at)))
    }
}
