//! Who wants to hear of something.

use std::{
    cell::{Cell, RefCell},
    rc::{Rc, Weak},
};

/// Callbacks that are called in the order in which they came. Clones are the same list.
pub(crate) struct Listeners<T>(Rc<List<T>>);

type Callback<T> = Rc<dyn Fn(&T)>;

struct List<T> {
    next: Cell<u64>,
    callbacks: RefCell<Vec<(u64, Callback<T>)>>,
}

/// Ends the listening when dropped.
#[must_use = "the callback is called only as long as this lives"]
pub struct Subscription(Box<dyn Fn()>);

impl Subscription {
    /// What does this in the end.
    #[cfg(feature = "check-session")]
    pub(crate) fn ending(end: impl Fn() + 'static) -> Subscription {
        Subscription(Box::new(end))
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        (self.0)();
    }
}

impl<T> Default for Listeners<T> {
    fn default() -> Self {
        Listeners(Rc::new(List { next: Cell::default(), callbacks: RefCell::default() }))
    }
}

impl<T> Clone for Listeners<T> {
    fn clone(&self) -> Self {
        Listeners(self.0.clone())
    }
}

impl<T: 'static> Listeners<T> {
    pub(crate) fn add(&self, callback: Callback<T>) -> Subscription {
        let id = self.0.next.get();
        self.0.next.set(id.wrapping_add(1));
        self.0.callbacks.borrow_mut().push((id, callback));
        let list: Weak<List<T>> = Rc::downgrade(&self.0);
        Subscription(Box::new(move || {
            if let Some(list) = list.upgrade() {
                list.callbacks.borrow_mut().retain(|(other, _)| *other != id);
            }
        }))
    }

    pub(crate) fn tell(&self, news: &T) {
        // A copy: a callback may add and remove listeners.
        let callbacks: Vec<_> = self.0.callbacks.borrow().iter().map(|(_, callback)| callback.clone()).collect();
        for callback in callbacks {
            callback(news);
        }
    }
}
