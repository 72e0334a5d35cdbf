use std::future::Future;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use hash_gossip::Scratch;
use rand_chacha::ChaCha8Rng;
use simnet::{Host, Listener, NodeId, Stream};

use super::SimDisk;

/// A simulated host as a `hash-gossip` node sees it.
#[derive(Clone)]
pub struct SimHost {
    host: Host,
    listener: Rc<Listener>,
    scratch: Rc<Scratch>,
}

/// The port on which nodes take each other's connections.
pub(super) const PORT: u16 = 1;

impl SimHost {
    /// The host, from now on listening. Its node works in `scratch`, which many may share.
    ///
    /// # Panics
    ///
    /// If something listens on its port 1 already.
    pub fn new(host: Host, scratch: Rc<Scratch>) -> Self {
        let listener = host.listen(PORT).expect("one node runs on a host");
        Self {
            host,
            listener: Rc::new(listener),
            scratch,
        }
    }
}

impl hash_gossip::Host for SimHost {
    type Address = NodeId;
    type Stream = Stream;
    type Rng = ChaCha8Rng;
    type Disk = SimDisk;

    fn address(&self) -> NodeId {
        self.host.id()
    }

    fn connect(&self, to: &NodeId) -> impl Future<Output = io::Result<Stream>> + 'static {
        let (host, to) = (self.host.clone(), *to);
        async move { host.connect(to, PORT).await }
    }

    fn accept(&self) -> impl Future<Output = io::Result<(NodeId, Stream)>> + 'static {
        let listener = self.listener.clone();
        async move {
            let (stream, dialler) = listener.accept().await;
            Ok((dialler, stream))
        }
    }

    fn sleep(&self, duration: Duration) -> impl Future<Output = ()> + 'static {
        self.host.sleep(duration)
    }

    fn now(&self) -> Duration {
        self.host.now().elapsed()
    }

    fn rng(&self) -> ChaCha8Rng {
        self.host.rng()
    }

    fn disk(&self) -> SimDisk {
        SimDisk::new(&self.host)
    }

    fn scratch(&self) -> Rc<Scratch> {
        self.scratch.clone()
    }

    fn spawn(&self, task: impl Future<Output = ()> + 'static) {
        self.host.spawn(task);
    }
}
