//! What happened, event by event: kept if a [`Layout`](crate::Layout) asks for it, and never decisive for any history.
//!
//! ```
//! use simnet::trace::{self, Trace};
//! use simnet::{Layout, Link, Network, Time, World};
//!
//! let network = Network::new(2, 1, Link::constant(std::time::Duration::from_millis(10)));
//! let layout = Layout { trace: Trace::Last(100), ..Layout::default() };
//! let mut world = World::new(&network, layout, |host, _| {
//!     host.clone().spawn(async move {
//!         if host.id() == 0 {
//!             let _ = host.connect(1, 80).await;
//!         }
//!     });
//! })?;
//! world.run_until(Time::from_secs(1))?;
//! let events = world.trace();
//! assert_eq!(events[0].to_string(), "10ms node 1: dial from node 0 to port 80");
//! assert_eq!(events[1].to_string(), "20ms node 0: refused by node 1");
//! assert_eq!(trace::decode(&trace::encode(&events))?, events);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # The file
//!
//! [`encode`] writes the bytes of `hxtrace` and that of the version, 1, and then event by event: nanoseconds since the event before, the node, the kind, and what belongs to the kind, in
//! the order in which [`What`] has it, all of these as LEB128 numbers; then the digest of the node's history up to there, 8 bytes, the least first. The kinds are
//! numbered from 0 in the order of [`What`].

use std::fmt;

use crate::datagram::Ports;
use crate::event::{Event, Kind};
use crate::{NodeId, Time};

/// Which events are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Trace {
    /// None.
    #[default]
    Off,
    /// So many, the last ones by time and node.
    Last(usize),
    /// Those from the first time (included) to the second (excluded).
    During(Time, Time),
    /// All: some 40 bytes each.
    All,
}

/// One event of a node's history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceEvent {
    /// When it happened.
    pub time: Time,
    /// The node to which it happened.
    pub node: NodeId,
    /// What.
    pub what: What,
    /// The digest of all that has happened to the node, this included.
    pub digest: u64,
}

/// What happens to a node, or to what it sends. A *stream* is the number of the receiver's end, which serves one stream after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// A timer is due.
    Timer,
    /// Somebody dials.
    Dial {
        /// Who.
        from: NodeId,
        /// To which port.
        port: u16,
    },
    /// A dial has succeeded.
    Accepted {
        /// At which node.
        by: NodeId,
    },
    /// A dial has not.
    Refused {
        /// At which node.
        by: NodeId,
    },
    /// A segment of a stream has come.
    Data {
        /// From whom.
        from: NodeId,
        /// On which stream.
        stream: u32,
        /// Its place among what came and comes there.
        segment: u32,
        /// Its length.
        bytes: u32,
    },
    /// The other side of a stream writes no more.
    End {
        /// Which side.
        from: NodeId,
        /// Of which stream.
        stream: u32,
    },
    /// The other side of a stream has read.
    Credit {
        /// Which side.
        from: NodeId,
        /// Of which stream.
        stream: u32,
        /// So many bytes more may be written.
        bytes: u32,
    },
    /// A stream is gone.
    Reset {
        /// Who says so.
        from: NodeId,
        /// Which.
        stream: u32,
    },
    /// A datagram has come.
    Datagram {
        /// From whom.
        from: NodeId,
        /// To which port.
        port: u16,
        /// Its length.
        bytes: u32,
    },
    /// What the node has just sent does not arrive.
    Lost {
        /// To whom it was sent.
        to: NodeId,
        /// Its length; 0 if it carries no data.
        bytes: u32,
    },
    /// The node sends again what was lost.
    SentAgain {
        /// To whom.
        to: NodeId,
        /// Its length.
        bytes: u32,
    },
    /// The schedule cuts all streams with another node.
    Cut {
        /// Which.
        from: NodeId,
    },
    /// The schedule starts the node.
    Started,
    /// The schedule ends its process.
    Left,
    /// The schedule takes its power away.
    Crashed,
    /// The schedule takes away all that its disk holds.
    DiskLost,
}

/// What a shard has kept.
#[derive(Debug)]
pub(crate) struct Kept {
    which: Trace,
    pub(crate) events: Vec<TraceEvent>,
}

impl Kept {
    /// `None` if nothing is to be kept.
    pub(crate) fn new(which: Trace) -> Option<Box<Self>> {
        let kept = Self {
            which,
            events: Vec::new(),
        };
        (which != Trace::Off).then(|| Box::new(kept))
    }

    pub(crate) fn push(&mut self, event: TraceEvent) {
        match self.which {
            Trace::During(from, until) if event.time < from || event.time >= until => {}
            _ => self.events.push(event),
        }
    }

    /// A window is over: nothing that comes is earlier than what is here.
    pub(crate) fn close_window(&mut self) {
        if let Trace::Last(count) = self.which
            && self.events.len() >= 2 * count.max(AT_A_TIME)
        {
            self.events = last(count, std::mem::take(&mut self.events));
        }
    }

    /// Of what all shards have kept what was asked for, in order.
    pub(crate) fn merge(which: Trace, events: Vec<TraceEvent>) -> Vec<TraceEvent> {
        match which {
            Trace::Last(count) => last(count, events),
            _ => last(usize::MAX, events),
        }
    }
}

/// The last of these, by time and node, each node's in the order in which it handled them.
fn last(count: usize, mut events: Vec<TraceEvent>) -> Vec<TraceEvent> {
    events.sort_by_key(|event| (event.time, event.node));
    events.drain(..events.len().saturating_sub(count));
    events
}

/// Events are looked through no more often than after so many.
const AT_A_TIME: usize = 4096;

impl TraceEvent {
    /// Whether the two are one event but for the bytes that it carries, or for what its node has been through before.
    pub fn differs_in_content(&self, other: &Self) -> bool {
        let digest = self.digest;
        *self == Self { digest, ..*other }
    }
}

impl What {
    pub(crate) const fn arrival(event: &Event) -> Self {
        let (from, header) = (event.source, &event.record.header);
        let (stream, bytes) = (header.slot, event.record.length);
        match event.record.kind {
            Kind::Cut => Self::Cut { from: header.word },
            Kind::Syn => Self::Dial {
                from,
                port: header.word as u16,
            },
            Kind::SynAck => Self::Accepted { by: from },
            Kind::Refuse => Self::Refused { by: from },
            Kind::Data => Self::Data {
                from,
                stream,
                segment: header.sequence,
                bytes,
            },
            Kind::Fin => Self::End { from, stream },
            Kind::Credit => Self::Credit {
                from,
                stream,
                bytes: header.word,
            },
            Kind::Reset => Self::Reset { from, stream },
            Kind::Datagram => Self::Datagram {
                from,
                port: Ports::decode(header.word).dest,
                bytes,
            },
            Kind::Start => Self::Started,
            Kind::Leave => Self::Left,
            Kind::Crash => Self::Crashed,
            Kind::LoseDisk => Self::DiskLost,
        }
    }

    /// Its number, and what belongs to it.
    fn fields(self) -> (u8, [u32; 4]) {
        match self {
            Self::Timer => (0, [0; 4]),
            Self::Dial { from, port } => (1, [from, port.into(), 0, 0]),
            Self::Accepted { by } => (2, [by, 0, 0, 0]),
            Self::Refused { by } => (3, [by, 0, 0, 0]),
            Self::Data {
                from,
                stream,
                segment,
                bytes,
            } => (4, [from, stream, segment, bytes]),
            Self::End { from, stream } => (5, [from, stream, 0, 0]),
            Self::Credit {
                from,
                stream,
                bytes,
            } => (6, [from, stream, bytes, 0]),
            Self::Reset { from, stream } => (7, [from, stream, 0, 0]),
            Self::Datagram { from, port, bytes } => (8, [from, port.into(), bytes, 0]),
            Self::Lost { to, bytes } => (9, [to, bytes, 0, 0]),
            Self::SentAgain { to, bytes } => (10, [to, bytes, 0, 0]),
            Self::Cut { from } => (11, [from, 0, 0, 0]),
            Self::Started => (12, [0; 4]),
            Self::Left => (13, [0; 4]),
            Self::Crashed => (14, [0; 4]),
            Self::DiskLost => (15, [0; 4]),
        }
    }

    /// `None` if a port is none.
    fn from_fields(number: u8, [a, b, c, d]: [u32; 4]) -> Option<Self> {
        Some(match number {
            0 => Self::Timer,
            1 => Self::Dial {
                from: a,
                port: b.try_into().ok()?,
            },
            2 => Self::Accepted { by: a },
            3 => Self::Refused { by: a },
            4 => Self::Data {
                from: a,
                stream: b,
                segment: c,
                bytes: d,
            },
            5 => Self::End { from: a, stream: b },
            6 => Self::Credit {
                from: a,
                stream: b,
                bytes: c,
            },
            7 => Self::Reset { from: a, stream: b },
            8 => Self::Datagram {
                from: a,
                port: b.try_into().ok()?,
                bytes: c,
            },
            9 => Self::Lost { to: a, bytes: b },
            10 => Self::SentAgain { to: a, bytes: b },
            11 => Self::Cut { from: a },
            12 => Self::Started,
            13 => Self::Left,
            14 => Self::Crashed,
            15 => Self::DiskLost,
            _ => return None,
        })
    }
}

/// How many numbers belong to each kind.
const FIELDS: [usize; 16] = [0, 2, 1, 1, 4, 2, 3, 2, 3, 2, 2, 1, 0, 0, 0, 0];

impl fmt::Display for TraceEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} node {}: {}", self.time, self.node, self.what)
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Timer => f.write_str("timer"),
            Self::Dial { from, port } => write!(f, "dial from node {from} to port {port}"),
            Self::Accepted { by } => write!(f, "accepted by node {by}"),
            Self::Refused { by } => write!(f, "refused by node {by}"),
            Self::Data {
                from,
                stream,
                segment,
                bytes,
            } => write!(
                f,
                "data from node {from}, stream {stream}, segment {segment}, {bytes} bytes"
            ),
            Self::End { from, stream } => write!(f, "end from node {from}, stream {stream}"),
            Self::Credit {
                from,
                stream,
                bytes,
            } => write!(f, "credit from node {from}, stream {stream}, {bytes} bytes"),
            Self::Reset { from, stream } => write!(f, "reset from node {from}, stream {stream}"),
            Self::Datagram { from, port, bytes } => {
                write!(f, "datagram from node {from} to port {port}, {bytes} bytes")
            }
            Self::Lost { to, bytes } => write!(f, "lost to node {to}, {bytes} bytes"),
            Self::SentAgain { to, bytes } => write!(f, "sent again to node {to}, {bytes} bytes"),
            Self::Cut { from } => write!(f, "cut from node {from} by the fault schedule"),
            Self::Started => f.write_str("started by the fault schedule"),
            Self::Left => f.write_str("left by the fault schedule"),
            Self::Crashed => f.write_str("crashed by the fault schedule"),
            Self::DiskLost => f.write_str("lost its disk by the fault schedule"),
        }
    }
}

/// What every file begins with, the version last.
const MAGIC: [u8; 8] = *b"hxtrace\x01";

/// Events as the bytes of a file: a tenth to a fifth of their lines. They have to be in the order of their times, as [`World::trace`](crate::World::trace) has them.
///
/// # Panics
///
/// If they are not in order.
pub fn encode(events: &[TraceEvent]) -> Vec<u8> {
    let mut file = MAGIC.to_vec();
    let mut before = Time::ZERO;
    for event in events {
        assert!(
            before <= event.time,
            "events are in the order of their times"
        );
        let (number, fields) = event.what.fields();
        put(&mut file, event.time.as_nanos() - before.as_nanos());
        put(&mut file, event.node.into());
        file.push(number);
        for field in &fields[..FIELDS[usize::from(number)]] {
            put(&mut file, u64::from(*field));
        }
        file.extend_from_slice(&event.digest.to_le_bytes());
        before = event.time;
    }
    file
}

fn put(file: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        file.push(number as u8 | 0x80);
        number >>= 7;
    }
    file.push(number as u8);
}

/// The events of a file.
///
/// # Errors
///
/// [`InvalidTrace`] says where it stops being one.
pub fn decode(file: &[u8]) -> Result<Vec<TraceEvent>, InvalidTrace> {
    let (magic, version) = MAGIC.split_at(MAGIC.len() - 1);
    if !file.starts_with(magic) {
        return Err(InvalidTrace::Foreign);
    }
    match file.get(magic.len()) {
        Some(found) if [*found] == *version => {}
        Some(found) => return Err(InvalidTrace::Version(*found)),
        None => return Err(InvalidTrace::Broken(file.len())),
    }
    let mut reader = Reader {
        file,
        at: MAGIC.len(),
    };
    let mut events: Vec<TraceEvent> = Vec::new();
    while reader.at < file.len() {
        let start = reader.at;
        let before = events.last().map_or(0, |event| event.time.as_nanos());
        let event = reader.event(before);
        events.push(event.ok_or(InvalidTrace::Broken(start))?);
    }
    Ok(events)
}

struct Reader<'a> {
    file: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn event(&mut self, before: u64) -> Option<TraceEvent> {
        let time = Time::from_nanos(before.checked_add(self.number()?)?);
        let node = self.word()?;
        let number = self.byte()?;
        let mut fields = [0; 4];
        for field in fields.iter_mut().take(*FIELDS.get(usize::from(number))?) {
            *field = self.word()?;
        }
        let (digest, _) = self.file[self.at..].split_first_chunk()?;
        self.at += digest.len();
        Some(TraceEvent {
            time,
            node,
            what: What::from_fields(number, fields)?,
            digest: u64::from_le_bytes(*digest),
        })
    }

    fn byte(&mut self) -> Option<u8> {
        let byte = *self.file.get(self.at)?;
        self.at += 1;
        Some(byte)
    }

    fn word(&mut self) -> Option<u32> {
        self.number()?.try_into().ok()
    }

    fn number(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..u64::BITS).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if (bits << shift) >> shift != bits {
                return None;
            }
            number |= bits << shift;
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }
}

/// Why a file is no trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvalidTrace {
    /// It begins otherwise.
    Foreign,
    /// It is of another version.
    Version(u8),
    /// The event that begins at this byte is broken off, or none.
    Broken(usize),
}

impl fmt::Display for InvalidTrace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Foreign => f.write_str("it is no trace: it does not begin with `hxtrace`"),
            Self::Version(version) => {
                write!(f, "it is a trace of version {version}, and only 1 is known")
            }
            Self::Broken(at) => write!(f, "the event at byte {at} is broken off, or none"),
        }
    }
}

impl std::error::Error for InvalidTrace {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn events() -> impl Strategy<Value = Vec<TraceEvent>> {
        let fields = prop::array::uniform4(prop_oneof![0u32..300, any::<u32>()]);
        let event = (
            0..1u64 << 40,
            any::<NodeId>(),
            0u8..16,
            fields,
            any::<u64>(),
        );
        prop::collection::vec(event, 0..50).prop_map(|all| {
            let mut time = 0;
            let mut events = Vec::new();
            for (after, node, number, mut fields, digest) in all {
                time += after;
                fields[FIELDS[usize::from(number)]..].fill(0);
                if [1, 8].contains(&number) {
                    fields[1] %= 1 << 16;
                }
                let what = What::from_fields(number, fields).expect("there are so many kinds");
                let time = Time::from_nanos(time);
                events.push(TraceEvent {
                    time,
                    node,
                    what,
                    digest,
                });
            }
            events
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_is_written_is_read(events in events()) {
            prop_assert_eq!(decode(&encode(&events)), Ok(events));
        }

        #[test]
        fn whatever_is_broken_off_or_changed_is_read_or_refused(
            events in events(),
            cut: prop::sample::Index,
            at: prop::sample::Index,
            byte: u8,
        ) {
            let mut file = encode(&events);
            let whole = file.len();
            let at = at.index(whole);
            file[at] = byte;
            file.truncate(cut.index(whole + 1));
            if let Ok(read) = decode(&file) {
                prop_assert!(read.len() <= events.len() + whole);
            }
        }
    }

    #[test]
    fn a_file_that_is_no_trace_says_why() {
        assert_eq!(decode(b"{}"), Err(InvalidTrace::Foreign));
        assert_eq!(decode(b"hxtrace\x02"), Err(InvalidTrace::Version(2)));
        assert_eq!(decode(b"hxtrace"), Err(InvalidTrace::Broken(7)));
        assert_eq!(decode(b"hxtrace\x01"), Ok(Vec::new()));
        assert_eq!(
            decode(b"hxtrace\x01\x05\x00\x10"),
            Err(InvalidTrace::Broken(8))
        );
        let endless = [&MAGIC[..], &[0xff; 20]].concat();
        assert_eq!(decode(&endless), Err(InvalidTrace::Broken(8)));
    }
}
