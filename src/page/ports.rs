//! What the outside must offer a page.

use std::rc::Rc;

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

    /// Whether a page of another origin frames this one.
    fn is_framed_by_another_origin(&self) -> bool;

    /// Calls back, as long as this lives, when the page was left and comes back as it was (from the back/forward cache).
    fn on_return(&self, callback: Rc<dyn Fn()>);
}
