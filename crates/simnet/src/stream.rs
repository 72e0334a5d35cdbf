use std::cell::RefCell;
use std::fmt;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use futures_io::{AsyncRead, AsyncWrite};

use crate::core::Core;
use crate::{Host, NodeId};

/// One end of an ordered, reliable byte stream between two nodes: what TCP looks like from outside.
///
/// Dropping it ends the stream in good order: what was written still arrives. Data that arrives at a dropped end resets the other one.
///
/// Reads end with an error of kind `ConnectionReset` (cut, or the peer is gone) or `TimedOut` (nothing got through for too long); what had
/// arrived before can still be read.
pub struct Stream {
    core: Rc<RefCell<Core>>,
    node: NodeId,
    /// The end is the stream's as long as the stream lives.
    slot: u32,
}

impl Stream {
    pub(crate) fn new(host: &Host, slot: u32) -> Self {
        Self {
            core: host.core.clone(),
            node: host.id,
            slot,
        }
    }

    /// The node at the other end.
    pub fn peer(&self) -> NodeId {
        self.with(|core, id| core.node(id).ends[self.slot as usize].peer)
    }

    pub(crate) fn poll_connected(&self, cx: &Context<'_>) -> Poll<io::Result<()>> {
        self.with(|core, id| core.poll_connected(id, self.slot, cx))
    }

    fn with<T>(&self, act: impl FnOnce(&mut Core, NodeId) -> T) -> T {
        let mut core = self.core.borrow_mut();
        core.assert_at_home(self.node);
        act(&mut core, self.node)
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        self.with(|core, id| core.poll_read(id, self.slot, cx, buffer))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.with(|core, id| core.poll_write(id, self.slot, cx, bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // What is written is on its way.
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.with(|core, id| core.finish(id, self.slot)))
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        // The world itself may be going down, in the middle of whatever it does.
        if let Ok(mut core) = self.core.try_borrow_mut() {
            core.let_go(self.node, self.slot);
        }
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream")
            .field("node", &self.node)
            .field("slot", &self.slot)
            .finish()
    }
}
