//! A keep in a worker, and what lies between it and its pages: what `keep.js` and `remote.js` do in a browser.

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, BTreeSet, VecDeque},
    future::poll_fn,
    rc::{Rc, Weak},
    task::{Poll, Waker},
    time::Duration,
};

use tokenkeep::{
    Config, Error, SignIn,
    keep::ports::{
        Acquire, Answer, Change, Channel, FrameEvent, Frames, HiddenFrame, Journal, Line, Lock, LockFailure, Locks, Ports, Store,
        StoreFailure,
    },
    page::{Pages, ports::Wake},
};

use super::{
    Bar, ORIGIN, Process, Tab, TabLife, World,
    device::{Sleep, run},
    tabs::BrowserFrames,
};

/// What the keys of notes begin with. They are in localStorage, for keeps that are not there yet.
const NOTE: &str = "tokenkeep.session.";

/// A SharedWorker with a keep in it.
#[derive(Clone)]
pub struct Worker(Rc<Inside>);

struct Inside {
    world: World,
    config: Config,
    process: Rc<Process>,
    pages: Pages,
    memory: Rc<Memory>,
    windows: Rc<Windows>,
    linger: Duration,
    leaving: Cell<u64>,
    forgot: RefCell<Option<OnForget>>,
}

/// Gets what makes a keep forget.
type OnForget = Rc<dyn Fn(&dyn Fn())>;

/// The pages' ends of their ports.
#[derive(Default)]
struct Windows {
    open: RefCell<Vec<Rc<Window>>>,
    /// Those that are there, the latest last.
    here: RefCell<Vec<Rc<Window>>>,
}

struct Window {
    process: Rc<Process>,
    bar: Rc<Bar>,
    /// What a page has not heard yet, in order.
    inbox: RefCell<VecDeque<Box<dyn FnOnce()>>>,
}

impl Worker {
    /// Starts a worker. One that does not outlive its pages has the sign-ins that wait for their response from storage.
    pub fn start(world: &World, config: &Config, linger: Duration, outlives: bool) -> Worker {
        let process = world.device.process();
        let windows: Rc<Windows> = Rc::default();
        let memory = Rc::new(Memory {
            texts: RefCell::default(),
            seen: RefCell::default(),
            world: world.clone(),
            inside: RefCell::default(),
            durable: !outlives,
        });
        let frames = Rc::new(PagesFrames { world: world.clone(), windows: windows.clone() });
        let ports = Ports {
            channel: Rc::new(Alone),
            frames,
            journal: Rc::new(Alone),
            locks: Rc::new(Alone),
            store: memory.clone(),
            survives_navigation: outlives,
            ..world.ports_of(&process)
        };
        let notes = world.disk.records.borrow().iter().filter(|(key, _)| key.starts_with(NOTE)).map(owned).collect::<Vec<_>>();
        memory.seen.borrow_mut().extend(notes.iter().map(|(key, text)| (key.clone(), Some(text.clone()))));
        memory.texts.borrow_mut().extend(notes);
        if memory.durable {
            memory.texts.borrow_mut().extend(world.logins.borrow().iter().map(owned));
        }
        let pages = Pages::open(config, ports, ORIGIN).unwrap();
        let worker = Worker(Rc::new(Inside {
            world: world.clone(),
            config: config.clone(),
            process,
            pages,
            memory,
            windows,
            linger,
            leaving: Cell::default(),
            forgot: RefCell::default(),
        }));
        *worker.0.memory.inside.borrow_mut() = Rc::downgrade(&worker.0);
        let inside = Rc::downgrade(&worker.0);
        *world.disk.told.borrow_mut() = Some(Rc::new(move |key| {
            if let Some(inside) = inside.upgrade() {
                inside.stored(None, key);
            }
        }));
        worker
    }

    pub fn process(&self) -> &Rc<Process> {
        &self.0.process
    }

    /// Who is told that the keep forgets its tokens, and calls what does it.
    pub fn on_forget(&self, forgot: impl Fn(&dyn Fn()) + 'static) {
        *self.0.forgot.borrow_mut() = Some(Rc::new(forgot));
    }

    pub fn is_alive(&self) -> bool {
        !self.0.process.dead.get()
    }

    /// What was said to pages that run is heard.
    pub fn say_all(&self) {
        let windows = self.0.windows.open.borrow().clone();
        for window in windows.iter().filter(|window| window.runs()) {
            while let Some(next) = window.next() {
                next();
            }
        }
    }

    /// It ends, and everything in it.
    pub fn die(&self) {
        self.0.process.dead.set(true);
        self.0.windows.open.borrow_mut().clear();
        self.0.windows.here.borrow_mut().clear();
        self.0.world.device.load();
    }

    /// A page is loaded.
    pub fn page(&self, address: &str) -> Tab {
        let world = &self.0.world;
        let bar = Rc::new(Bar { address: RefCell::new(address.to_owned()), ..Bar::default() });
        let process = world.device.process();
        let client = self.0.pages.join(bar.clone());
        let window = Rc::new(Window { process: process.clone(), bar: bar.clone(), inbox: RefCell::default() });
        self.0.windows.open.borrow_mut().push(window.clone());
        self.0.here(&window);
        self.0.read_notes(&window);
        let events: Rc<RefCell<Vec<_>>> = Rc::default();
        let sink = events.clone();
        let listening = Rc::new(client.on_event(move |event| sink.borrow_mut().push(event.clone())));
        let life = Rc::new(TabLife(process.clone()));
        let config = self.0.config.clone();
        Tab { world: world.clone(), config, client, bar, events, process, _listening: listening, _life: life }
    }

    /// A page leaves for the provider, where this user signs in. Where the browser is sent back to.
    pub fn leave(&self, page: &Tab, user: &str) -> String {
        let url = page.leave(SignIn::default()).unwrap();
        self.0.world.provider.user(user);
        self.0.world.provider.authorize(&url)
    }

    /// The page at the redirect URI takes the place of the one that left, and finishes the sign-in.
    pub fn come_back(&self, callback: &str) -> Result<Tab, Error> {
        let page = self.page(callback);
        run(page.client.finish_sign_in()).map(|_| page)
    }

    /// A page that is loaded, and looks whether somebody is signed in.
    pub fn open(&self) -> Tab {
        let page = self.page(&format!("{ORIGIN}/"));
        let _ = run(page.client.finish_sign_in());
        page
    }

    /// A page in which this user signed in.
    pub fn sign_in(&self, user: &str) -> Tab {
        let page = self.open();
        let callback = self.leave(&page, user);
        let signed_in = self.come_back(&callback).unwrap();
        self.close(&page);
        signed_in
    }

    /// A page is left: it may lie in the back/forward cache.
    pub fn away(&self, page: &Tab) {
        self.0.away(&page.process);
    }

    /// A page is gone for ever, and so is its port.
    pub fn close(&self, page: &Tab) {
        self.0.away(&page.process);
        self.0.windows.open.borrow_mut().retain(|window| !Rc::ptr_eq(&window.process, &page.process));
    }

    /// There is reason to look at the clock.
    pub fn woke(&self, page: &Tab, wake: Wake) {
        if let Some(window) = self.0.windows.of(&page.process) {
            self.0.here(&window);
            if wake == Wake::Returned {
                self.0.read_notes(&window);
            }
            page.bar.wake(wake);
        }
    }

    /// How many pages have a port.
    pub fn ports(&self) -> usize {
        self.0.windows.open.borrow().len()
    }

    /// How many pages are there.
    pub fn pages(&self) -> usize {
        self.0.windows.here.borrow().len()
    }
}

fn owned((key, text): (&String, &String)) -> (String, String) {
    (key.clone(), text.clone())
}

impl Inside {
    fn here(&self, window: &Rc<Window>) {
        self.leaving.set(self.leaving.get() + 1);
        let mut here = self.windows.here.borrow_mut();
        here.retain(|other| !Rc::ptr_eq(other, window));
        here.push(window.clone());
    }

    /// A page that was not there says what is in localStorage by now.
    fn read_notes(&self, window: &Window) {
        let keys: Vec<String> = self.world.disk.records.borrow().keys().filter(|key| key.starts_with(NOTE)).cloned().collect();
        if keys.iter().filter(|key| self.memory.hear(key)).count() > 0 {
            window.bar.wake(Wake::Visible);
        }
    }

    fn away(self: &Rc<Self>, process: &Rc<Process>) {
        let was_there = {
            let mut here = self.windows.here.borrow_mut();
            let before = here.len();
            here.retain(|window| !Rc::ptr_eq(&window.process, process));
            here.len() < before && here.is_empty()
        };
        if was_there {
            let number = self.leaving.get() + 1;
            self.leaving.set(number);
            let (inside, time) = (Rc::downgrade(self), self.world.time.clone());
            let sleep = Sleep::new(time, self.linger);
            let work = async move {
                sleep.await;
                if let Some(inside) = inside.upgrade()
                    && inside.leaving.get() == number
                {
                    let forgot = inside.forgot.borrow().clone();
                    match forgot {
                        Some(forgot) => forgot(&|| inside.pages.forget()),
                        None => inside.pages.forget(),
                    }
                }
            };
            self.world.device.spawn(&self.process, Box::pin(work));
        }
    }

    /// What is in localStorage has changed: all pages but the one that did it tell the keep what is there by then. What the keep has
    /// seen before is no news to it, however late it comes.
    fn stored(self: &Rc<Self>, by: Option<&Rc<Window>>, key: &str) {
        if !key.starts_with(NOTE) {
            return;
        }
        let windows = self.windows.open.borrow().clone();
        for window in windows.iter().filter(|window| by.is_none_or(|by| !Rc::ptr_eq(by, window)) && !window.process.deaf.get()) {
            let (inside, key, page) = (Rc::downgrade(self), key.to_owned(), window.clone());
            window.tell(&self.world, move || {
                if let Some(inside) = inside.upgrade().filter(|inside| !inside.process.dead.get())
                    && inside.memory.hear(&key)
                {
                    page.bar.wake(Wake::Visible);
                }
            });
        }
    }
}

impl Windows {
    fn of(&self, process: &Rc<Process>) -> Option<Rc<Window>> {
        self.open.borrow().iter().find(|window| Rc::ptr_eq(&window.process, process)).cloned()
    }
}

impl Window {
    /// Something is said to a page, which hears it in its own time, and in order.
    fn tell(self: &Rc<Self>, world: &World, heard: impl FnOnce() + 'static) {
        self.inbox.borrow_mut().push_back(Box::new(heard));
        let window = self.clone();
        let work = async move {
            if let Some(next) = window.next() {
                next();
            }
        };
        world.device.spawn(&self.process, Box::pin(work));
    }

    fn next(&self) -> Option<Box<dyn FnOnce()>> {
        self.inbox.borrow_mut().pop_front()
    }

    fn runs(&self) -> bool {
        !self.process.frozen.get() && !self.process.dead.get()
    }
}

/// What the keep remembers, and has its pages note.
struct Memory {
    texts: RefCell<BTreeMap<String, String>>,
    /// What was noted here, or known before.
    seen: RefCell<BTreeSet<(String, Option<String>)>>,
    world: World,
    inside: RefCell<Weak<Inside>>,
    /// Sign-ins that wait for their response are stored.
    durable: bool,
}

impl Memory {
    fn note(&self, key: String, text: Option<String>) {
        match text {
            Some(text) => self.texts.borrow_mut().insert(key, text),
            None => self.texts.borrow_mut().remove(&key),
        };
    }

    /// What is in localStorage now. False if that is no news.
    fn hear(&self, key: &str) -> bool {
        let text = self.world.disk.records.borrow().get(key).cloned();
        let new = self.seen.borrow_mut().insert((key.to_owned(), text.clone()));
        if new {
            self.note(key.to_owned(), text);
        }
        new
    }

    fn tell(&self, key: &str, before: Option<String>, text: Option<&str>) {
        if !key.starts_with(NOTE) {
            if self.durable {
                let mut logins = self.world.logins.borrow_mut();
                match text {
                    Some(text) => logins.insert(key.to_owned(), text.to_owned()),
                    None => logins.remove(key),
                };
            }
            return;
        }
        self.seen.borrow_mut().insert((key.to_owned(), text.map(str::to_owned)));
        let Some(inside) = self.inside.borrow().upgrade() else { return };
        let here = inside.windows.here.borrow().clone();
        for window in here {
            let (by, inside) = (window.clone(), Rc::downgrade(&inside));
            let (disk, key, before, text) = (self.world.disk.clone(), key.to_owned(), before.clone(), text.map(str::to_owned));
            window.tell(&self.world, move || {
                // A page that stood still finds something newer there.
                let now = disk.records.borrow().get(&key).cloned();
                if (now.is_none() || now == before)
                    && disk.put(&key, text)
                    && let Some(inside) = inside.upgrade()
                {
                    inside.stored(Some(&by), &key);
                }
            });
        }
    }
}

impl Store for Memory {
    fn read(&self, key: &str) -> Result<Option<String>, StoreFailure> {
        Ok(self.texts.borrow().get(key).cloned())
    }

    fn write(&self, key: &str, text: &str) -> Result<(), StoreFailure> {
        let before = self.texts.borrow_mut().insert(key.to_owned(), text.to_owned());
        self.tell(key, before, Some(text));
        Ok(())
    }

    fn remove(&self, key: &str) {
        let before = self.texts.borrow_mut().remove(key);
        self.tell(key, before, None);
    }

    fn keys(&self) -> Vec<String> {
        self.texts.borrow().keys().cloned().collect()
    }
}

/// Hidden frames in the latest page.
struct PagesFrames {
    world: World,
    windows: Rc<Windows>,
}

struct Shown(Rc<Frame>);

struct Frame {
    events: RefCell<VecDeque<FrameEvent>>,
    awaited: RefCell<Option<Waker>>,
    happened: Cell<bool>,
    page: Rc<Window>,
    windows: Rc<Windows>,
    frames: Rc<BrowserFrames>,
}

impl Frames for PagesFrames {
    fn open(&self, url: &str) -> Option<Box<dyn HiddenFrame>> {
        let frames: &Rc<BrowserFrames> = &self.world.frames;
        frames.scene.borrow().as_ref()?;
        let Some(page) = self.windows.here.borrow().last().cloned() else {
            frames.lost.set(frames.lost.get() + 1);
            return None;
        };
        frames.opened.borrow_mut().push(url.to_owned());
        frames.open.set(frames.open.get() + 1);
        let frame = Rc::new(Frame {
            events: RefCell::default(),
            awaited: RefCell::default(),
            happened: Cell::default(),
            page: page.clone(),
            windows: self.windows.clone(),
            frames: frames.clone(),
        });
        let (shown, frames, time, url) = (Rc::downgrade(&frame), frames.clone(), self.world.time.clone(), url.to_owned());
        let work = async move {
            Sleep::new(time, Duration::from_millis(frames.latency.get())).await;
            let Some(frame) = shown.upgrade() else { return };
            let scene = frames.scene.borrow_mut().take();
            let Some(mut scene) = scene else { return };
            frame.happened.set(true);
            frame.events.borrow_mut().extend(scene(&url));
            frames.scene.borrow_mut().get_or_insert(scene);
            if let Some(awaited) = frame.awaited.take() {
                awaited.wake();
            }
        };
        self.world.device.spawn(&page.process, Box::pin(work));
        Some(Box::new(Shown(frame)))
    }
}

impl HiddenFrame for Shown {
    fn next(&self) -> Answer<'_, FrameEvent> {
        Box::pin(poll_fn(|context| {
            if let Some(event) = self.0.events.borrow_mut().pop_front() {
                return Poll::Ready(event);
            }
            *self.0.awaited.borrow_mut() = Some(context.waker().clone());
            Poll::Pending
        }))
    }
}

impl Drop for Frame {
    fn drop(&mut self) {
        let frames = &self.frames;
        frames.open.set(frames.open.get() - 1);
        if !self.happened.get() && !self.page.runs() {
            frames.lost.set(frames.lost.get() + 1);
            if self.windows.here.borrow().iter().any(|page| page.runs()) {
                frames.lost_for_nothing.set(frames.lost_for_nothing.get() + 1);
            }
        }
    }
}

/// No other keeps: nobody to take turns with, and nobody to hand tokens to.
struct Alone;

impl Channel for Alone {
    fn open(&self, _: &str, _: Rc<dyn Fn(String)>) -> Option<Box<dyn Line>> {
        None
    }
}

impl Journal for Alone {
    fn update<'a>(&'a self, _: &'a str, _: Change) -> Answer<'a, Result<(), StoreFailure>> {
        Box::pin(async { Err(StoreFailure::Blocked) })
    }
}

impl Locks for Alone {
    fn acquire<'a>(&'a self, _: &'a str, _: Acquire) -> Answer<'a, Result<Box<dyn Lock>, LockFailure>> {
        Box::pin(async { Err(LockFailure::Unsupported) })
    }
}
