//! The keep of the tokens, in a worker: no page sees one.

fn main() {
    tokenkeep::worker::serve();
}
