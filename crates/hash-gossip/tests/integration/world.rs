//! A world in memory: one thread, virtual time, streams with a latency and a window, and the means to break them.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures::executor::{LocalPool, LocalSpawner};
use futures::io::{AsyncRead, AsyncWrite};
use futures::task::LocalSpawnExt;
use hash_gossip::{Config, Disk, Host, Neighbour, Node};

pub(crate) type Address = u32;
pub(crate) type TestNode = Node<Site>;

/// What every segment takes to the other side.
pub(crate) const LATENCY: Duration = Duration::from_millis(10);

/// How long a dial tries to reach a neighbour behind a wall.
const DIAL_TIMEOUT: Duration = Duration::from_secs(1);

pub(crate) struct World {
    pub(crate) net: Rc<Net>,
    pool: LocalPool,
}

/// What the sites of a world share.
pub(crate) struct Net {
    now: Cell<Duration>,
    counter: Cell<u64>,
    timers: RefCell<BTreeMap<(Duration, u64), Waker>>,
    doors: RefCell<BTreeMap<Address, Door>>,
    directions: RefCell<Vec<Direction>>,
    walls: RefCell<BTreeSet<(Address, Address)>>,
    window: Cell<usize>,
    /// What each site has on its disk.
    disks: RefCell<BTreeMap<Address, Vec<u8>>>,
    /// Nothing can be written.
    full: Cell<bool>,
    spawner: LocalSpawner,
}

/// A pipe, and between whom it lies.
struct Direction {
    from: Address,
    to: Address,
    pipe: Rc<RefCell<Pipe>>,
}

/// Where the dials of one site arrive.
#[derive(Default)]
struct Door {
    waiting: VecDeque<(Address, Stream)>,
    waker: Option<Waker>,
}

impl World {
    pub(crate) fn new() -> Self {
        let pool = LocalPool::new();
        let net = Rc::new(Net {
            now: Cell::default(),
            counter: Cell::default(),
            timers: RefCell::default(),
            doors: RefCell::default(),
            directions: RefCell::default(),
            walls: RefCell::default(),
            window: Cell::new(64 << 10),
            disks: RefCell::default(),
            full: Cell::default(),
            spawner: pool.spawner(),
        });
        Self { net, pool }
    }

    /// Streams that are opened from now on hold at most so many bytes that were not read.
    pub(crate) fn set_window(&self, bytes: usize) {
        self.net.window.set(bytes);
    }

    pub(crate) fn site(&self, address: Address) -> Site {
        Site {
            net: Rc::clone(&self.net),
            address,
        }
    }

    /// Starts a node for each address up to the largest one; the lower one of each edge dials.
    pub(crate) fn nodes(&self, edges: &[(Address, Address)]) -> Vec<TestNode> {
        let config = Rc::new(Config::default());
        let last = edges.iter().map(|edge| edge.0.max(edge.1)).max();
        (0..=last.unwrap_or(0))
            .map(|own| {
                let neighbours = edges
                    .iter()
                    .filter(|edge| edge.0 == own || edge.1 == own)
                    .map(|edge| Neighbour {
                        address: edge.0 ^ edge.1 ^ own,
                        dial: own == edge.0.min(edge.1),
                    })
                    .collect();
                Node::start(self.site(own), Rc::clone(&config), neighbours)
            })
            .collect()
    }

    /// Starts a node that keeps a log, and dials these.
    pub(crate) fn durable(&self, own: Address, dials: &[Address]) -> TestNode {
        let neighbours = dials.iter().map(|&address| Neighbour {
            address,
            dial: true,
        });
        let config = Config {
            durable: true,
            max_strangers: 9,
            ..Config::default()
        };
        Node::start(self.site(own), config, neighbours.collect())
    }

    /// Starts a node that keeps no log and takes strangers.
    pub(crate) fn plain(&self, own: Address) -> TestNode {
        let config = Config {
            max_strangers: 9,
            ..Config::default()
        };
        Node::start(self.site(own), config, Vec::new())
    }

    /// Gives one site what another has on its disk.
    pub(crate) fn copy_disk(&self, from: Address, to: Address) {
        let mut disks = self.net.disks.borrow_mut();
        let disk = disks.get(&from).cloned().unwrap_or_default();
        disks.insert(to, disk);
    }

    /// The same, and the other has nothing any more.
    pub(crate) fn move_disk(&self, from: Address, to: Address) {
        self.copy_disk(from, to);
        self.net.disks.borrow_mut().remove(&from);
    }

    /// The kinds of the records in a site's log.
    pub(crate) fn kinds_in_log(&self, address: Address) -> Vec<u8> {
        let disks = self.net.disks.borrow();
        let (mut log, mut kinds) = (&disks[&address][..], Vec::new());
        // A checksum, the kind, the length of the payload, a sequence and a digest stand before each.
        while let Some((header, rest)) = log.split_first_chunk::<41>() {
            kinds.push(header[8]);
            let length = u32::from_le_bytes([header[9], header[10], header[11], header[12]]);
            log = &rest[length as usize..];
        }
        kinds
    }

    /// From now on nothing can be written to any disk, or everything can.
    pub(crate) fn set_full(&self, full: bool) {
        self.net.full.set(full);
    }

    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + 'static) {
        self.net.spawner.spawn_local(task).expect("the pool lives");
    }

    pub(crate) fn now(&self) -> Duration {
        self.net.now.get()
    }

    /// Runs everything that happens within this time.
    pub(crate) fn run_for(&mut self, duration: Duration) {
        let end = self.now() + duration;
        loop {
            self.pool.run_until_stalled();
            let mut timers = self.net.timers.borrow_mut();
            let Some(timer) = timers.first_entry().filter(|timer| timer.key().0 <= end) else {
                break;
            };
            let ((at, _), waker) = timer.remove_entry();
            drop(timers);
            self.net.now.set(at);
            waker.wake();
        }
        self.net.now.set(end);
        self.pool.run_until_stalled();
    }

    /// Breaks what stands between two sites; both sides notice.
    pub(crate) fn cut(&self, one: Address, other: Address) {
        self.break_pipes(one, other, |pipe| {
            pipe.segments.clear();
            pipe.end = Some(End::Reset);
            pipe.wake();
        });
    }

    /// Makes what stands between two sites swallow everything; neither side notices.
    pub(crate) fn mute(&self, one: Address, other: Address) {
        self.break_pipes(one, other, |pipe| {
            pipe.segments.clear();
            pipe.swallows = true;
        });
    }

    /// Holds back what stands between two sites: nothing arrives, and nothing is lost.
    pub(crate) fn stall(&self, one: Address, other: Address) {
        self.break_pipes(one, other, |pipe| pipe.deaf = true);
    }

    /// Lets what was held back arrive.
    pub(crate) fn resume(&self, one: Address, other: Address) {
        self.break_pipes(one, other, |pipe| {
            pipe.deaf = false;
            pipe.wake_reader();
        });
    }

    /// Resets one side of what stands between two sites, and mutes the other.
    pub(crate) fn cut_unnoticed_by(&self, unaware: Address, other: Address) {
        for Direction { from, to, pipe } in self.net.directions.borrow().iter() {
            let mut pipe = pipe.borrow_mut();
            if (*from, *to) == (unaware, other) {
                // What the unaware side writes goes nowhere, and the other one reads a reset.
                pipe.segments.clear();
                pipe.swallows = true;
                pipe.end = Some(End::Reset);
                pipe.wake_reader();
            } else if (*from, *to) == (other, unaware) {
                pipe.segments.clear();
                pipe.deaf = true;
            }
        }
    }

    /// From now on no dial comes through between two sites, and what stands is muted.
    pub(crate) fn wall(&self, one: Address, other: Address) {
        self.net
            .walls
            .borrow_mut()
            .extend([(one, other), (other, one)]);
        self.mute(one, other);
    }

    /// Takes the wall down, and resets what stood: it lost bytes.
    pub(crate) fn open(&self, one: Address, other: Address) {
        self.net
            .walls
            .borrow_mut()
            .retain(|wall| *wall != (one, other) && *wall != (other, one));
        self.cut(one, other);
    }

    fn break_pipes(&self, one: Address, other: Address, how: impl Fn(&mut Pipe)) {
        for Direction { from, to, pipe } in self.net.directions.borrow().iter() {
            if (*from, *to) == (one, other) || (*from, *to) == (other, one) {
                how(&mut pipe.borrow_mut());
            }
        }
    }
}

impl Net {
    fn count(&self) -> u64 {
        self.counter.set(self.counter.get() + 1);
        self.counter.get()
    }

    fn wake_at(&self, at: Duration, waker: &Waker) {
        let key = (at, self.count());
        self.timers.borrow_mut().insert(key, waker.clone());
    }

    /// A stream between two sites: the end of the first one, and that of the other.
    fn stream(self: &Rc<Self>, one: Address, other: Address) -> (Stream, Stream) {
        let pipe = |from, to| {
            let pipe = Rc::new(RefCell::new(Pipe::new(self.window.get())));
            let direction = Direction {
                from,
                to,
                pipe: Rc::clone(&pipe),
            };
            self.directions.borrow_mut().push(direction);
            pipe
        };
        let (there, back) = (pipe(one, other), pipe(other, one));
        let end = |read: &Rc<_>, write: &Rc<_>| Stream {
            net: Rc::clone(self),
            read: Rc::clone(read),
            write: Rc::clone(write),
        };
        (end(&back, &there), end(&there, &back))
    }
}

/// One place in the world: the host of a node.
#[derive(Clone)]
pub(crate) struct Site {
    net: Rc<Net>,
    address: Address,
}

impl Host for Site {
    type Address = Address;
    type Stream = Stream;
    type Rng = Draws;
    type Disk = TestDisk;

    fn address(&self) -> Address {
        self.address
    }

    fn connect(&self, to: &Address) -> impl Future<Output = io::Result<Stream>> + 'static {
        let (site, to) = (self.clone(), *to);
        async move {
            site.sleep(LATENCY).await;
            if site.net.walls.borrow().contains(&(site.address, to)) {
                site.sleep(DIAL_TIMEOUT).await;
                return Err(io::ErrorKind::TimedOut.into());
            }
            let (near, far) = site.net.stream(site.address, to);
            let mut doors = site.net.doors.borrow_mut();
            let door = doors.entry(to).or_default();
            door.waiting.push_back((site.address, far));
            door.waker.take().into_iter().for_each(Waker::wake);
            Ok(near)
        }
    }

    fn accept(&self) -> impl Future<Output = io::Result<(Address, Stream)>> + 'static {
        let site = self.clone();
        poll_fn(move |cx| {
            let mut doors = site.net.doors.borrow_mut();
            let door = doors.entry(site.address).or_default();
            match door.waiting.pop_front() {
                Some(dialled) => Poll::Ready(Ok(dialled)),
                None => {
                    door.waker = Some(cx.waker().clone());
                    Poll::Pending
                }
            }
        })
    }

    fn sleep(&self, duration: Duration) -> impl Future<Output = ()> + 'static {
        let net = Rc::clone(&self.net);
        let until = net.now.get() + duration;
        poll_fn(move |cx| {
            if net.now.get() >= until {
                return Poll::Ready(());
            }
            net.wake_at(until, cx.waker());
            Poll::Pending
        })
    }

    fn now(&self) -> Duration {
        self.net.now.get()
    }

    fn rng(&self) -> Draws {
        Draws(self.net.count() << 32 | u64::from(self.address))
    }

    fn disk(&self) -> TestDisk {
        TestDisk(self.clone())
    }

    fn spawn(&self, task: impl Future<Output = ()> + 'static) {
        self.net.spawner.spawn_local(task).expect("the pool lives");
    }
}

/// The disk of a site, which is slow to sync and loses nothing.
pub(crate) struct TestDisk(Site);

/// How long a sync takes.
pub(crate) const SYNC: Duration = Duration::from_millis(5);

impl TestDisk {
    fn with<T>(&self, work: impl FnOnce(&mut Vec<u8>) -> T) -> T {
        work(
            self.0
                .net
                .disks
                .borrow_mut()
                .entry(self.0.address)
                .or_default(),
        )
    }
}

impl Disk for TestDisk {
    async fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.0.net.full.get() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.with(|disk| disk.extend_from_slice(bytes));
        Ok(())
    }

    async fn read(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        Ok(self.with(|disk| {
            let bytes = disk.get(offset as usize..).unwrap_or_default();
            let length = bytes.len().min(buffer.len());
            buffer[..length].copy_from_slice(&bytes[..length]);
            length
        }))
    }

    async fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.with(|disk| disk.truncate(length as usize));
        Ok(())
    }

    async fn sync(&mut self) -> io::Result<()> {
        self.0.sleep(SYNC).await;
        Ok(())
    }
}

/// Splitmix64: good enough to spread redials.
pub(crate) struct Draws(u64);

impl rand::TryRng for Draws {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        self.try_next_u64().map(|drawn| (drawn >> 32) as u32)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Ok(mixed ^ (mixed >> 31))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        for byte in bytes {
            *byte = self.try_next_u64()? as u8;
        }
        Ok(())
    }
}

/// One end of a connection.
pub(crate) struct Stream {
    net: Rc<Net>,
    read: Rc<RefCell<Pipe>>,
    write: Rc<RefCell<Pipe>>,
}

/// One direction of a connection.
struct Pipe {
    segments: VecDeque<(Duration, Vec<u8>)>,
    window: usize,
    end: Option<End>,
    /// Writes are taken and lost.
    swallows: bool,
    /// Nothing can be read, and nothing says so.
    deaf: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

#[derive(Clone, Copy)]
enum End {
    /// The writer has gone, at this time.
    Closed(Duration),
    Reset,
}

impl Pipe {
    fn new(window: usize) -> Self {
        Self {
            segments: VecDeque::new(),
            window,
            end: None,
            swallows: false,
            deaf: false,
            reader: None,
            writer: None,
        }
    }

    fn unread(&self) -> usize {
        self.segments.iter().map(|(_, bytes)| bytes.len()).sum()
    }

    fn wake(&mut self) {
        self.wake_reader();
        self.writer.take().into_iter().for_each(Waker::wake);
    }

    fn wake_reader(&mut self) {
        self.reader.take().into_iter().for_each(Waker::wake);
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let now = self.net.now.get();
        let mut guard = self.read.borrow_mut();
        let pipe = &mut *guard;
        let due = match (pipe.segments.front_mut(), pipe.end) {
            _ if pipe.deaf => None,
            (_, Some(End::Reset)) => {
                return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
            }
            (Some((due, bytes)), _) if *due <= now => {
                let count = bytes.len().min(buffer.len());
                buffer[..count].copy_from_slice(&bytes[..count]);
                bytes.drain(..count);
                if bytes.is_empty() {
                    pipe.segments.pop_front();
                }
                pipe.writer.take().into_iter().for_each(Waker::wake);
                return Poll::Ready(Ok(count));
            }
            (Some((due, _)), _) => Some(*due),
            (None, Some(End::Closed(at))) if at <= now => return Poll::Ready(Ok(0)),
            (None, Some(End::Closed(at))) => Some(at),
            (None, None) => None,
        };
        pipe.reader = Some(cx.waker().clone());
        if let Some(due) = due {
            self.net.wake_at(due, cx.waker());
        }
        Poll::Pending
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut pipe = self.write.borrow_mut();
        if pipe.swallows {
            return Poll::Ready(Ok(bytes.len()));
        }
        if pipe.end.is_some() {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let room = pipe.window.saturating_sub(pipe.unread());
        if room == 0 {
            pipe.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let taken = &bytes[..room.min(bytes.len())];
        pipe.segments
            .push_back((self.net.now.get() + LATENCY, taken.to_vec()));
        pipe.wake_reader();
        Poll::Ready(Ok(taken.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut pipe = self.write.borrow_mut();
        pipe.end
            .get_or_insert(End::Closed(self.net.now.get() + LATENCY));
        pipe.wake_reader();
        Poll::Ready(Ok(()))
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let closed = End::Closed(self.net.now.get() + LATENCY);
        for pipe in [&self.read, &self.write] {
            let mut pipe = pipe.borrow_mut();
            pipe.end.get_or_insert(closed);
            pipe.wake();
        }
    }
}
