use hash_exchange::{Hash, Limits, ProtocolError};

use super::world::{Heard, Side};
use super::{cancel, content};

/// Says any bytes to a session: the first one chooses the state that it is in, the next two how the rest is split. What is heard,
/// and what is answered, is the same for every split.
pub fn session(bytes: &[u8]) {
    let Some((&[state, one, other], stream)) = bytes.split_first_chunk() else {
        return;
    };
    let whole = run(state, stream, [usize::MAX; 2]);
    assert_eq!(run(state, stream, [1; 2]), whole, "byte by byte");
    let cuts = [one, other].map(|cut| usize::from(cut) + 1);
    assert_eq!(run(state, stream, cuts), whole, "in pieces of {cuts:?}");
}

/// What came of it.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    result: Result<(), ProtocolError>,
    heard: Vec<Heard>,
    /// What has come of the contents under way.
    bodies: Vec<Vec<u8>>,
    /// What was said in return.
    out: Vec<u8>,
}

fn run(state: u8, stream: &[u8], cuts: [usize; 2]) -> Outcome {
    let mut peer = Peer::new(state);
    let mut rest = stream;
    let mut result = Ok(());
    for cut in cuts.into_iter().cycle() {
        let (piece, behind) = rest.split_at(cut.min(rest.len()));
        rest = behind;
        result = peer.receive(piece);
        if result.is_err() || rest.is_empty() {
            break;
        }
    }
    // Each event takes bytes, or settles a hash that was asked for.
    let most = stream.len() + 2 * peer.asked;
    assert!(peer.events <= most, "{} events, not {most}", peer.events);
    let side = &mut peer.side;
    assert_eq!(side.tally.total_bytes(), side.out.len() as u64);
    if result.is_ok() {
        result = side.session.end();
    } else {
        for mut input in [stream, &[], b"\x04\x08\x02\x18\x02"] {
            let again = side.session.receive(&mut input).map(drop);
            assert_eq!(again, Err(ProtocolError::Failed));
        }
    }
    Outcome {
        result,
        bodies: peer.side.receiving.into_values().collect(),
        heard: peer.side.heard,
        out: peer.side.out,
    }
}

/// A side that does what the events tell it to, so that the bytes decide what it comes to.
struct Peer {
    side: Side,
    /// It sends a frame for each event, so that contents stay under way; otherwise all that it has.
    is_slow: bool,
    /// Hashes asked for.
    asked: usize,
    events: usize,
}

impl Peer {
    fn new(state: u8) -> Self {
        let has = |bit: u8| state >> bit & 1 == 1;
        let mut peer = Self {
            side: Side::new(if has(0) { LOW } else { Limits::DEFAULT }),
            is_slow: has(1),
            asked: 0,
            events: 0,
        };
        for n in 0..8 {
            let (hash, body) = content(n).clone();
            let sequence = (has(2) && n % 2 == 0).then(|| u64::from(n));
            peer.side.store.insert(hash, (body, sequence));
        }
        if has(3) {
            let hashes: Vec<_> = (0..12).map(|n| content(n).0.clone()).collect();
            for request in [&hashes[..], &hashes[3..4], &hashes[..3]] {
                peer.request(request);
            }
        }
        if has(4) {
            peer.side.session.close();
        }
        peer
    }

    fn request(&mut self, hashes: &[Hash]) {
        if let Ok(tag) = self.side.session.request(hashes, &mut self.side.out) {
            self.side.count(tag);
            self.asked += hashes.len();
        }
    }

    fn receive(&mut self, mut piece: &[u8]) -> Result<(), ProtocolError> {
        loop {
            let heard = self.side.heard.len();
            if !self.side.hear(&mut piece)? {
                return Ok(());
            }
            if self.side.heard.len() > heard {
                self.events += 1;
                self.act();
            }
        }
    }

    /// Asks for what is offered; SEEN makes it cancel a content, SINCE makes it close.
    fn act(&mut self) {
        match self.side.heard.last() {
            Some(Heard::Available(hashes)) => {
                let hashes = hashes.clone();
                self.request(&hashes);
            }
            Some(&Heard::Seen(Some(n))) => drop(cancel(&mut self.side, n as usize)),
            Some(Heard::Since(_)) => self.side.session.close(),
            _ => {}
        }
        if self.is_slow {
            self.side.answer();
            self.side.serve();
            self.side.transmit();
        } else {
            self.side.drain();
        }
    }
}

/// Low, so that what is beyond them is soon found; a HASHES with all that may be served is within them.
const LOW: Limits = Limits {
    message: 300,
    name: 20,
    requested: 16,
    served: 6,
    rpc_channels: 2,
    early_channels: 2,
    early_bytes: 30,
    ..Limits::DEFAULT
};
