//! A node that shares a directory: `node --listen ADDR [--peer ADDR]... --dir DIR [--log DIR] [--until N] [--stdin] [--report FILE]`, until it is stopped
//! by Ctrl-C.
//!
//! It publishes the files that lie in DIR, and fetches what its peers and theirs have. What came lies in DIR/.received, each
//! body under its hash, and is published again when the node is started again. The first line that it prints is the
//! address on which it listens; then follows a line for each body: its hash, and the file or the peer that it is from.
//!
//! With `--log DIR` it keeps all that it holds in one log, DIR/log, in place of DIR/.received: what is in there is there after a loss of power, and its peers
//! offer it what is new alone.
//!
//! With `--until N` it ends once it holds N hashes and nobody has wanted anything of it for six seconds.
//!
//! With `--stdin` its standard input leads it: it listens, but dials and accepts nobody before the first line, so that many
//! nodes may begin at once; and it ends when its input does. With `--report FILE` it writes, once it ends, one JSON document
//! that says when it began, what it sent by kind, and how and when each body came; frames are counted as in the reports of
//! `hxsim`.

#![expect(
    clippy::disallowed_methods,
    reason = "a report says when the node began, on the clock that it shares with others of the machine"
)]

use std::fs;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hash_exchange::{Hash, Kind};
use hash_gossip::{Config, Host as _, Node};
use hash_gossip_tokio::{TokioHost, config, dialled};
use serde_json::{Value, json};
use tokio::runtime::Builder;
use tokio::task::LocalSet;
use tokio::time::sleep;

const USAGE: &str = "usage: node --listen ADDR [--peer ADDR]... --dir DIR [--log DIR] [--until N] [--stdin] [--report FILE]";

const HELP: &str = "\
Shares the files of a directory with peers, and theirs, until it is stopped by Ctrl-C.

  --listen ADDR   where peers may dial, such as 127.0.0.1:4000; port 0 is any that is free
  --peer ADDR     a peer to dial; may be repeated
  --dir DIR       the directory; what comes lies in DIR/.received, each body under its hash
  --log DIR       keep all that is held in DIR/log, which is synced, and begin with it; nothing is written into .received then
  --until N       end once it holds N hashes and nobody has wanted anything of it for six seconds
  --stdin         dial and accept nobody before the first line of standard input, and end with it
  --report FILE   at the end write one JSON document of what was sent, and how and when each body came
  --help          print this

Prints the address on which it listens, and then a line for each body: its hash, and the file or the peer that it is from.";

/// How often it is looked whether something has come.
const LOOK: Duration = Duration::from_millis(20);

/// A peer asks for what it lacks within a round trip, or once another holder has stalled: who is not asked for so much longer
/// than [`Config::stall`] is not needed.
const MARGIN: Duration = Duration::from_secs(1);

struct Options {
    listen: SocketAddr,
    peers: Vec<SocketAddr>,
    dir: PathBuf,
    log: Option<PathBuf>,
    until: Option<usize>,
    stdin: bool,
    report: Option<PathBuf>,
}

/// A body to publish, and where it lies.
type File = (Hash, PathBuf, Rc<[u8]>);

fn main() -> ExitCode {
    let options = match Options::read(std::env::args().skip(1)) {
        Ok(Some(options)) => options,
        Ok(None) => {
            println!("{USAGE}\n\n{HELP}");
            return ExitCode::SUCCESS;
        }
        Err(wrong) => {
            eprintln!("node: {wrong}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    let runtime = Builder::new_current_thread().enable_all().build();
    match runtime.and_then(|runtime| LocalSet::new().block_on(&runtime, run(&options))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("node: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(options: &Options) -> io::Result<()> {
    let listening = TokioHost::listen(options.listen).await;
    let mut host = listening.map_err(|error| at(options.listen, "cannot listen", &error))?;
    let mut config = config();
    if !options.dir.is_dir() {
        let error = io::Error::from(io::ErrorKind::NotADirectory);
        return Err(at(
            options.dir.display(),
            "--dir takes a directory that is there",
            &error,
        ));
    }
    let received = options.dir.join(".received");
    if let Some(dir) = &options.log {
        create_dir(dir)?;
        let path = dir.join("log");
        let opened = host.with_log(&path);
        host = opened.map_err(|error| at(path.display(), "cannot open", &error))?;
        config.durable = true;
    } else {
        create_dir(&received)?;
    }

    let mut out = io::stdout();
    writeln!(out, "{}", host.address())?;
    let mut bodies = read_dir(&options.dir, &config)?;
    if options.log.is_none() {
        bodies.extend(read_dir(&received, &config)?);
    }
    for (hash, path, _) in &bodies {
        writeln!(out, "{hash} is {}", path.display())?;
    }
    let told_to_end = match options.stdin {
        true => led_by_stdin()?,
        false => Arc::default(),
    };
    let enough = config.stall + MARGIN;
    let (began, began_unix) = (host.now(), SystemTime::now());
    let node = Node::start(host, config, dialled(options.peers.iter().copied()));
    node.ready().await;
    for hash in node.hashes() {
        writeln!(out, "{hash} is in the log")?;
    }
    node.publish_all(bodies.into_iter().map(|(hash, _, body)| (hash, body)));

    let (mut seen, mut sent, mut quiet) = (0, node.sent(), Duration::ZERO);
    loop {
        for record in node.news(seen) {
            seen += 1;
            if let (Some(from), Some(body)) = (record.from, node.body(&record.hash)) {
                if options.log.is_none() {
                    write_body(&received, &record.hash, &body)?;
                }
                writeln!(out, "{} from {from}", record.hash)?;
            }
        }
        let sent_before = std::mem::replace(&mut sent, node.sent());
        quiet = if node.is_idle() && sent == sent_before {
            quiet + LOOK
        } else {
            Duration::ZERO
        };
        let done = quiet >= enough && options.until.is_some_and(|until| seen >= until);
        if done || told_to_end.load(Ordering::Relaxed) {
            break;
        }
        sleep(LOOK).await;
    }
    let Some(path) = &options.report else {
        return Ok(());
    };
    let written = fs::write(path, report(&node, began, began_unix).to_string() + "\n");
    written.map_err(|error| at(path.display(), "cannot write", &error))
}

/// Waits for the first line of standard input. What it returns becomes true when the input ends.
fn led_by_stdin() -> io::Result<Arc<AtomicBool>> {
    io::stdin().read_line(&mut String::new())?;
    let ended = Arc::new(AtomicBool::new(false));
    let note = Arc::clone(&ended);
    thread::spawn(move || {
        // An input that cannot be read has ended too.
        let _ = io::copy(&mut io::stdin(), &mut io::sink());
        note.store(true, Ordering::Relaxed);
    });
    Ok(ended)
}

/// What the node did since it began.
fn report(node: &Node<TokioHost>, began: Duration, began_unix: SystemTime) -> Value {
    let ns = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
    let bodies = node.records().into_iter().map(|record| {
        json!({
            "hash": record.hash.to_string(),
            "from": record.from.map(|from| from.to_string()),
            "after_ns": ns(record.learned_at.saturating_sub(began)),
            "receipts": record.receipts,
        })
    });
    let sent = node.sent();
    let frames = Kind::ALL.map(|kind| {
        json!({
            "kind": kind.name(),
            "frames": sent.frames(kind),
            "content": sent.content(kind),
            "framing": sent.bytes(kind) - sent.content(kind),
        })
    });
    json!({
        "began_unix_ns": ns(began_unix.duration_since(UNIX_EPOCH).unwrap_or_default()),
        "bodies": bodies.collect::<Vec<_>>(),
        "frames": frames,
        "sent_bytes": sent.total_bytes(),
        "duplicates": node.duplicates(),
        "rejected": node.rejected(),
    })
}

fn create_dir(dir: &Path) -> io::Result<()> {
    fs::create_dir_all(dir).map_err(|error| at(dir.display(), "cannot create", &error))
}

/// The files of a directory, in the order of their names.
fn read_dir(dir: &Path, config: &Config) -> io::Result<Vec<File>> {
    let unreadable = |path: &Path, error: &_| at(path.display(), "cannot read", error);
    let entries = fs::read_dir(dir).and_then(Iterator::collect::<io::Result<Vec<_>>>);
    let entries = entries.map_err(|error| unreadable(dir, &error))?;
    let mut paths: Vec<_> = entries.iter().map(fs::DirEntry::path).collect();
    paths.sort();
    let mut bodies = Vec::new();
    // What was not written to its end is not there.
    let files = paths
        .into_iter()
        .filter(|path| path.is_file() && !is_partial(path));
    for path in files {
        let body = fs::read(&path).map_err(|error| unreadable(&path, &error))?;
        if body.len() > config.max_body {
            let (len, most) = (body.len(), config.max_body);
            eprintln!(
                "node: {}: {len} bytes are not published, as peers take at most {most}",
                path.display()
            );
            continue;
        }
        bodies.push((Hash::sha1(&body), path, body.into()));
    }
    Ok(bodies)
}

/// Writes a body under its hash: all of it, or nothing under that name.
fn write_body(dir: &Path, hash: &Hash, body: &[u8]) -> io::Result<()> {
    let path = dir.join(hash.to_string());
    let partial = path.with_extension(PARTIAL);
    let written = fs::write(&partial, body).and_then(|()| fs::rename(&partial, &path));
    written.map_err(|error| at(path.display(), "cannot write", &error))
}

fn is_partial(path: &Path) -> bool {
    path.extension()
        .is_some_and(|extension| extension == PARTIAL)
}

const PARTIAL: &str = "partial";

fn at(place: impl std::fmt::Display, what: &str, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{place}: {what}: {error}"))
}

impl Options {
    /// `None`: help is wanted.
    fn read(mut args: impl Iterator<Item = String>) -> Result<Option<Self>, String> {
        let (mut listen, mut peers, mut dir) = (None, Vec::new(), None);
        let (mut log, mut until, mut stdin, mut report) = (None, None, false, None);
        while let Some(option) = args.next() {
            let mut value = || args.next().ok_or(format!("{option} lacks its value"));
            match option.as_str() {
                "--help" => return Ok(None),
                "--listen" => listen = Some(address(&option, &value()?)?),
                "--peer" => peers.push(address(&option, &value()?)?),
                "--dir" => dir = Some(PathBuf::from(value()?)),
                "--log" => log = Some(PathBuf::from(value()?)),
                "--until" => {
                    let value = value()?;
                    let wrong = format!("--until {value}: not a number of hashes, such as 10");
                    until = Some(value.parse().map_err(|_| wrong)?);
                }
                "--stdin" => stdin = true,
                "--report" => report = Some(PathBuf::from(value()?)),
                _ => return Err(format!("{option} is no option")),
            }
        }
        Ok(Some(Self {
            listen: listen.ok_or("--listen ADDR is missing, for example --listen 127.0.0.1:0")?,
            peers,
            dir: dir.ok_or("--dir DIR is missing, the directory to share")?,
            log,
            until,
            stdin,
            report,
        }))
    }
}

fn address(option: &str, value: &str) -> Result<SocketAddr, String> {
    let wrong = format!("{option} {value}: not an address, such as 127.0.0.1:4000 or [::1]:4000");
    value.parse().map_err(|_| wrong)
}
