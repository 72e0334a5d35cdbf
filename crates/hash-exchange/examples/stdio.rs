//! Two of these, each with its standard output piped into the other's standard input, trade the messages of their
//! command lines: `stdio beep boop "hey yo"` gets WHATEVER from `stdio "hey yo" WHATEVER beep`, which gets boop.

use hash_exchange::{Connection, Halves, MemoryStore, OwnedEvent};
use smol::Unblock;

async fn trade(store: &mut MemoryStore) -> Result<(), Box<dyn std::error::Error>> {
    let reader = Unblock::new(std::io::stdin()); // In threads, lest both sides wait for each other.
    let writer = Unblock::new(std::io::stdout());
    let mut peer = Connection::new(Halves { reader, writer });
    peer.provide(store.hashes())?;
    let (mut asked, mut answered, mut end) = (false, false, Ok(()));
    while let Some(event) = peer.next(store).await? {
        match event {
            OwnedEvent::Available(new) if !asked => asked = peer.request(&new).map(|_| true)?,
            OwnedEvent::Received { hash, .. } => {
                let body = String::from_utf8_lossy(store.read(&hash).expect("just received"));
                let text = format!("# BEGIN {hash}\n{body}\n# END {hash}\n");
                eprint!("{text}"); // In one piece, as two of these may share a terminal.
            }
            OwnedEvent::Failed { hash, reason } => end = Err(format!("{hash}: {reason}").into()),
            OwnedEvent::Requested(_) => answered = true,
            OwnedEvent::Close => (asked, answered) = (true, true),
            _ => {}
        }
        if asked && answered {
            peer.close(); // It goes out once nothing is under way.
        }
    }
    end
}

fn main() {
    let messages = std::env::args_os().skip(1);
    let mut store: MemoryStore = messages.map(|it| it.into_encoded_bytes()).collect();
    if let Err(error) = smol::block_on(trade(&mut store)) {
        eprintln!("stdio: {error}");
        std::process::exit(1);
    }
}
