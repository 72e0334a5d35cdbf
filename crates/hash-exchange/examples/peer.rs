//! A whole peer for scripts, on standard input and output: `peer --help` says what it takes and prints.
//!
//! It drives a [`Connection`] by its `poll`, so that contents pass through in constant memory, however large they are.
//!
//! Standard input is read by one thread, standard output written by another. Calls on them block, and whoever waits for input while
//! output is due, or for room in a pipe while the peer waits for the same, waits for ever. Files that do not block would
//! do as well, but that is a property of the open file, which others may share: a shell, a sibling, a terminal.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs::File;
use std::future::poll_fn;
use std::io::{self, BufRead, BufReader, Read, Seek, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::process::ExitCode;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::{mem, thread};

use futures::channel::{mpsc, oneshot};
use futures::executor::block_on;
use futures::io::{AllowStdIo, AsyncRead, AsyncWrite};
use futures::{FutureExt, SinkExt, StreamExt};
use hash_exchange::{
    Application, Connection, Error, Event, Halves, Hash, Kind, Limits, Misuse, Progress,
    ProtocolError, ResponseId, Sha1, Sha1State, Source, Tag, Verifier,
};
use sha1::Digest;

const HELP: &str = "\
Trades messages with a peer, by the hash-exchange protocol on standard input and output.

Usage: peer [FLAGS] [MESSAGE]...

Each MESSAGE is offered under its SHA-1: all in one AVAILABLE, in the order of the arguments, each once, even if there are
none. Each AVAILABLE of the peer is answered by one REQUEST for what we lack and have not asked for, even if that is nothing.

  --file PATH     a message: what is in the file, read as it is sent
  --lines PATH    messages: each line of the file that is not empty, without its line feed
  --digest        print SIZE SHA1 in place of a body
  --id ID         send ID, before all else
  --since N       send SINCE N, next; -1 stands for everything
  --wait-since    offer nothing before SINCE n comes, and then what is behind the n-th message, counted from 1
  --seq           serve each message under its position, counted from 1, as sequence number
  --seen          send SEEN for each body that has come whole
  --request HASH  ask for a hash at the start; may be repeated
  --close         send CLOSE when an AVAILABLE was handled, a REQUEST answered (or the input has ended), all that we asked
                  for is settled and all that we serve is written; end when the peer has sent it too
  --help          print this
  --              what follows are messages

Prints to standard error:

  # BEGIN HASH, the body as it is, # END HASH     a body that came whole and has this SHA-1
  # FAILED HASH REASON                            one that did not: the status will be 1
  # MISSING HASH                                  the peer does not have what we asked for
  # ID x, # SINCE n, # SEEN n                     the peer said so
  # CLOSE                                         both sides have closed

Exit status: 0 if all went well, also when the input ended in good order; 1 if something failed; 2 for wrong arguments.
";

fn main() -> ExitCode {
    let setup = match Setup::parse(lexopt::Parser::from_env()) {
        Ok(Some(setup)) => setup,
        Ok(None) => {
            return match io::stdout().write_all(HELP.as_bytes()) {
                Ok(()) => ExitCode::SUCCESS,
                Err(_) => ExitCode::FAILURE,
            };
        }
        Err(error) => {
            complain(&format!("{error}; `peer --help` lists what there is"));
            return ExitCode::from(2);
        }
    };
    match block_on(trade(setup)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            complain(&error);
            ExitCode::FAILURE
        }
    }
}

/// What the command line asks for.
#[derive(Default)]
struct Setup {
    messages: Vec<Message>,
    /// Where each message stands among them.
    positions: BTreeMap<Hash, usize>,
    digest: bool,
    id: Option<String>,
    since: Option<Option<u64>>,
    wait_since: bool,
    seq: bool,
    seen: bool,
    requests: Vec<Hash>,
    close: bool,
}

struct Message {
    hash: Hash,
    content: Content,
}

enum Content {
    Memory(Arc<[u8]>),
    File(PathBuf),
}

impl Setup {
    /// `None`: help is wanted.
    fn parse(mut arguments: lexopt::Parser) -> Result<Option<Self>, String> {
        use lexopt::Arg::{Long, Short, Value};

        let mut setup = Self::default();
        while let Some(argument) = arguments.next().map_err(|error| error.to_string())? {
            let mut flag = match argument {
                Value(message) => {
                    setup.add_memory(message.into_encoded_bytes());
                    continue;
                }
                Short(flag) => format!("-{flag}"),
                Long(flag) => format!("--{flag}"),
            };
            let mut value = |what: &str| {
                let value = arguments.value();
                value.map_err(|_| format!("{flag} lacks its value: {flag} {what}"))
            };
            match flag.as_str() {
                "--help" => return Ok(None),
                "--file" => setup.add_file(Path::new(&value("PATH")?))?,
                "--lines" => setup.add_lines(Path::new(&value("PATH")?))?,
                "--id" => setup.id = Some(text("--id", value("ID")?)?),
                "--since" => setup.since = Some(position(&value("N")?)?),
                "--request" => {
                    let hash = Hash::from(text("--request", value("HASH")?)?);
                    if !setup.requests.contains(&hash) {
                        setup.requests.push(hash);
                    }
                }
                "--digest" => setup.digest = true,
                "--wait-since" => setup.wait_since = true,
                "--seq" => setup.seq = true,
                "--seen" => setup.seen = true,
                "--close" => setup.close = true,
                _ => {
                    flag.push_str(" is no flag; a message that begins with - goes behind --");
                    return Err(flag);
                }
            }
        }
        Ok(Some(setup))
    }

    fn add(&mut self, hash: Hash, content: Content) {
        if !self.positions.contains_key(&hash) {
            self.positions.insert(hash.clone(), self.messages.len());
            self.messages.push(Message { hash, content });
        }
    }

    fn add_memory(&mut self, body: Vec<u8>) {
        self.add(Hash::sha1(&body), Content::Memory(body.into()));
    }

    fn add_file(&mut self, path: &Path) -> Result<(), String> {
        let at = |error| format!("--file {}: {error}", path.display());
        if !path.metadata().map_err(at)?.is_file() {
            // It is read once for its hash, and then once for each who asks.
            return Err(format!(
                "--file {}: it takes a regular file, which can be read more than once",
                path.display()
            ));
        }
        let mut reader = BufReader::with_capacity(PIECE, File::open(path).map_err(at)?);
        let mut hasher = sha1::Sha1::new();
        loop {
            let piece = reader.fill_buf().map_err(at)?;
            let len = piece.len();
            if len == 0 {
                break;
            }
            hasher.update(piece);
            reader.consume(len);
        }
        let hash = Hash::from_sha1(hasher.finalize().into());
        self.add(hash, Content::File(path.to_owned()));
        Ok(())
    }

    fn add_lines(&mut self, path: &Path) -> Result<(), String> {
        let at = |error| format!("--lines {}: {error}", path.display());
        for line in BufReader::new(File::open(path).map_err(at)?).split(b'\n') {
            let line = line.map_err(at)?;
            if !line.is_empty() {
                self.add_memory(line);
            }
        }
        Ok(())
    }
}

fn text(flag: &str, value: OsString) -> Result<String, String> {
    let text = value.into_string();
    text.map_err(|value| format!("{flag} takes UTF-8, not {}", value.display()))
}

fn position(value: &OsString) -> Result<Option<u64>, String> {
    let text = value.to_str().unwrap_or_default();
    let number = text.parse().ok().filter(|&number| number <= MAX_SEQUENCE);
    match (text, number) {
        ("-1", _) => Ok(None),
        (_, Some(number)) => Ok(Some(number)),
        (_, None) => Err(format!(
            "--since takes a number from -1 to {MAX_SEQUENCE}, not {}",
            value.display()
        )),
    }
}

/// False if a content failed, either way.
async fn trade(setup: Setup) -> Result<bool, String> {
    let io = Halves {
        reader: Input::start(),
        writer: Output::start(),
    };
    let mut connection = Wire::with_verifier(io, Limits::DEFAULT, Sha1Only);
    let mut peer = Peer::new(setup);
    let started = peer.start(&mut connection);
    started.map_err(|misuse| format!("at the start: {misuse}"))?;
    let end = poll_fn(|cx| peer.poll(cx, &mut connection)).await;
    match end {
        Ok(()) => {}
        // It has said that it needs nothing more from us.
        Err(Error::Io(error)) if error.kind() == io::ErrorKind::BrokenPipe && peer.is_closed() => {}
        Err(error) => return Err(describe(&error, connection.io().reader.read)),
    }
    if peer.is_closed() {
        notice("# CLOSE").map_err(|error| error.to_string())?;
    }
    Ok(!peer.failed)
}

type Wire = Connection<Halves<Input, Output>, Body, Sha1Only>;

type Body = AllowStdIo<Box<dyn BufRead>>;

/// What we do with what the peer says.
struct Peer {
    setup: Setup,
    /// All that we have ever asked for.
    asked: BTreeSet<Hash>,
    /// Hashes asked for and not settled.
    lacking: usize,
    receiving: BTreeMap<ResponseId, Received>,
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
    /// A content could not be sent, or did not come.
    failed: bool,
    /// Something could not be printed or put aside.
    trouble: Option<io::Error>,
}

enum Due {
    /// What is behind this position, all for `None`.
    Offer(Option<u64>),
    Request(Vec<Hash>),
    Seen(u64),
}

impl Peer {
    fn new(setup: Setup) -> Self {
        Self {
            waiting: setup.wait_since,
            setup,
            asked: BTreeSet::new(),
            lacking: 0,
            receiving: BTreeMap::new(),
            due: Vec::new(),
            heard: false,
            answered: false,
            closing: false,
            close_sent: false,
            close_received: false,
            failed: false,
            trouble: None,
        }
    }

    fn start(&mut self, connection: &mut Wire) -> Result<(), Misuse> {
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

    fn poll(&mut self, cx: &mut Context<'_>, connection: &mut Wire) -> Poll<Result<(), Error>> {
        loop {
            let progress = connection.poll(cx, self)?;
            if let Some(error) = self.trouble.take() {
                return Poll::Ready(Err(error.into()));
            }
            if progress == Poll::Ready(Progress::Ended) {
                return Poll::Ready(Ok(()));
            }
            let said = self.say(connection).map_err(io::Error::other)?;
            if progress.is_pending() && !said {
                // Output that failed has to be noticed even if nothing more is to be written. Its good end is ours.
                return connection.io_mut().writer.poll_end(cx).map_err(Error::Io);
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
            };
        }
        let input = &mut connection.io_mut().reader;
        let ended = input.ended;
        said |= ended && !mem::replace(&mut input.may_end, true);
        let traded = self.heard && self.answered && !self.waiting;
        let settled = self.lacking == 0 && connection.serving() == 0;
        if self.setup.close && !self.closing && (ended || (traded && settled)) {
            self.closing = true;
            connection.close();
            said = true;
        }
        Ok(said)
    }

    fn is_closed(&self) -> bool {
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
            Event::Response { response, .. } => {
                let received = match self.setup.digest {
                    true => Received::Size(0),
                    false => Received::Memory(Vec::new()),
                };
                self.receiving.insert(response, received);
            }
            Event::Body { response, chunk } => {
                let received = self.receiving.get_mut(&response).expect(ANNOUNCED);
                received.append(chunk)?;
            }
            Event::Complete {
                response,
                hash,
                sequence,
            } => {
                self.lacking -= 1;
                let received = self.receiving.remove(&response).expect(ANNOUNCED);
                received.print(&hash)?;
                if self.setup.seen {
                    self.due.push(Due::Seen(sequence));
                }
            }
            Event::Failed {
                response,
                hash,
                reason,
            } => {
                self.lacking -= 1;
                self.failed = true;
                self.receiving.remove(&response);
                let text = format!("{hash} {reason}");
                notice(&format!("# FAILED {}", one_line(&text)))?;
            }
            Event::Close => self.close_received = true,
            Event::Request(_) | Event::Cancelled { .. } => {}
        }
        Ok(())
    }
}

impl Application for Peer {
    type Body = Body;

    fn open(&mut self, hash: &Hash) -> Option<Source<Body>> {
        let position = *self.setup.positions.get(hash)?;
        let body: Box<dyn BufRead> = match &self.setup.messages[position].content {
            Content::Memory(bytes) => Box::new(io::Cursor::new(Arc::clone(bytes))),
            Content::File(path) if path.is_file() => Box::new(LateFile {
                path: path.clone(),
                reader: None,
            }),
            Content::File(path) => {
                self.failed = true;
                complain(&format!("{}: the file is gone", path.display()));
                return None;
            }
        };
        Some(Source {
            body: AllowStdIo::new(body),
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
            Kind::Error => self.failed = true,
            _ => {}
        }
    }
}

/// Contents of which nobody can say whether they are the ones are none.
struct Sha1Only;

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

/// What has come of a content; nothing of it is printed before all of it is verified.
enum Received {
    Size(u64),
    Memory(Vec<u8>),
    /// A file without a name, which goes when we do.
    File(File),
}

impl Received {
    fn append(&mut self, chunk: &[u8]) -> io::Result<()> {
        match self {
            Self::Size(size) => *size += chunk.len() as u64,
            Self::Memory(body) if body.len() + chunk.len() <= SMALL => {
                body.extend_from_slice(chunk);
            }
            Self::Memory(body) => {
                let mut file = tempfile::tempfile()?;
                file.write_all(body)?;
                file.write_all(chunk)?;
                *self = Self::File(file);
            }
            Self::File(file) => file.write_all(chunk)?,
        }
        Ok(())
    }

    fn print(self, hash: &Hash) -> io::Result<()> {
        let (begin, end) = (format!("# BEGIN {hash}\n"), format!("\n# END {hash}\n"));
        let mut stderr = io::stderr().lock();
        match self {
            Self::Size(size) => stderr.write_all(format!("{begin}{size} {hash}{end}").as_bytes()),
            // In one piece, as two of these may share a terminal.
            Self::Memory(body) => {
                stderr.write_all(&[begin.as_bytes(), &body, end.as_bytes()].concat())
            }
            Self::File(mut file) => {
                file.rewind()?;
                stderr.write_all(begin.as_bytes())?;
                io::copy(&mut file, &mut stderr)?;
                stderr.write_all(end.as_bytes())
            }
        }
    }
}

/// A file that is opened when its turn has come: a peer may ask for more of them than can be open at once.
struct LateFile {
    path: PathBuf,
    reader: Option<BufReader<File>>,
}

impl LateFile {
    fn reader(&mut self) -> io::Result<&mut BufReader<File>> {
        if self.reader.is_none() {
            let file = File::open(&self.path)?;
            self.reader = Some(BufReader::with_capacity(PIECE, file));
        }
        Ok(self.reader.as_mut().expect("it was just opened"))
    }
}

impl BufRead for LateFile {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if let Err(error) = self
            .reader()
            .and_then(|reader| reader.fill_buf().map(|_| ()))
        {
            complain(&format!("{}: {error}", self.path.display()));
            return Err(error);
        }
        self.reader()?.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        if let Some(reader) = &mut self.reader {
            reader.consume(amount);
        }
    }
}

impl Read for LateFile {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.reader()?.read(buffer)
    }
}

/// Standard input, as a thread reads it.
struct Input {
    pieces: mpsc::Receiver<io::Result<Vec<u8>>>,
    /// What was read last, and how much of it is taken.
    piece: Vec<u8>,
    taken: usize,
    /// Bytes taken in all.
    read: u64,
    /// Everything is taken, and nothing more will come.
    ended: bool,
    /// The connection may learn of it: until then, we may still have something to say.
    may_end: bool,
}

impl Input {
    fn start() -> Self {
        let (mut sender, pieces) = mpsc::channel(0);
        thread::spawn(move || {
            let mut buffer = vec![0; PIECE];
            loop {
                let piece = match io::stdin().lock().read(&mut buffer) {
                    Ok(0) => return,
                    Ok(len) => Ok(buffer[..len].to_vec()),
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                    Err(error) => Err(at("standard input", &error)),
                };
                let last = piece.is_err();
                if block_on(sender.send(piece)).is_err() || last {
                    return;
                }
            }
        });
        Self {
            pieces,
            piece: Vec::new(),
            taken: 0,
            read: 0,
            ended: false,
            may_end: false,
        }
    }
}

impl AsyncRead for Input {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        if self.taken == self.piece.len() && !self.ended {
            match ready!(self.pieces.poll_next_unpin(cx)) {
                Some(piece) => {
                    self.piece = piece?;
                    self.taken = 0;
                }
                None => self.ended = true,
            }
        }
        if self.ended {
            // Whoever polls looks at it before going to sleep.
            return match self.may_end {
                true => Poll::Ready(Ok(0)),
                false => Poll::Pending,
            };
        }
        let len = (&self.piece[self.taken..]).read(buffer)?;
        self.taken += len;
        self.read += len as u64;
        Poll::Ready(Ok(len))
    }
}

/// Standard output, as a thread writes it.
struct Output {
    pieces: mpsc::Sender<Vec<u8>>,
    end: oneshot::Receiver<io::Result<()>>,
}

impl Output {
    fn start() -> Self {
        // One piece waits while another is written.
        let (pieces, mut receiver) = mpsc::channel::<Vec<u8>>(0);
        let (sender, end) = oneshot::channel();
        thread::spawn(move || {
            let mut write = || {
                while let Some(piece) = block_on(receiver.next()) {
                    let mut stdout = io::stdout().lock();
                    stdout.write_all(&piece)?;
                    stdout.flush()?;
                }
                Ok(())
            };
            let end = write().map_err(|error| at("standard output", &error));
            // Nobody listens any more if the input was wrong.
            let _ = sender.send(end);
        });
        Self { pieces, end }
    }

    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let end = ready!(self.end.poll_unpin(cx));
        Poll::Ready(end.unwrap_or_else(|_| Err(io::ErrorKind::BrokenPipe.into())))
    }
}

impl AsyncWrite for Output {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        // All of it: a connection frees what it has encoded only once everything is taken.
        let sent = match ready!(self.pieces.poll_ready(cx)) {
            Ok(()) => self.pieces.start_send(buffer.to_vec()),
            Err(error) => Err(error),
        };
        match sent {
            Ok(()) => Poll::Ready(Ok(buffer.len())),
            Err(_) => {
                ready!(self.poll_end(cx))?;
                Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()))
            }
        }
    }

    /// Each piece is flushed as it is written.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.pieces.close_channel();
        self.poll_end(cx)
    }
}

fn at(place: &str, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{place}: {error}"))
}

/// Where it went wrong, what is wrong, and what would be right.
fn describe(error: &Error, read: u64) -> String {
    let input = format!("standard input, within its first {read} bytes");
    match error {
        Error::Protocol(error @ ProtocolError::EndInFrame) => {
            format!("{input}: {error}; its rest was to come")
        }
        Error::Protocol(error @ ProtocolError::EndWithOpen { .. }) => {
            format!("{input}: {error}; a peer ends once it has sent them whole")
        }
        Error::Protocol(error) => {
            format!("{input}: {error}; a peer speaks hash-exchange, version 4")
        }
        Error::Io(error) if error.kind() == io::ErrorKind::BrokenPipe => {
            format!("{error}; a peer reads until both sides have closed")
        }
        Error::Io(error) => error.to_string(),
        Error::Unread { .. } => format!("standard output: {error}; a peer reads what it is sent"),
        error => error.to_string(),
    }
}

/// Prints a line in one piece.
fn notice(line: &str) -> io::Result<()> {
    let written = io::stderr().write_all(format!("{line}\n").as_bytes());
    written.map_err(|error| at("standard error", &error))
}

/// As a notice, where nothing can be done if nobody hears it.
fn complain(what: &str) {
    let _ = notice(&format!("peer: {what}"));
}

/// What a peer says must not look like a line of ours.
fn one_line(text: &str) -> String {
    let mut line = String::new();
    for character in text.chars() {
        match character.is_control() {
            true => line.extend(character.escape_default()),
            false => line.push(character),
        }
    }
    line
}

fn number(sequence: Option<u64>) -> String {
    sequence.map_or("-1".to_owned(), |sequence| sequence.to_string())
}

const ANNOUNCED: &str = "a content is announced before it comes";

/// Bytes that are read, written or sent on at once.
const PIECE: usize = 64 << 10;

/// Larger contents wait in a file.
const SMALL: usize = 256 << 10;

/// The greatest sequence number that a JavaScript peer can tell from its neighbours.
const MAX_SEQUENCE: u64 = (1 << 53) - 2;
