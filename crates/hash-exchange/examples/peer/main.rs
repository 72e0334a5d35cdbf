//! A whole peer for scripts, on standard input and output: `peer --help` says what it takes and prints.
//!
//! It drives a [`Connection`](hash_exchange::Connection) by its `poll`, so that contents pass through in constant memory, however
//! large they are. [`setup`] is what the command line asks for, [`peer`] what is done with what the other side says,
//! [`offered`] and [`received`] are contents on their way out and in, [`transport`] is the two pipes.

mod notice;
mod offered;
mod peer;
mod received;
mod setup;
mod transport;

use std::future::poll_fn;
use std::io::{self, Write};
use std::process::ExitCode;

use futures::executor::block_on;
use hash_exchange::{Error, Limits, ProtocolError};

use self::notice::{complain, notice};
use self::peer::{Peer, Sha1Only, Wire};
use self::setup::Setup;
use self::transport::Transport;

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
  --limit BYTES   give up a body that is longer, as soon as it is
  --close         send CLOSE when an AVAILABLE was handled and a REQUEST answered, or the peer has sent CLOSE, or the input has
                  ended; and when all that we asked for is settled and all that we serve is written. End when both have closed
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

/// False if a content failed, either way.
async fn trade(setup: Setup) -> Result<bool, String> {
    let mut connection = Wire::with_verifier(Transport::start(), Limits::DEFAULT, Sha1Only);
    let mut peer = Peer::new(setup);
    let started = peer.start(&mut connection);
    started.map_err(|misuse| format!("at the start: {misuse}"))?;
    let end = poll_fn(|cx| peer.poll(cx, &mut connection)).await;
    end.map_err(|error| describe(&error, connection.io().read))?;
    if peer.is_closed() {
        notice("# CLOSE").map_err(|error| error.to_string())?;
    }
    Ok(!peer.failed)
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

/// Bytes that are read, written or sent on at once.
const PIECE: usize = 64 << 10;
