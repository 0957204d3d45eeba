//! What the outside must offer a page.

use std::rc::Rc;
#[cfg(feature = "limits")]
use std::time::Duration;

#[cfg(feature = "limits")]
use crate::protocol::UnixTime;

/// The address bar, and where it may go.
pub trait Navigation {
    /// The origin of the page, as `location.origin` has it.
    fn origin(&self) -> String;

    /// The whole address.
    fn address(&self) -> String;

    /// Shows another address without loading it and without an entry in the history.
    fn replace(&self, address: &str);

    /// Leaves for another page.
    fn go(&self, url: &str);

    /// What a URL means on this page, as the browser reads it.
    fn resolve(&self, url: &str) -> Option<String>;

    /// Leaves for another page by sending a form to it: what must not stand in a URL.
    fn submit(&self, url: &str, form: &[(&str, &str)]);

    /// Who frames this page.
    fn framed_by(&self) -> FramedBy;

    /// Sends a text to the page that frames this one, if it is of this very origin.
    fn tell_parent(&self, text: &str);

    /// Calls back, as long as this lives, when there is reason to look at the clock again.
    fn on_wake(&self, callback: Rc<dyn Fn(Wake)>);

    /// Calls back, as long as this lives, with the time when the user does something: once in `rhythm` at most.
    #[cfg(feature = "limits")]
    fn on_activity(&self, rhythm: Duration, callback: Rc<dyn Fn(UnixTime)>);
}

/// Who frames a page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FramedBy {
    /// A page of another origin, somewhere above.
    AnotherOrigin,
    /// Nobody: it is a window or a tab.
    #[default]
    Nobody,
    /// Only pages of its own origin.
    ThisOrigin,
}

/// Why there is reason to look at the clock again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wake {
    /// The network is back.
    Online,
    /// The page was left, and comes back as it was: from the back/forward cache.
    Returned,
    /// The page is to be seen again.
    Visible,
}
