//! `yamux`, unchanged, in a world where its connection breaks: of eight substreams some have their answer by then. On the others it ends
//! early, and not with an error but as if it were whole: who builds on yamux must know how much is to come.
//!
//! `cargo run -p simnet --example multiplex`

use std::future::poll_fn;
use std::io;
use std::time::Duration;

use futures::future::{Either, join_all, select};
use futures::{AsyncReadExt, AsyncWriteExt};
use simnet::{Fault, Host, InvalidNetwork, Layout, Link, Network, Time, World};
use yamux::{Config, Connection, DEFAULT_CREDIT, Mode};

/// By default yamux lets windows grow as fast as the machine's clock says that they are read: not so here, so that one seed is one history.
fn config() -> Config {
    let mut config = Config::default();
    config.set_max_num_streams(64);
    config.set_max_connection_receive_window(Some(64 * DEFAULT_CREDIT as usize));
    config
}

async fn serve(host: Host) -> io::Result<()> {
    let (socket, _) = host.listen(80)?.accept().await;
    let mut connection = Connection::new(socket, config(), Mode::Server);
    while let Some(Ok(stream)) = poll_fn(|cx| connection.poll_next_inbound(cx)).await {
        host.spawn(async move {
            let (reader, mut writer) = stream.split();
            // What becomes of it is seen at the other end.
            let _ = futures::io::copy(reader, &mut writer).await;
            let _ = writer.close().await;
        });
    }
    Ok(())
}

async fn ask(host: &Host, length: usize, mut stream: yamux::Stream) {
    let answer = async {
        stream.write_all(&vec![7; length]).await?;
        stream.close().await?;
        stream.read_to_end(&mut Vec::new()).await
    };
    let answer = answer.await;
    println!("{}: of {length} bytes came back {answer:?}", host.now());
}

async fn dial(host: Host) -> io::Result<()> {
    let socket = host.connect(0, 80).await?;
    let mut connection = Connection::new(socket, config(), Mode::Client);
    let mut asked = Vec::new();
    for number in 1..9 {
        let opened = poll_fn(|cx| connection.poll_new_outbound(cx)).await;
        asked.push(ask(
            &host,
            number * 5_000,
            opened.map_err(io::Error::other)?,
        ));
    }
    // The connection moves only while it is polled.
    let end = poll_fn(|cx| connection.poll_next_inbound(cx));
    if let Either::Right((_, asked)) = select(join_all(asked), end).await {
        asked.await;
    }
    Ok(())
}

fn main() -> Result<(), InvalidNetwork> {
    let link = Link::uniform(Duration::from_millis(20), Duration::from_millis(30));
    let mut network = Network::new(2, 42, link);
    network.streams.window = 32 * 1024;
    network.faults.faults.push(Fault::Cut {
        at: Time::from_millis(750),
        between: (0, 1),
    });
    let mut world = World::new(&network, Layout::default(), |host, _| {
        host.clone().spawn(async move {
            let done = match host.id() {
                0 => serve(host).await,
                _ => dial(host).await,
            };
            done.expect("nothing is cut before the first substreams are open");
        });
    })?;
    world.run_until(Time::from_secs(10)).expect("time passes");
    println!("one seed, one history: {:016x}", world.digest());
    Ok(())
}
