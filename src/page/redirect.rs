//! The address bar: what comes back in it, and where in the app a user is sent.

use super::ports::Navigation;
use crate::protocol::{Callback, HttpUrl, form};

/// An address without its `state`.
pub(crate) fn without_state(address: &str) -> String {
    let (before, hash) = address.split_once('#').map_or((address, None), |(before, hash)| (before, Some(hash)));
    let (base, query) = before.split_once('?').unwrap_or((before, ""));
    let mut clean = base.to_owned();
    for (index, pair) in form::pairs(query).filter(|pair| !pair.is("state")).enumerate() {
        clean.push(if index == 0 { '?' } else { '&' });
        clean.push_str(pair.raw);
    }
    if let Some(hash) = hash {
        clean.push('#');
        clean.push_str(hash);
    }
    clean
}

/// Whether an address is the redirect URI, with or without a response.
pub(crate) fn is_redirect_uri(address: &str, redirect_uri: &HttpUrl) -> bool {
    address.strip_prefix(redirect_uri.origin()).is_some_and(|place| is_redirect_path(place, redirect_uri))
}

fn is_redirect_path(place: &str, redirect_uri: &HttpUrl) -> bool {
    place.split(['?', '#']).next() == Some(redirect_uri.path())
}

/// Cleans the address bar of a response, without a trace in the history.
pub(crate) fn scrub(navigation: &dyn Navigation) {
    let address = navigation.address();
    let clean = Callback::scrub(&address);
    if clean != address {
        navigation.replace(&clean);
    }
}

/// A place in the app: path, query and hash. What is elsewhere, or is the redirect URI itself, becomes the root.
pub(crate) fn place(navigation: &dyn Navigation, url: &str, redirect_uri: &HttpUrl) -> String {
    let origin = navigation.origin();
    // Two slashes would be another origin to whoever resolves the place again.
    let local = |rest: &&str| rest.starts_with('/') && !rest.starts_with("//");
    let inside = navigation.resolve(url).and_then(|url| url.strip_prefix(&origin).filter(local).map(str::to_owned));
    match inside {
        // A response can only be at the redirect URI: elsewhere `state` and `code` are the app's own.
        Some(place) if !is_redirect_path(&place, redirect_uri) => place,
        Some(place) if redirect_uri.path() == "/" => Callback::scrub(&place),
        _ => "/".to_owned(),
    }
}
