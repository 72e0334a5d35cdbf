//! A node that shares a directory: `node --listen ADDR [--peer ADDR]... --dir DIR [--until N]`, until it is stopped by Ctrl-C.
//!
//! It publishes the files that lie in DIR, and fetches what its peers and theirs have. What came lies in DIR/.received, each
//! body under its hash, and is published again when the node is started again. The first line that it prints is the
//! address on which it listens; then follows a line for each body: its hash, and the file or the peer that it is from.
//!
//! With `--until N` it ends once it holds N hashes and nobody has wanted anything of it for six seconds.

use std::fs;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::rc::Rc;
use std::time::Duration;

use hash_exchange::Hash;
use hash_gossip::{Config, Host as _, Node};
use hash_gossip_tokio::{TokioHost, config, dialled};
use tokio::runtime::Builder;
use tokio::task::LocalSet;
use tokio::time::sleep;

const USAGE: &str = "usage: node --listen ADDR [--peer ADDR]... --dir DIR [--until N]";

const HELP: &str = "\
Shares the files of a directory with peers, and theirs, until it is stopped by Ctrl-C.

  --listen ADDR   where peers may dial, such as 127.0.0.1:4000; port 0 is any that is free
  --peer ADDR     a peer to dial; may be repeated
  --dir DIR       the directory; what comes lies in DIR/.received, each body under its hash
  --until N       end once it holds N hashes and nobody has wanted anything of it for six seconds
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
    until: Option<usize>,
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
    let host = listening.map_err(|error| at(options.listen, "cannot listen", &error))?;
    let config = config();
    let received = options.dir.join(".received");
    fs::create_dir_all(&received)
        .map_err(|error| at(received.display(), "cannot create", &error))?;

    let mut out = io::stdout();
    writeln!(out, "{}", host.address())?;
    let mut bodies = read_dir(&options.dir, &config)?;
    bodies.extend(read_dir(&received, &config)?);
    for (hash, path, _) in &bodies {
        writeln!(out, "{hash} is {}", path.display())?;
    }
    let enough = config.stall + MARGIN;
    let node = Node::start(host, config, dialled(options.peers.iter().copied()));
    node.publish_all(bodies.into_iter().map(|(hash, _, body)| (hash, body)));

    let (mut seen, mut sent, mut quiet) = (0, node.sent(), Duration::ZERO);
    loop {
        for record in node.news(seen) {
            seen += 1;
            if let (Some(from), Some(body)) = (record.from, node.body(&record.hash)) {
                write_body(&received, &record.hash, &body)?;
                writeln!(out, "{} from {from}", record.hash)?;
            }
        }
        let sent_before = std::mem::replace(&mut sent, node.sent());
        quiet = if node.is_idle() && sent == sent_before {
            quiet + LOOK
        } else {
            Duration::ZERO
        };
        if quiet >= enough && options.until.is_some_and(|until| seen >= until) {
            return Ok(());
        }
        sleep(LOOK).await;
    }
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
        let (mut listen, mut peers, mut dir, mut until) = (None, Vec::new(), None, None);
        while let Some(option) = args.next() {
            let mut value = || args.next().ok_or(format!("{option} lacks its value"));
            match option.as_str() {
                "--help" => return Ok(None),
                "--listen" => listen = Some(address(&option, &value()?)?),
                "--peer" => peers.push(address(&option, &value()?)?),
                "--dir" => dir = Some(PathBuf::from(value()?)),
                "--until" => {
                    let value = value()?;
                    let wrong = format!("--until {value}: not a number of hashes, such as 10");
                    until = Some(value.parse().map_err(|_| wrong)?);
                }
                _ => return Err(format!("{option} is no option")),
            }
        }
        Ok(Some(Self {
            listen: listen.ok_or("--listen ADDR is missing, for example --listen 127.0.0.1:0")?,
            peers,
            dir: dir.ok_or("--dir DIR is missing, the directory to share")?,
            until,
        }))
    }
}

fn address(option: &str, value: &str) -> Result<SocketAddr, String> {
    let wrong = format!("{option} {value}: not an address, such as 127.0.0.1:4000 or [::1]:4000");
    value.parse().map_err(|_| wrong)
}
