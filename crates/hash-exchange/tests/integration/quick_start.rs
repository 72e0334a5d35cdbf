//! What the README begins with, line for line, and what it is to be relied upon for.

use futures::executor::block_on;
use futures::future::{join, try_join};
use futures::io::{AsyncRead, AsyncWrite};
use hash_exchange::{Connection, MemoryStore, OwnedEvent};

use crate::pipe::pipe;

type Result = std::result::Result<(), Box<dyn std::error::Error + Send + Sync>>;

/// Gets what the peer offers and the store lacks, serves what the peer asks for, and ends when both are content.
async fn trade(io: impl AsyncRead + AsyncWrite + Unpin, store: &mut MemoryStore) -> Result {
    let mut connection = Connection::new(io);
    connection.provide(store.hashes())?;
    let (mut asked, mut answered) = (false, false);
    while let Some(event) = connection.next(store).await? {
        match event {
            OwnedEvent::Available(lacking) if !asked => {
                connection.request(&lacking)?;
                asked = true;
            }
            OwnedEvent::Requested(_) => answered = true,
            OwnedEvent::Close => (asked, answered) = (true, true), // It says nothing more.
            OwnedEvent::Failed { hash, reason } => eprintln!("{hash}: {reason}"),
            _ => {}
        }
        if asked && answered {
            connection.close(); // It goes out once all contents have come to their end, both ways.
        }
    }
    Ok(())
}

/// A peer that only gives: it asks for nothing, not even by an empty REQUEST, and closes once it was asked.
pub(crate) async fn give(io: impl AsyncRead + AsyncWrite + Unpin, body: &'static [u8]) {
    let mut store = MemoryStore::new();
    let mut connection = Connection::new(io);
    connection.provide([&store.add(body)]).unwrap();
    while let Some(event) = connection.next(&mut store).await.unwrap() {
        if matches!(event, OwnedEvent::Requested(_)) {
            connection.close();
        }
    }
}

#[test]
fn it_ends_with_a_peer_that_only_gives() {
    let (a, b) = pipe(1000);
    let mut store = MemoryStore::new();
    let (traded, ()) = block_on(join(trade(a, &mut store), give(b, b"beep")));
    traded.unwrap();
    assert_eq!(store.hashes().count(), 1);
}

#[test]
fn it_ends_with_a_peer_that_neither_gives_nor_takes() {
    let (a, b) = pipe(1000);
    let mut store = MemoryStore::new();
    let mut connection = Connection::new(b);
    connection.close();
    let close = async {
        while connection.next(&mut MemoryStore::new()).await?.is_some() {}
        Ok(())
    };
    block_on(try_join(trade(a, &mut store), close)).unwrap();
}
