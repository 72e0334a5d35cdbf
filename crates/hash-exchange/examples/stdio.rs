//! Two of these, each with its standard output piped into the other's standard input, trade the messages of their
//! command lines: `stdio beep boop "hey yo"` gets WHATEVER from `stdio "hey yo" WHATEVER beep`, which gets boop.

use futures::executor::block_on;
use futures::io::AllowStdIo;
use hash_exchange::{Connection, Halves, MemoryStore, OwnedEvent};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut store = MemoryStore::new();
    for message in std::env::args().skip(1) {
        store.add(message.into_bytes());
    }
    let mut connection = Connection::new(Halves {
        reader: AllowStdIo::new(std::io::stdin()),
        writer: AllowStdIo::new(std::io::stdout()),
    });
    connection.provide(store.hashes())?;

    block_on(async {
        let (mut lacking, mut asked) = (None, false);
        while let Some(event) = connection.next(&mut store).await? {
            match event {
                OwnedEvent::Available(hashes) => {
                    connection.request(&hashes)?;
                    lacking = Some(hashes.len());
                }
                OwnedEvent::Received { hash, .. } => {
                    let body = store.read(&hash).expect("it was just received");
                    eprintln!(
                        "# BEGIN {hash}\n{}\n# END {hash}",
                        String::from_utf8_lossy(body)
                    );
                    lacking = lacking.map(|lacking| lacking - 1);
                }
                OwnedEvent::Requested(_) => asked = true,
                _ => {}
            }
            if lacking == Some(0) && asked {
                connection.close();
            }
        }
        Ok(())
    })
}
