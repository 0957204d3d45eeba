//! What tabs of one browser share: channels, locks, the journal. And hidden frames.

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, VecDeque},
    future::poll_fn,
    rc::{Rc, Weak},
    task::{Poll, Waker},
};

use tokenkeep::keep::ports::{
    Acquire, Answer, Change, Channel, FrameEvent, Frames, HiddenFrame, Journal, Line, Lock, LockFailure, Locks, StoreFailure,
};

use super::device::{Device, Process, Sleep, Time, yield_once};

/// All channels of a browser.
#[derive(Default)]
pub struct Channels {
    lines: RefCell<Vec<Listener>>,
    /// Every message, in order.
    pub log: RefCell<Vec<String>>,
    next: Cell<u64>,
}

struct Listener {
    id: u64,
    name: String,
    process: Rc<Process>,
    heard: Rc<dyn Fn(String)>,
}

impl Channels {
    /// Says something on a channel, as any script of the origin can.
    pub fn forge(&self, device: &Device, name: &str, text: &str) {
        self.deliver(device, name, u64::MAX, text);
    }

    /// The names of the channels that somebody listens to.
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<_> = self.lines.borrow().iter().map(|line| line.name.clone()).collect();
        names.sort();
        names.dedup();
        names
    }

    pub fn listeners(&self) -> usize {
        self.lines.borrow().len()
    }

    fn deliver(&self, device: &Device, name: &str, from: u64, text: &str) {
        self.log.borrow_mut().push(text.to_owned());
        for line in self.lines.borrow().iter().filter(|line| line.name == name && line.id != from && !line.process.deaf.get()) {
            let (heard, text, process) = (line.heard.clone(), text.to_owned(), line.process.clone());
            // In the listener's own time.
            device.spawn(&process, Box::pin(async move { heard(text) }));
        }
    }
}

/// The channels as one tab has them.
pub struct TabChannel {
    pub channels: Rc<Channels>,
    pub device: Weak<Device>,
    pub process: Rc<Process>,
    pub absent: Rc<Cell<bool>>,
}

struct TabLine {
    id: u64,
    name: String,
    channels: Rc<Channels>,
    device: Weak<Device>,
}

impl Channel for TabChannel {
    fn open(&self, name: &str, heard: Rc<dyn Fn(String)>) -> Option<Box<dyn Line>> {
        if self.absent.get() {
            return None;
        }
        let id = self.channels.next.get();
        self.channels.next.set(id + 1);
        self.channels.lines.borrow_mut().push(Listener { id, name: name.to_owned(), process: self.process.clone(), heard });
        Some(Box::new(TabLine { id, name: name.to_owned(), channels: self.channels.clone(), device: self.device.clone() }))
    }
}

impl Line for TabLine {
    fn post(&self, text: &str) {
        if let Some(device) = self.device.upgrade() {
            self.channels.deliver(&device, &self.name, self.id, text);
        }
    }
}

impl Drop for TabLine {
    fn drop(&mut self) {
        self.channels.lines.borrow_mut().retain(|line| line.id != self.id);
    }
}

/// Who waits for a lock, and how to wake them.
type Queue = VecDeque<(u64, Option<Waker>)>;

/// All locks of a browser.
#[derive(Default)]
pub struct BrowserLocks {
    held: RefCell<BTreeMap<String, u64>>,
    queues: RefCell<BTreeMap<String, Queue>>,
    owners: RefCell<BTreeMap<u64, Rc<Process>>>,
    next: Cell<u64>,
    pub absent: Cell<bool>,
    /// How often a lock was taken from somebody.
    pub stolen: Cell<u64>,
}

impl BrowserLocks {
    pub fn held(&self) -> usize {
        self.held.borrow().len()
    }

    pub fn waiting(&self) -> usize {
        self.queues.borrow().values().map(VecDeque::len).sum()
    }

    /// Tabs that are gone have no locks, and no place in a queue.
    pub fn bury(&self) {
        let dead: Vec<u64> = self.owners.borrow().iter().filter(|(_, process)| process.dead.get()).map(|(id, _)| *id).collect();
        self.owners.borrow_mut().retain(|_, process| !process.dead.get());
        self.held.borrow_mut().retain(|_, id| !dead.contains(id));
        self.queues.borrow_mut().values_mut().for_each(|queue| queue.retain(|(id, _)| !dead.contains(id)));
        let names: Vec<String> = self.queues.borrow().keys().cloned().collect();
        names.iter().for_each(|name| self.wake_first(name));
    }

    fn wake_first(&self, name: &str) {
        if !self.held.borrow().contains_key(name)
            && let Some((_, waker)) = self.queues.borrow_mut().get_mut(name).and_then(|queue| queue.front_mut())
            && let Some(waker) = waker.take()
        {
            waker.wake();
        }
    }
}

pub struct TabLocks {
    pub locks: Rc<BrowserLocks>,
    pub process: Rc<Process>,
    pub time: Rc<Time>,
}

struct Held {
    id: u64,
    name: String,
    locks: Rc<BrowserLocks>,
}

impl Lock for Held {}

impl Drop for Held {
    fn drop(&mut self) {
        self.locks.owners.borrow_mut().remove(&self.id);
        let mut held = self.locks.held.borrow_mut();
        if held.get(&self.name) == Some(&self.id) {
            held.remove(&self.name);
            drop(held);
            self.locks.wake_first(&self.name);
        }
    }
}

/// A place in a queue, given up when dropped.
struct Place {
    id: u64,
    name: String,
    locks: Rc<BrowserLocks>,
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(queue) = self.locks.queues.borrow_mut().get_mut(&self.name) {
            queue.retain(|(id, _)| *id != self.id);
        }
        self.locks.wake_first(&self.name);
    }
}

impl Locks for TabLocks {
    fn acquire<'a>(&'a self, name: &'a str, how: Acquire) -> Answer<'a, Result<Box<dyn Lock>, LockFailure>> {
        Box::pin(async move {
            let locks = self.locks.clone();
            if locks.absent.get() {
                return Err(LockFailure::Unsupported);
            }
            let id = locks.next.get();
            locks.next.set(id + 1);
            locks.owners.borrow_mut().insert(id, self.process.clone());
            let name = name.to_owned();
            if how == Acquire::Steal {
                if locks.held.borrow_mut().insert(name.clone(), id).is_some() {
                    locks.stolen.set(locks.stolen.get() + 1);
                }
                return Ok(Box::new(Held { id, name, locks }) as Box<dyn Lock>);
            }
            let Acquire::Within(patience) = how else { unreachable!() };
            let place = Place { id, name: name.clone(), locks: locks.clone() };
            locks.queues.borrow_mut().entry(name.clone()).or_default().push_back((id, None));
            let mut elapsed = Box::pin(Sleep::new(self.time.clone(), patience));
            let granted = poll_fn(|context| {
                let mut queues = locks.queues.borrow_mut();
                let queue = queues.entry(name.clone()).or_default();
                let first = queue.front().is_some_and(|(first, _)| *first == id);
                if first && !locks.held.borrow().contains_key(&name) {
                    return Poll::Ready(true);
                }
                if let Some((_, waker)) = queue.iter_mut().find(|(other, _)| *other == id) {
                    *waker = Some(context.waker().clone());
                }
                drop(queues);
                elapsed.as_mut().poll(context).map(|()| false)
            })
            .await;
            if granted {
                locks.held.borrow_mut().insert(name.clone(), id);
            }
            drop(place);
            if granted { Ok(Box::new(Held { id, name, locks }) as Box<dyn Lock>) } else { Err(LockFailure::Held) }
        })
    }
}

/// IndexedDB, seen by all tabs.
#[derive(Default)]
pub struct Database {
    pub records: RefCell<BTreeMap<String, String>>,
    pub blocked: Cell<bool>,
    pub full: Cell<bool>,
    /// It does not answer, and does not say so.
    pub hangs: Cell<bool>,
    pub updates: Cell<u64>,
    /// How long it may take before it is asked, and again before it says that it is done, in milliseconds. How long it does is chance.
    pub latency: Cell<u64>,
    pub time: RefCell<Option<Rc<Time>>>,
}

impl Database {
    async fn take_time(&self) {
        yield_once().await;
        let time = self.time.borrow().clone().filter(|_| self.latency.get() > 0);
        if let Some(time) = time {
            let millis = (self.updates.get().wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) % self.latency.get();
            Sleep::new(time, std::time::Duration::from_millis(millis)).await;
        }
    }
}

impl Journal for Database {
    fn update<'a>(&'a self, key: &'a str, change: Change) -> Answer<'a, Result<(), StoreFailure>> {
        Box::pin(async move {
            self.updates.set(self.updates.get() + 1);
            self.take_time().await;
            if self.hangs.get() {
                std::future::pending::<()>().await;
            }
            if self.blocked.get() {
                return Err(StoreFailure::Blocked);
            }
            let before = self.records.borrow().get(key).cloned();
            if let Some(after) = change(before) {
                if self.full.get() {
                    return Err(StoreFailure::Full);
                }
                self.records.borrow_mut().insert(key.to_owned(), after);
            }
            self.take_time().await;
            Ok(())
        })
    }
}

/// What happens in a hidden frame, for a URL.
pub type Scene = Box<dyn FnMut(&str) -> Vec<FrameEvent>>;

/// Hidden frames of a browser. There are none until a test says what happens in them.
#[derive(Default)]
pub struct BrowserFrames {
    pub scene: RefCell<Option<Scene>>,
    /// The URLs that were opened.
    pub opened: RefCell<Vec<String>>,
    /// How many there are now.
    pub open: Rc<Cell<usize>>,
    /// In how many nothing happened, because their page stood still or was gone.
    pub lost: Cell<u64>,
    /// The same, where another page could have shown it.
    pub lost_for_nothing: Cell<u64>,
    /// After how many milliseconds something happens in a frame.
    pub latency: Cell<u64>,
    pub time: RefCell<Option<Rc<Time>>>,
}

struct OpenFrame {
    events: RefCell<VecDeque<FrameEvent>>,
    open: Rc<Cell<usize>>,
    latency: u64,
    time: Option<Rc<Time>>,
}

pub struct TabFrames(pub Rc<BrowserFrames>);

impl Frames for TabFrames {
    fn open(&self, url: &str) -> Option<Box<dyn HiddenFrame>> {
        let mut scene = self.0.scene.borrow_mut().take()?;
        self.0.opened.borrow_mut().push(url.to_owned());
        let events = RefCell::new(scene(url).into());
        self.0.scene.borrow_mut().get_or_insert(scene);
        self.0.open.set(self.0.open.get() + 1);
        Some(Box::new(OpenFrame { events, open: self.0.open.clone(), latency: self.0.latency.get(), time: self.0.time.borrow().clone() }))
    }
}

impl HiddenFrame for OpenFrame {
    fn next(&self) -> Answer<'_, FrameEvent> {
        Box::pin(async move {
            if let Some(time) = self.time.clone().filter(|_| self.latency > 0) {
                Sleep::new(time, std::time::Duration::from_millis(self.latency)).await;
            }
            let event = self.events.borrow_mut().pop_front();
            match event {
                Some(event) => event,
                None => std::future::pending().await,
            }
        })
    }
}

impl Drop for OpenFrame {
    fn drop(&mut self) {
        self.open.set(self.open.get() - 1);
    }
}
