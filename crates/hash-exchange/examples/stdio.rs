//! Two of these, each with its standard output piped into the other's standard input, trade the messages of their
//! command lines: `stdio beep boop "hey yo"` gets WHATEVER from `stdio "hey yo" WHATEVER beep`, which gets boop.

use std::collections::BTreeSet;
use std::io::IsTerminal;

use hash_exchange::{Connection, Halves, MemoryStore, OwnedEvent};
use smol::Unblock;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    if std::io::stdout().is_terminal() {
        return Err(
            "it speaks to a peer, not to a terminal: pipe its standard output there".into(),
        );
    }
    let mut store = MemoryStore::new();
    for message in std::env::args().skip(1) {
        store.add(message.into_bytes());
    }
    let mut connection = Connection::new(Halves {
        // In threads: a transport must not wait for the peer, who may be waiting for us.
        reader: Unblock::new(std::io::stdin()),
        writer: Unblock::new(std::io::stdout()),
    });
    connection.provide(store.hashes())?;

    smol::block_on(async {
        let (mut heard, mut asked, mut lacking) = (false, false, 0);
        while let Some(event) = connection.next(&mut store).await? {
            match event {
                OwnedEvent::Available(hashes) => {
                    heard = true;
                    // An offer may repeat a hash, which a REQUEST names once.
                    let hashes: BTreeSet<_> = hashes.into_iter().collect();
                    // Once we have closed, further offers come too late.
                    lacking += connection.request(&hashes).map_or(0, |_| hashes.len());
                }
                OwnedEvent::Received { hash, .. } => {
                    let body = String::from_utf8_lossy(store.read(&hash).expect("just received"));
                    // In one piece, as two of these may share a terminal.
                    let text = format!("# BEGIN {hash}\n{body}\n# END {hash}\n");
                    eprint!("{text}");
                    lacking -= 1;
                }
                OwnedEvent::NotFound(_) | OwnedEvent::Failed { .. } => lacking -= 1,
                OwnedEvent::Requested(_) => asked = true,
                OwnedEvent::Close => (heard, asked) = (true, true),
                _ => {}
            }
            if heard && asked && lacking == 0 {
                connection.close();
            }
        }
        Ok(())
    })
}
