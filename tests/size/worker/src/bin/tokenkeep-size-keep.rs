//! The worker beside it.

fn main() {
    tokenkeep::worker::serve();
}
