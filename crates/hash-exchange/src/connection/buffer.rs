use crate::wire::frame::Frame;
use crate::wire::varint;
use crate::{Kind, Tag};

/// A buffer that connections encode into: see [`Connection::lend`](crate::Connection::lend).
#[derive(Debug, Default)]
pub struct Buffer(Option<Box<Output>>);

#[derive(Debug, Default)]
struct Output {
    bytes: Vec<u8>,
    /// So many of them are with the transport.
    written: usize,
    /// Where a frame begins before which all are written; it follows `written` when somebody has to know.
    frame: usize,
    /// Bytes of answers put in, less all bytes taken since: at least as many answers wait as that.
    answers: usize,
}

impl Buffer {
    /// One without heap.
    pub(super) const NONE: Self = Self(None);

    /// Bytes that it has room for.
    pub fn capacity(&self) -> usize {
        self.0.as_ref().map_or(0, |output| output.bytes.capacity())
    }

    #[inline]
    pub(super) const fn has_heap(&self) -> bool {
        self.0.is_some()
    }

    #[inline]
    pub(super) fn bytes(&mut self) -> &mut Vec<u8> {
        &mut self.0.get_or_insert_default().bytes
    }

    #[inline]
    pub(super) fn unwritten(&self) -> &[u8] {
        match &self.0 {
            Some(output) => &output.bytes[output.written..],
            None => &[],
        }
    }

    /// Nothing in it waits to be written.
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.unwritten().is_empty()
    }

    /// Bytes of answers that the peer has made us write, beyond what it has taken since.
    pub(super) fn answers(&self) -> usize {
        self.0.as_ref().map_or(0, |output| output.answers)
    }

    /// A frame put in answers the peer.
    pub(super) fn answered(&mut self, tag: Tag) {
        self.0.get_or_insert_default().answers += tag.bytes() as usize;
    }

    /// The transport took so many bytes. They go once they are more than what remains, so that a transport that never takes all
    /// there is makes nothing pile up.
    #[inline]
    pub(super) fn wrote(&mut self, len: usize) {
        let output = self.0.as_mut().expect("only what is there is written");
        output.written += len;
        output.answers = output.answers.saturating_sub(len);
        if output.written == output.bytes.len() {
            output.bytes.clear();
            (output.written, output.frame) = (0, 0);
        } else if output.written > output.bytes.len() / 2 {
            output.drain();
        }
    }

    /// Takes back what is not written yet of a content that goes out on this channel and that the peer has cancelled: a reader that reuses
    /// the number may take it for another. Each frame that goes is told; one that has begun to go out is left. If the content itself has
    /// not begun to, all is left: what goes before its name on the channel is of the content before it.
    pub(super) fn withdraw(&mut self, channel: u32, mut unsent: impl FnMut(Tag)) {
        let Some(output) = self.0.as_mut() else {
            return;
        };
        output.find_frame();
        let mut pieces = Vec::new();
        let mut at = output.frame;
        while at < output.bytes.len() {
            let (frame, end) = output.frame_at(at);
            if at >= output.written && frame.channel.cast_unsigned() == channel {
                if frame.name.is_some() {
                    return;
                }
                pieces.push((at..end, frame.data.len()));
            }
            at = end;
        }
        // From behind, so that those before stay where they are.
        for (frame, content) in pieces.into_iter().rev() {
            unsent(Tag {
                kind: Kind::Body,
                content: content as u32,
                framing: (frame.len() - content) as u32,
            });
            output.bytes.drain(frame);
        }
    }
}

impl Output {
    /// Lets go of the frames that are written.
    #[cold]
    fn drain(&mut self) {
        self.find_frame();
        // One that is written in part and longer than all the others waits for its end.
        if self.frame > self.bytes.len() / 2 {
            self.bytes.drain(..self.frame);
            self.written -= self.frame;
            self.frame = 0;
        }
    }

    /// Goes on to the first frame that is not wholly written.
    fn find_frame(&mut self) {
        while self.frame < self.written {
            let (_, end) = self.frame_at(self.frame);
            if end > self.written {
                break;
            }
            self.frame = end;
        }
    }

    /// The frame that begins here, and where it ends.
    fn frame_at(&self, start: usize) -> (Frame<'_>, usize) {
        let (len, prefix) = varint::read(&self.bytes[start..])
            .ok()
            .flatten()
            .expect("frames are encoded whole");
        let body = start + prefix;
        let end = body + len as usize;
        let frame = Frame::parse(&self.bytes[body..end], u32::MAX);
        (frame.expect("we encode what can be read"), end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Hash, Session};

    /// Two contents that go out side by side; the first is cancelled when so much is written, wherever that cuts the frames.
    #[test]
    fn what_is_withdrawn_is_whole_frames_that_have_not_begun_to_go_out() {
        let (mut serving, mut asking) = (Session::default(), Session::default());
        let (mut asked, mut bytes) = (Vec::new(), Vec::new());
        let hashes = ["x", "y"].map(Hash::new);
        asking.request(&hashes, &mut asked).unwrap();
        serving.receive(&mut &asked[..]).unwrap();
        let found = hashes.map(|hash| (hash, None));
        let answer = serving.respond(found, &mut bytes).unwrap();
        let mut ends = vec![bytes.len()];
        for turn in 0..6 {
            let served = answer.served(turn % 2);
            serving.body(served, b"some bytes", &mut bytes).unwrap();
            ends.push(bytes.len());
        }
        for written in 0..bytes.len() {
            let mut buffer = Buffer::NONE;
            buffer.bytes().extend_from_slice(&bytes);
            buffer.wrote(written);
            let mut withdrawn = 0;
            buffer.withdraw(2, |tag| withdrawn += tag.bytes() as usize);
            // The second and third piece of the first content go, if it has begun to go out and nothing of them has.
            let pieces = [(ends[2], ends[3]), (ends[4], ends[5])];
            let mut rest = bytes[written..].to_vec();
            let mut gone = 0;
            for (from, to) in pieces {
                if ends[0] < written && written <= from {
                    rest.drain(from - written - gone..to - written - gone);
                    gone += to - from;
                }
            }
            assert_eq!(buffer.unwritten(), rest, "{written} written");
            assert_eq!(withdrawn, gone);
        }
    }

    /// Whoever cancels a content before it can know of it takes nothing from the one before, whose end goes out on the same channel.
    #[test]
    fn what_is_of_the_content_before_is_left() {
        let (mut serving, mut asking) = (Session::default(), Session::default());
        let (mut asked, mut buffer) = (Vec::new(), Buffer::NONE);
        let hashes = ["x", "y"].map(Hash::new);
        asking.request(&hashes, &mut asked).unwrap();
        serving.receive(&mut &asked[..]).unwrap();
        let found = hashes.map(|hash| (hash, None));
        let answer = serving.respond(found, buffer.bytes()).unwrap();
        let [first, second] = [0, 1].map(|place| answer.served(place));
        serving.body(first, b"first", buffer.bytes()).unwrap();
        let begun = buffer.unwritten().len();
        serving.body(first, b"piece", buffer.bytes()).unwrap();
        serving.finish(first, buffer.bytes()).unwrap();
        serving.body(second, b"second", buffer.bytes()).unwrap();
        serving.body(second, b"piece", buffer.bytes()).unwrap();
        buffer.wrote(begun);
        let said = buffer.unwritten().to_vec();
        buffer.withdraw(2, |tag| panic!("{tag:?}"));
        assert_eq!(buffer.unwritten(), said);
    }

    /// Whatever the transport takes at a time, what remains does, and memory does not pile up.
    #[test]
    fn what_is_written_goes() {
        let mut session = Session::default();
        for step in [1, 7, 100, 5000] {
            let mut buffer = Buffer::NONE;
            let mut taken = Vec::new();
            let mut said = Vec::new();
            for n in 0..200 {
                let id = "x".repeat(n * 13 % 400);
                session.id(&id, buffer.bytes()).unwrap();
                session.id(&id, &mut said).unwrap();
                let some = step.min(buffer.unwritten().len());
                taken.extend_from_slice(&buffer.unwritten()[..some]);
                buffer.wrote(some);
                let rest = buffer.unwritten().len();
                assert!(buffer.bytes().len() <= 2 * rest + 410, "{rest}");
            }
            taken.extend_from_slice(buffer.unwritten());
            assert!(said.ends_with(&taken[taken.len() - 1000..]));
            assert!(
                taken.len().abs_diff(said.len()) <= 3,
                "the first has the name"
            );
        }
    }
}
