use crate::{NodeId, Time};

/// Something that happens to one node, and more than that one of its timers is due.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Event {
    pub(crate) time: Time,
    pub(crate) dest: NodeId,
    pub(crate) source: NodeId,
    /// The source's own counter.
    pub(crate) order: u32,
    pub(crate) record: Record,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    /// A scheduled fault resets every stream to the node in the header's word.
    Cut = 1,
    Syn,
    SynAck,
    Refuse,
    Data,
    Fin,
    Credit,
    Reset,
    /// The schedule starts the node.
    Start,
    /// The schedule ends the node's process.
    Leave,
    /// The schedule takes the power from the node's machine.
    Crash,
    /// A datagram, whose ports are in the header's word.
    Datagram,
    /// The schedule takes away all that the node's disk holds.
    LoseDisk,
}

impl Kind {
    const ALL: [Self; 13] = [
        Self::Cut,
        Self::Syn,
        Self::SynAck,
        Self::Refuse,
        Self::Data,
        Self::Fin,
        Self::Credit,
        Self::Reset,
        Self::Start,
        Self::Leave,
        Self::Crash,
        Self::Datagram,
        Self::LoseDisk,
    ];
}

/// The source of scheduled faults, which come before everything else at their instant.
pub(crate) const FAULT: NodeId = NodeId::MAX;

/// Which stream a segment belongs to and which place it has in it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Header {
    /// The receiver's slot and its generation, for a slot is used again.
    pub(crate) slot: u32,
    pub(crate) generation: u32,
    /// The place among the segments of its direction.
    pub(crate) sequence: u32,
    /// By kind: the port (Syn), both ports (Datagram), credit in bytes (Credit), the node behind the link (Cut).
    pub(crate) word: u32,
    /// The sender's slot and its generation, so that answers find it.
    pub(crate) from_slot: u32,
    pub(crate) from_generation: u32,
}

/// What stands in front of the payload in a window's arena: all of an event that does not decide its place.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Record {
    pub(crate) kind: Kind,
    /// Bytes of payload.
    pub(crate) length: u32,
    pub(crate) header: Header,
}

impl Record {
    pub(crate) const BYTES: usize = 32;

    /// Bytes of the stream that it carries.
    pub(crate) fn data_bytes(&self) -> u32 {
        match self.kind {
            Kind::Data => self.length,
            _ => 0,
        }
    }

    /// Bytes that take their time on a line.
    pub(crate) fn line_bytes(&self) -> u32 {
        match self.kind {
            Kind::Data | Kind::Datagram => self.length,
            _ => 0,
        }
    }

    pub(crate) fn encode(&self) -> [u8; Self::BYTES] {
        let header = &self.header;
        let words = [
            self.kind as u32,
            self.length,
            header.slot,
            header.generation,
            header.sequence,
            header.word,
            header.from_slot,
            header.from_generation,
        ];
        let mut bytes = [0; Self::BYTES];
        for (at, word) in bytes.as_chunks_mut().0.iter_mut().zip(words) {
            *at = word.to_le_bytes();
        }
        bytes
    }

    pub(crate) fn decode(bytes: &[u8; Self::BYTES]) -> Self {
        let words = bytes.as_chunks().0;
        let word = |at: usize| u32::from_le_bytes(words[at]);
        Self {
            kind: Kind::ALL[word(0) as usize - Kind::ALL[0] as usize],
            length: word(1),
            header: Header {
                slot: word(2),
                generation: word(3),
                sequence: word(4),
                word: word(5),
                from_slot: word(6),
                from_generation: word(7),
            },
        }
    }
}
