//! A keep in a worker, as an app asks for it.

use std::time::Duration;

use super::{Client, KeptIn};
use crate::{keep::Config, protocol::Error};

/// What opens a keep in the page, for an app with this address.
pub(crate) type OpenHere = fn(&Config, Option<String>) -> Result<Client, Error>;

/// A worker for the keep: a `SharedWorker` that serves all tabs, or where there is none a `Worker` of the page.
///
/// The worker's `main` calls [`serve`], and nothing more. With [Trunk](https://trunkrs.dev), that is a file
/// `src/bin/keep.rs` and a line in `index.html`:
///
/// ```html
/// <link data-trunk rel="rust" data-bin="keep" data-type="worker" data-bindgen-target="web" data-loader-shim>
/// ```
///
/// and in the app a line of the configuration:
///
/// ```
/// use tokenkeep::{Config, Worker};
///
/// let kept = Config::new("https://login.example.com", "my-app").keep_in(Worker::at("/keep_loader.js"));
/// ```
#[derive(Clone, Debug)]
pub struct Worker {
    pub(crate) script: String,
    pub(crate) linger: Duration,
    pub(crate) pending: Option<Pending>,
    pub(crate) kinds: &'static [KeptIn],
    pub(crate) otherwise: Option<OpenHere>,
}

/// Where a sign-in waits for its response while the page has left for the provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pending {
    /// In IndexedDB: for an engine that ends the worker when its last page leaves.
    Durable,
    /// In the worker's memory: nothing of it is stored. One that got lost begins once more by itself.
    Memory,
}

/// A configuration, and the worker for its keep.
#[derive(Clone, Debug)]
pub struct Kept {
    pub(crate) worker: Worker,
    pub(crate) config: Config,
}

impl Worker {
    /// The worker with this script, which must be of the app's own origin.
    pub fn at(script: impl Into<String>) -> Worker {
        let kinds = &[KeptIn::SharedWorker, KeptIn::Worker];
        Worker { script: script.into(), linger: Duration::from_secs(60), pending: None, kinds, otherwise: None }
    }

    /// How long tokens are kept after the last page has gone: 60 seconds, until said otherwise. A reload and a sign-in take less.
    pub fn linger(mut self, linger: Duration) -> Worker {
        self.linger = linger;
        self
    }

    /// Where a sign-in waits for its response: in memory where the engine can keep the worker, else stored, until said otherwise.
    pub fn pending(mut self, pending: Pending) -> Worker {
        self.pending = Some(pending);
        self
    }

    /// Where there is no `SharedWorker`, nobody can sign in.
    pub fn only_shared(mut self) -> Worker {
        self.kinds = &[KeptIn::SharedWorker];
        self
    }

    /// Where no worker starts, the keep is in the page. An app that does not say this is smaller: no keep is in its own wasm.
    #[cfg_attr(not(target_family = "wasm"), expect(unused_mut, reason = "without a browser there is no page either"))]
    pub fn or_page(mut self) -> Worker {
        #[cfg(target_family = "wasm")]
        {
            self.otherwise = Some(crate::browser::open_at);
        }
        self
    }
}

/// Keeps tokens for the pages that open a keep in this worker: all that its `main` does.
///
/// ```
/// tokenkeep::worker::serve();
/// ```
pub fn serve() {
    #[cfg(target_family = "wasm")]
    crate::browser::serve();
}

impl Config {
    /// The same with a keep in a worker: tokens are not in the page then, and all tabs have one keep.
    pub fn keep_in(self, worker: Worker) -> Kept {
        Kept { worker, config: self }
    }
}
