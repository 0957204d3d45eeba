//! A program that ends with the test that started it.

use std::{
    fs::{self, File},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{self, Child, Command, Stdio},
    sync::atomic::{AtomicU16, Ordering},
    time::{Duration, Instant},
};

use tokio::time::sleep;

const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    output: PathBuf,
}

impl Process {
    /// Starts a program whose output goes to a file of this name.
    pub(crate) fn start(command: &mut Command, folder: &Path, name: &str) -> Self {
        let output = folder.join(name).with_extension("log");
        let file = File::create(&output).expect("a file for the output");
        let same = file.try_clone().expect("a file for the output");
        command.stdin(Stdio::null()).stdout(file).stderr(same);
        let child = command.spawn().unwrap_or_else(|error| panic!("{} does not start: {error}", command.get_program().display()));
        Self { child, output }
    }

    /// Waits until it answers.
    pub(crate) async fn is_ready(&mut self, mut answers: impl AsyncFnMut() -> bool) {
        let start = Instant::now();
        while !answers().await {
            let has_ended = self.child.try_wait().is_ok_and(|status| status.is_some());
            assert!(!has_ended && start.elapsed() < PATIENCE, "{} does not start:\n{}", self.output.display(), self.output());
            sleep(Duration::from_millis(25)).await;
        }
    }

    pub(crate) fn output(&self) -> String {
        fs::read(&self.output).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // One that has ended already needs neither.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port that nobody uses, for a program that cannot choose one itself. None of those that the system gives out, so that it is still
/// free when the program comes.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let offset = u16::try_from(process::id() % 180).expect("small") * 100;
    (0..1000)
        .map(|_| 12_000 + (offset + NEXT.fetch_add(1, Ordering::Relaxed)) % 20_000)
        .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .expect("a free port")
}
