//! The device: two clocks, timers, and the work of tabs, which goes on in turns. Nothing waits: when all work stands still, the time
//! is moved to the next timer.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    future::Future,
    pin::{Pin, pin},
    rc::{Rc, Weak},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    time::Duration,
};

use tokenkeep::{
    keep::ports::{Answer, Clock, Tasks},
    protocol::UnixTime,
};

use super::Chance;

thread_local! {
    static DEVICES: RefCell<Vec<Weak<Device>>> = const { RefCell::new(Vec::new()) };
}

/// A device with its tabs.
pub struct Device {
    pub time: Rc<Time>,
    chance: Rc<Chance>,
    work: RefCell<Vec<Work>>,
    next: Cell<u64>,
    /// Whose turn it is is up to the seed.
    pub shuffled: Cell<bool>,
}

struct Work {
    of: Rc<Process>,
    number: u64,
    task: Pin<Box<dyn Future<Output = ()>>>,
    woken: Arc<Woken>,
}

/// What runs in a tab.
#[derive(Default)]
pub struct Process {
    /// The browser lets it stand still.
    pub frozen: Cell<bool>,
    /// It is gone.
    pub dead: Cell<bool>,
    /// It lies in the back/forward cache: what is told on channels meanwhile, nobody tells it later.
    pub deaf: Cell<bool>,
    /// When it began, on the steady clock.
    born: Cell<u64>,
}

#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn now_woken() -> Arc<Woken> {
    Arc::new(Woken(AtomicBool::new(true)))
}

impl Device {
    pub fn new(time: Rc<Time>, chance: Rc<Chance>) -> Rc<Device> {
        let device = Rc::new(Device { time, chance, work: RefCell::default(), next: Cell::default(), shuffled: Cell::default() });
        DEVICES.with_borrow_mut(|devices| {
            devices.retain(|device| device.strong_count() > 0);
            devices.push(Rc::downgrade(&device));
        });
        device
    }

    pub fn process(&self) -> Rc<Process> {
        Rc::new(Process { born: Cell::new(self.time.steady.get()), ..Process::default() })
    }

    pub fn spawn(&self, of: &Rc<Process>, task: Pin<Box<dyn Future<Output = ()>>>) {
        let number = self.next.get();
        self.next.set(number + 1);
        self.work.borrow_mut().push(Work { of: of.clone(), number, task, woken: now_woken() });
    }

    /// Lets everything that was woken go on, once each. False when there is nothing.
    pub fn turn(&self) -> bool {
        self.bury();
        let runs = |work: &&Work| work.woken.0.load(Ordering::Relaxed) && !work.of.frozen.get();
        let mut numbers: Vec<u64> = self.work.borrow().iter().filter(runs).map(|work| work.number).collect();
        if self.shuffled.get() {
            for index in (1..numbers.len()).rev() {
                numbers.swap(index, (self.chance.next() % (index as u64 + 1)) as usize);
            }
        }
        for number in &numbers {
            // Taken out while it runs: it may begin other work, or end its own tab.
            let taken = {
                let mut work = self.work.borrow_mut();
                work.iter().position(|work| work.number == *number).map(|index| work.remove(index))
            };
            let Some(mut work) = taken.filter(|work| !work.of.dead.get()) else { continue };
            work.woken.0.store(false, Ordering::Relaxed);
            if work.task.as_mut().poll(&mut Context::from_waker(&Waker::from(work.woken.clone()))).is_pending() && !work.of.dead.get() {
                self.work.borrow_mut().push(work);
            }
        }
        !numbers.is_empty()
    }

    /// What ran in tabs that are gone is gone.
    fn bury(&self) {
        let dead: Vec<Work> = {
            let mut work = self.work.borrow_mut();
            let (dead, alive) = work.drain(..).partition(|work| work.of.dead.get());
            *work = alive;
            dead
        };
        drop(dead);
    }

    /// Lets work go on until all of it waits.
    pub fn settle(&self) {
        for _ in 0..1_000_000 {
            if !self.turn() {
                return;
            }
        }
        panic!("the work never ends");
    }

    /// How much work there is, waiting or not.
    pub fn load(&self) -> usize {
        self.bury();
        self.work.borrow().len()
    }
}

/// Runs a future to its end, with everything else that goes on in all tabs. When nothing can go on, time passes.
pub fn run<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let woken = now_woken();
    for _ in 0..10_000_000 {
        if woken.0.swap(false, Ordering::Relaxed)
            && let Poll::Ready(outcome) = future.as_mut().poll(&mut Context::from_waker(&Waker::from(woken.clone())))
        {
            return outcome;
        }
        let devices: Vec<Rc<Device>> = DEVICES.with_borrow(|devices| devices.iter().filter_map(Weak::upgrade).collect());
        let went_on = devices.iter().filter(|device| device.turn()).count() > 0;
        if !went_on && !woken.0.load(Ordering::Relaxed) {
            let passed = devices.iter().filter(|device| device.time.pass_to_next_timer()).count() > 0;
            assert!(passed, "the future never ends: nothing is left that could wake it");
        }
    }
    panic!("the future never ends");
}

/// The time.
pub struct Time {
    /// What the provider's clock shows, which is right, in milliseconds.
    pub now: Cell<u64>,
    /// How long the device was awake, in milliseconds.
    pub steady: Cell<u64>,
    /// By how many milliseconds the device's clock is ahead of the provider's.
    pub ahead: Cell<i64>,
    /// All pauses that were ever asked for.
    pub slept: RefCell<Vec<Duration>>,
    timers: RefCell<BTreeMap<(u64, u64), Waker>>,
    next: Cell<u64>,
}

impl Time {
    pub fn starting_at(now: u64) -> Rc<Time> {
        Rc::new(Time {
            now: Cell::new(now),
            // No clock of a tab shows what another one does.
            steady: Cell::new(5_000_000),
            ahead: Cell::default(),
            slept: RefCell::default(),
            timers: RefCell::default(),
            next: Cell::default(),
        })
    }

    pub fn wall(&self) -> UnixTime {
        UnixTime::from_millis(self.now.get().saturating_add_signed(self.ahead.get()))
    }

    /// Time passes while the device is awake. No timer is looked at.
    pub fn pass(&self, millis: u64) {
        self.now.set(self.now.get() + millis);
        self.steady.set(self.steady.get() + millis);
    }

    /// Time passes while the device sleeps: timers stand still.
    pub fn sleep_device(&self, span: Duration) {
        self.now.set(self.now.get() + span.as_millis() as u64);
    }

    /// When the next timer goes off, in milliseconds from now.
    pub fn next_timer(&self) -> Option<u64> {
        self.timers.borrow().keys().next().map(|(due, _)| due.saturating_sub(self.steady.get()))
    }

    /// Moves to the next timer, and lets it go off. False when there is none.
    pub fn pass_to_next_timer(&self) -> bool {
        let Some(millis) = self.next_timer() else { return false };
        self.pass(millis);
        self.ring();
        true
    }

    /// Lets every timer go off that is due.
    pub fn ring(&self) {
        let later = self.timers.borrow_mut().split_off(&(self.steady.get() + 1, 0));
        let due = self.timers.replace(later);
        due.into_values().for_each(Waker::wake);
    }

    pub fn timers(&self) -> usize {
        self.timers.borrow().len()
    }
}

/// The clock of one tab.
pub struct TabClock {
    pub time: Rc<Time>,
    pub process: Rc<Process>,
}

impl Clock for TabClock {
    fn now(&self) -> UnixTime {
        self.time.wall()
    }

    fn steady(&self) -> Duration {
        Duration::from_millis(self.time.steady.get() - self.process.born.get())
    }

    fn sleep(&self, span: Duration) -> Answer<'_, ()> {
        self.time.slept.borrow_mut().push(span);
        Box::pin(Sleep::new(self.time.clone(), span))
    }
}

pub struct Sleep {
    time: Rc<Time>,
    key: (u64, u64),
}

impl Sleep {
    pub fn new(time: Rc<Time>, span: Duration) -> Sleep {
        let number = time.next.get();
        time.next.set(number + 1);
        let due = time.steady.get().saturating_add(u64::try_from(span.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX));
        Sleep { time, key: (due, number) }
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.time.steady.get() >= self.key.0 {
            return Poll::Ready(());
        }
        self.time.timers.borrow_mut().insert(self.key, context.waker().clone());
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        self.time.timers.borrow_mut().remove(&self.key);
    }
}

/// The work of one tab.
pub struct TabTasks {
    pub device: Weak<Device>,
    pub process: Rc<Process>,
}

impl Tasks for TabTasks {
    fn spawn(&self, work: Answer<'static, ()>) {
        if let Some(device) = self.device.upgrade() {
            device.spawn(&self.process, work);
        }
    }
}

/// Lets another future go first.
pub async fn yield_once() {
    let mut yielded = false;
    std::future::poll_fn(|context| {
        if yielded {
            return Poll::Ready(());
        }
        yielded = true;
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
