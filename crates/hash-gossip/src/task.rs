//! The tasks of a node: one for each connection, short-lived ones for dials, one that accepts, one that times, one that keeps the log.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll};

use crate::host::{Disk, Host};
use crate::log::{self, Entry, Log};
use crate::node::Shared;
use crate::strategy::{PeerIndex, Strategy};

/// The task of a connection: little more than its wake flag, as the connection itself is in the node's cell. It is
/// written by hand for its size, since most connections are idle most of the time.
pub(crate) struct Serve<H: Host, S: Strategy> {
    shared: Rc<Shared<H, S>>,
    peer: PeerIndex,
    generation: u32,
}

impl<H: Host, S: Strategy> Serve<H, S> {
    pub(crate) fn new(shared: Rc<Shared<H, S>>, peer: PeerIndex, generation: u32) -> Self {
        const { assert!(size_of::<Self>() <= 16) };
        Self {
            shared,
            peer,
            generation,
        }
    }
}

impl<H: Host, S: Strategy> Future for Serve<H, S> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Self {
            peer, generation, ..
        } = *self;
        self.shared
            .with(|state| state.poll_connection(cx, peer, generation))
    }
}

pub(crate) async fn dial<H: Host, S: Strategy>(
    shared: Rc<Shared<H, S>>,
    peer: PeerIndex,
    generation: u32,
    connecting: impl Future<Output = io::Result<H::Stream>>,
) {
    let outcome = connecting.await;
    let refused = shared.with(|state| state.dialled(peer, generation, outcome));
    drop(refused);
}

pub(crate) async fn accept<H: Host, S: Strategy>(shared: Rc<Shared<H, S>>) {
    loop {
        match shared.host.accept().await {
            Ok((from, stream)) => {
                let refused = shared.with(|state| state.accept(from, stream));
                drop(refused);
            }
            // Whatever it is, it does not help to try again at once.
            Err(_) => {
                let pause = shared.with(|state| state.accept_pause());
                shared.host.sleep(pause).await;
            }
        }
    }
}

/// Sleeps until something is due, or for as long as nothing is. The sleep is cut short only for what is due earlier,
/// so a request costs no timer while another one is under way.
pub(crate) async fn time<H: Host, S: Strategy>(shared: Rc<Shared<H, S>>) {
    loop {
        let due = poll_fn(|cx| shared.with(|state| state.poll_due(cx))).await;
        let mut sleep = pin!(shared.host.sleep(due.saturating_sub(shared.host.now())));
        poll_fn(|cx| match sleep.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(()),
            Poll::Pending => shared.with(|state| state.poll_sooner(cx)),
        })
        .await;
        shared.with(|state| state.handle_time());
    }
}

/// Reads the log, lets the node begin, and from then on writes what becomes held, as much at a time as there is.
pub(crate) async fn keep<H: Host, S: Strategy>(shared: Rc<Shared<H, S>>, mut disk: H::Disk) {
    let mut attempt = 0;
    let found = loop {
        match log::read(&mut disk).await {
            Ok(found) => break found,
            Err(error) => pause(&shared, error, &mut attempt).await,
        }
    };
    let mut log = Log::new(disk, &found);
    let known = found.identity();
    let identity = known.unwrap_or_else(|| shared.with(|state| state.draw_identity()));
    let new = known.is_none().then_some(Entry::Identity(identity));
    // What was found may still be in the memory of a machine whose process has ended: it is not durable before it is synced.
    write(&shared, &mut log, new.as_slice()).await;
    shared.with(|state| state.recover(identity, found.entries));
    shared.open();
    loop {
        let entries = poll_fn(|cx| shared.with(|state| state.poll_unwritten(cx))).await;
        write(&shared, &mut log, &entries).await;
        shared.with(|state| state.note_written(&entries));
    }
}

/// Writes until that succeeds.
async fn write<H: Host, S: Strategy>(
    shared: &Rc<Shared<H, S>>,
    log: &mut Log<impl Disk>,
    entries: &[Entry],
) {
    let mut attempt = 0;
    while let Err(error) = log.write(entries).await {
        pause(shared, error, &mut attempt).await;
    }
}

async fn pause<H: Host, S: Strategy>(
    shared: &Rc<Shared<H, S>>,
    error: io::Error,
    attempt: &mut u8,
) {
    let pause = shared.with(|state| state.note_trouble(error, *attempt));
    *attempt = attempt.saturating_add(1);
    shared.host.sleep(pause).await;
}
