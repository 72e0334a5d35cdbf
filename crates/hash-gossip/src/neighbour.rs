use std::fmt;
use std::rc::Rc;
use std::task::Waker;
use std::time::Duration;

use hash_exchange::{Connection, Error, MemoryBody, ProtocolError};

use crate::host::Host;

/// Somebody to be connected to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Neighbour<A> {
    /// Whom.
    pub address: A,
    /// Whether it is for us to dial. Of two neighbours it should be for one.
    pub dial: bool,
}

/// Why a connection came to its end.
#[derive(Clone, Debug)]
pub enum Loss {
    /// The peer ended it in good order.
    Ended,
    /// The transport failed, or the peer broke the protocol.
    Failed(Rc<Error>),
    /// The peer offered more hashes than [`Config::max_offers`](crate::Config::max_offers).
    Flooded,
    /// The peer opened another one.
    Replaced,
}

impl Loss {
    /// Whether the peer broke a rule. If so, the pause before the next dial grows although there was a connection. A
    /// stream that ends too early breaks none: that is how the death of a peer looks.
    pub(crate) fn is_misconduct(&self) -> bool {
        match self {
            Self::Ended | Self::Replaced => false,
            Self::Failed(error) => !matches!(
                **error,
                Error::Io(_)
                    | Error::Protocol(
                        ProtocolError::EndInFrame | ProtocolError::EndWithOpen { .. }
                    )
            ),
            Self::Flooded => true,
        }
    }
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ended => f.write_str("the peer ended the connection"),
            Self::Failed(error) => error.fmt(f),
            Self::Flooded => f.write_str("the peer offered more hashes than it may"),
            Self::Replaced => f.write_str("the peer opened another connection"),
        }
    }
}

/// How things stand with a neighbour.
#[derive(Clone, Debug)]
pub struct Status<A> {
    /// The neighbour.
    pub address: A,
    /// Whether a connection stands.
    pub up: bool,
    /// How many connections there were, the standing one included.
    pub connections: u32,
    /// When the last one that ended did so, and why.
    pub last_loss: Option<(Duration, Loss)>,
    /// How many dials were put off since a connection last did any good; each was put off longer than the one before.
    pub attempts: u8,
}

/// The node's side of a connection. Every frame touches nearly all of it, so it begins where a line of the cache does.
#[repr(align(64))]
pub(crate) struct Link<H: Host> {
    pub(crate) connection: Option<Connection<H::Stream, Body>>,
    /// Wakes the task of the connection.
    pub(crate) waker: Option<Waker>,
    /// Counts connections, so that a late dial or task of an earlier one is known as such.
    pub(crate) generation: u32,
    /// The peer has said something on this connection.
    pub(crate) heard: bool,
    /// The peer has said that it takes no more messages.
    pub(crate) closing: bool,
}

/// What outlasts a connection. There are many of these, so what is rare is in a box.
pub(crate) struct Peer<A> {
    pub(crate) history: Option<Box<History>>,
    pub(crate) address: A,
    pub(crate) attempts: u8,
    pub(crate) role: Role,
    /// A dial is under way.
    pub(crate) dialling: bool,
}

/// A body that is served from memory.
pub(crate) type Body = MemoryBody<Rc<[u8]>>;

/// Who opens the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// We do.
    Dialled,
    /// The neighbour does; we do if it has not for a while after a connection was lost.
    Dialling,
    /// Somebody who was not named at the start: only they do.
    Stranger,
}

/// The connections that ended.
pub(crate) struct History {
    pub(crate) losses: u32,
    pub(crate) at: Duration,
    pub(crate) loss: Loss,
}

impl<H: Host> Default for Link<H> {
    fn default() -> Self {
        Self {
            connection: None,
            waker: None,
            generation: 0,
            heard: false,
            closing: false,
        }
    }
}

impl<H: Host> Link<H> {
    /// Reads something of each of its cache lines.
    pub(crate) fn touch(&self) -> usize {
        let connection = self.connection.as_ref();
        connection.map_or(0, Connection::unwritten) ^ self.generation as usize
    }
}

impl<A: Clone> Peer<A> {
    pub(crate) fn new(address: A, role: Role) -> Self {
        Self {
            history: None,
            address,
            attempts: 0,
            role,
            dialling: false,
        }
    }

    pub(crate) fn note_loss(&mut self, loss: Loss, at: Duration) {
        let losses = self.history.as_ref().map_or(0, |history| history.losses);
        self.history = Some(Box::new(History {
            losses: losses + 1,
            at,
            loss,
        }));
    }

    pub(crate) fn status(&self, up: bool) -> Status<A> {
        let losses = self.history.as_ref().map_or(0, |history| history.losses);
        Status {
            address: self.address.clone(),
            up,
            connections: losses + u32::from(up),
            last_loss: self
                .history
                .as_ref()
                .map(|history| (history.at, history.loss.clone())),
            attempts: self.attempts,
        }
    }
}
