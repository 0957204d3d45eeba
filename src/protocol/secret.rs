//! A value that must not be seen.

use std::fmt;

use zeroize::Zeroize;

/// A value that cannot be printed, and is overwritten when dropped.
///
/// There is no `Display`, no serialization and no `Clone`; `Debug` prints `Secret(..)`. Overwriting is best effort: what
/// the JavaScript engine copied during a `fetch`, and what a growing buffer left behind, is out of reach.
///
/// ```
/// use tokenkeep::protocol::Secret;
///
/// let token = Secret::new(String::from("xyz"));
/// assert_eq!(format!("{token:?}"), "Secret(..)");
/// assert_eq!(token.expose(), "xyz");
/// ```
pub struct Secret<T: Zeroize>(T);

impl<T: Zeroize> Secret<T> {
    /// Hides a value.
    pub fn new(value: T) -> Self {
        Secret(value)
    }

    /// The value itself. Every call is a place to look at in a review.
    pub fn expose(&self) -> &T {
        &self.0
    }
}

impl Secret<String> {
    /// A copy of a text, hidden.
    pub fn copied(value: &str) -> Self {
        Secret(value.to_owned())
    }
}

impl<T: Zeroize> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

impl<T: Zeroize> Drop for Secret<T> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}
