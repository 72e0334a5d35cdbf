//! What is done with what the other side says.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::ops::ControlFlow;
use std::task::{Context, Poll};
use std::{io, mem};

use hash_exchange::{
    Application, Connection, Error, Event, Hash, Kind, Misuse, Progress, ResponseId, Sha1,
    Sha1State, Source, Tag, Verifier,
};

use crate::notice::{notice, one_line};
use crate::offered::Body;
use crate::received::{Received, Spool};
use crate::setup::Setup;
use crate::transport::Transport;

pub(crate) type Wire = Connection<Transport, Body, Sha1Only>;

/// What we do with what the peer says.
pub(crate) struct Peer {
    setup: Setup,
    /// All that we have ever asked for.
    asked: BTreeSet<Hash>,
    /// Hashes asked for and not settled.
    lacking: usize,
    receiving: BTreeMap<ResponseId, (Hash, Received)>,
    spool: Spool,
    /// What is to be said, once the poll has returned.
    due: Vec<Due>,
    /// Our offer waits for SINCE.
    waiting: bool,
    /// An AVAILABLE was handled.
    heard: bool,
    /// A REQUEST was answered.
    answered: bool,
    closing: bool,
    close_sent: bool,
    close_received: bool,
    /// Contents were encoded, and may not be written yet.
    unwritten: bool,
    /// A content could not be sent, or did not come.
    pub(crate) failed: bool,
    /// Something could not be printed or put aside.
    trouble: Option<io::Error>,
}

enum Due {
    /// What is behind this position, all for `None`.
    Offer(Option<u64>),
    Request(Vec<Hash>),
    Seen(u64),
    Cancel(ResponseId),
}

impl Peer {
    pub(crate) fn new(setup: Setup) -> Self {
        Self {
            waiting: setup.wait_since,
            setup,
            asked: BTreeSet::new(),
            lacking: 0,
            receiving: BTreeMap::new(),
            spool: Spool::default(),
            due: Vec::new(),
            heard: false,
            answered: false,
            closing: false,
            close_sent: false,
            close_received: false,
            unwritten: false,
            failed: false,
            trouble: None,
        }
    }

    pub(crate) fn start(&mut self, connection: &mut Wire) -> Result<(), Misuse> {
        if let Some(id) = &self.setup.id {
            connection.id(id)?;
        }
        if let Some(since) = self.setup.since {
            connection.since(since)?;
        }
        if !self.waiting {
            self.due.push(Due::Offer(None));
        }
        let requests = mem::take(&mut self.setup.requests);
        if !requests.is_empty() {
            self.asked.extend(requests.iter().cloned());
            self.due.push(Due::Request(requests));
        }
        self.say(connection).map(|_| ())
    }

    pub(crate) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        connection: &mut Wire,
    ) -> Poll<Result<(), Error>> {
        loop {
            let progress = connection.poll(cx, self)?;
            let written = connection.poll_flush(cx)?.is_ready();
            if let Some(error) = self.trouble.take() {
                return Poll::Ready(Err(error.into()));
            }
            let serving = connection.serving() > 0;
            let transport = connection.io_mut();
            // What nobody reads any more does not matter if it is our CLOSE, or the refusal of what crossed it; provided that
            // the peer closes too.
            let owing = serving || self.unwritten || !self.closing;
            let parting = self.close_received || !transport.ended;
            if let Some(error) = transport.broken.take_if(|_| owing || !parting) {
                return Poll::Ready(Err(error.into()));
            }
            self.unwritten &= !written;
            if progress == Poll::Ready(Progress::Ended) {
                return Poll::Ready(Ok(()));
            }
            let said = self.say(connection).map_err(io::Error::other)?;
            if progress.is_pending() && !said {
                return Poll::Pending;
            }
        }
    }

    /// Says what is due. False if there was nothing to say.
    fn say(&mut self, connection: &mut Wire) -> Result<bool, Misuse> {
        let mut said = !self.due.is_empty();
        for due in mem::take(&mut self.due) {
            // Behind our CLOSE, which only what comes too late can meet, nothing is said any more.
            let _ = match due {
                _ if self.closing => continue,
                Due::Offer(after) => {
                    let after = usize::try_from(after.unwrap_or(0)).unwrap_or(usize::MAX);
                    let messages = self.setup.messages.iter().skip(after);
                    connection.provide(messages.map(|message| &message.hash))?
                }
                Due::Request(hashes) => {
                    self.lacking += hashes.len();
                    connection.request(&hashes)?
                }
                Due::Seen(sequence) => connection.seen(Some(sequence))?,
                Due::Cancel(response) => {
                    connection.cancel(response)?;
                    continue;
                }
            };
        }
        let transport = connection.io_mut();
        let ended = transport.ended;
        said |= ended && !mem::replace(&mut transport.may_end, true);
        // Behind its CLOSE the peer neither offers nor asks for anything.
        let heard = self.heard || self.close_received;
        let answered = self.answered || self.close_received;
        // Where nothing more can be asked of us, CLOSE itself waits for what we serve.
        let served = ended || (answered && connection.serving() == 0);
        if self.setup.close && !self.closing && heard && self.lacking == 0 && served {
            self.closing = true;
            connection.close();
            said = true;
        }
        Ok(said)
    }

    /// Both sides have closed.
    pub(crate) fn is_closed(&self) -> bool {
        self.close_sent && self.close_received
    }

    fn hear(&mut self, event: Event<'_>) -> io::Result<()> {
        match event {
            Event::Id(id) => notice(&format!("# ID {}", one_line(id)))?,
            Event::Since(sequence) => {
                notice(&format!("# SINCE {}", number(sequence)))?;
                if mem::take(&mut self.waiting) {
                    self.due.push(Due::Offer(sequence));
                }
            }
            Event::Seen(sequence) => notice(&format!("# SEEN {}", number(sequence)))?,
            Event::Available(hashes) => {
                self.heard = true;
                let lacking = hashes.iter().filter(|hash| {
                    !self.setup.positions.contains_key(hash) && self.asked.insert(hash.clone())
                });
                // As in the example of the npm package's readme, also if nothing is lacking: the peer may wait for it.
                self.due.push(Due::Request(lacking.collect()));
            }
            Event::NotFound { hash } => {
                self.lacking -= 1;
                notice(&format!("# MISSING {}", one_line(&hash.to_string())))?;
            }
            Event::Response { response, hash, .. } => {
                let received = match self.setup.digest {
                    true => Received::Size(0),
                    false => Received::Memory(Vec::new()),
                };
                self.receiving.insert(response, (hash, received));
            }
            Event::Body { response, chunk } => {
                let (_, received) = self.receiving.get_mut(&response).expect(ANNOUNCED);
                let len = received.len() + chunk.len() as u64;
                match self.setup.limit.filter(|&limit| len > limit) {
                    None => received.append(chunk, &mut self.spool)?,
                    Some(limit) => {
                        self.due.push(Due::Cancel(response));
                        let reason = format_args!("it has more than {limit} bytes, the limit");
                        self.fail(response, &reason)?;
                    }
                }
            }
            Event::Complete {
                response,
                hash,
                sequence,
            } => {
                self.lacking -= 1;
                let (_, received) = self.receiving.remove(&response).expect(ANNOUNCED);
                received.print(&hash, &mut self.spool)?;
                if self.setup.seen {
                    self.due.push(Due::Seen(sequence));
                }
            }
            Event::Failed {
                response, reason, ..
            } => self.fail(response, &reason)?,
            Event::Close => self.close_received = true,
            Event::Request(_) | Event::Cancelled { .. } => {}
        }
        Ok(())
    }

    /// A content will not come, or was another, or is not wanted any more.
    fn fail(&mut self, response: ResponseId, reason: &dyn Display) -> io::Result<()> {
        self.lacking -= 1;
        self.failed = true;
        let (hash, received) = self.receiving.remove(&response).expect(ANNOUNCED);
        received.forget(&mut self.spool);
        notice(&format!(
            "# FAILED {}",
            one_line(&format!("{hash} {reason}"))
        ))
    }
}

impl Application for Peer {
    type Body = Body;

    fn open(&mut self, hash: &Hash) -> Option<Source<Body>> {
        let position = *self.setup.positions.get(hash)?;
        let body = self.setup.messages[position].open();
        self.failed |= body.is_none();
        Some(Source {
            body: body?,
            sequence: self.setup.seq.then_some(position as u64 + 1),
        })
    }

    fn event(&mut self, event: Event<'_>) -> ControlFlow<()> {
        self.trouble = self.hear(event).err();
        if self.trouble.is_some() || !self.due.is_empty() {
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    }

    fn answered(&mut self) -> ControlFlow<()> {
        self.answered = true;
        ControlFlow::Continue(())
    }

    fn sent(&mut self, tag: Tag) {
        match tag.kind {
            Kind::Close => self.close_sent = true,
            Kind::Body | Kind::End => self.unwritten = true,
            Kind::Error => self.failed = true,
            _ => {}
        }
    }
}

/// Contents of which nobody can say whether they are the ones are none.
pub(crate) struct Sha1Only;

impl Verifier for Sha1Only {
    type State = Sha1State;

    fn start(&self, hash: &Hash) -> Sha1State {
        Sha1.start(hash)
    }

    fn update(&self, state: &mut Sha1State, chunk: &[u8]) {
        Sha1.update(state, chunk);
    }

    fn matches(&self, state: Sha1State, hash: &Hash) -> bool {
        hash.as_sha1().is_some() && Sha1.matches(state, hash)
    }
}

fn number(sequence: Option<u64>) -> String {
    sequence.map_or("-1".to_owned(), |sequence| sequence.to_string())
}

const ANNOUNCED: &str = "a content is announced before it comes";
