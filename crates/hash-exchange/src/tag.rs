use std::fmt;

/// What a frame is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Kind {
    /// Hashes on offer.
    Available,
    /// Hashes asked for.
    Request,
    /// The answer to a REQUEST: which hashes will come, under which sequence numbers.
    Hashes,
    /// From which sequence number on to serve.
    Since,
    /// The sender needs nothing more.
    Close,
    /// A sequence number that the sender holds.
    Seen,
    /// The sender's name.
    Id,
    /// A piece of a content.
    Body,
    /// The end of a content.
    End,
    /// A content broken off, by the side that serves it or by the side that reads it.
    Error,
}

impl Kind {
    /// Every kind, in the order of their numbers.
    pub const ALL: [Self; Self::COUNT] = [
        Self::Available,
        Self::Request,
        Self::Hashes,
        Self::Since,
        Self::Close,
        Self::Seen,
        Self::Id,
        Self::Body,
        Self::End,
        Self::Error,
    ];

    /// The number of kinds.
    pub const COUNT: usize = 10;

    /// The name in reports: lower case, one word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Available => "available",
            Self::Request => "request",
            Self::Hashes => "hashes",
            Self::Since => "since",
            Self::Close => "close",
            Self::Seen => "seen",
            Self::Id => "id",
            Self::Body => "body",
            Self::End => "end",
            Self::Error => "error",
        }
    }

    /// Where a tally counts it: what trading a content takes stands side by side.
    const fn place(self) -> usize {
        match self {
            Self::Available => 0,
            Self::Request => 1,
            Self::Hashes => 2,
            Self::Body => 3,
            Self::End => 4,
            Self::Error => 5,
            Self::Since => 6,
            Self::Close => 7,
            Self::Seen => 8,
            Self::Id => 9,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// One frame that was encoded, and where its bytes went.
///
/// The sum of `content + framing` over all tags of a session is the number of bytes that it wrote, exactly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tag {
    /// What the frame is for.
    pub kind: Kind,
    /// Bytes of the message, or of the content that the frame carries.
    pub content: u32,
    /// Bytes around them: length prefix, channel, name, type, length.
    pub framing: u32,
}

impl Tag {
    /// All bytes of the frame on the wire.
    pub const fn bytes(self) -> u64 {
        self.content as u64 + self.framing as u64
    }
}

/// Frames and bytes of each kind, summed.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// In the order of [`Kind::place`].
    kinds: [Count; Kind::COUNT],
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Count {
    frames: u64,
    content: u64,
    framing: u64,
}

impl Tally {
    /// Counts one frame.
    pub fn add(&mut self, tag: Tag) {
        let count = &mut self.kinds[tag.kind.place()];
        count.frames += 1;
        count.content += u64::from(tag.content);
        count.framing += u64::from(tag.framing);
    }

    /// Takes one frame back, which was counted and is not written after all.
    pub fn remove(&mut self, tag: Tag) {
        let count = &mut self.kinds[tag.kind.place()];
        count.frames -= 1;
        count.content -= u64::from(tag.content);
        count.framing -= u64::from(tag.framing);
    }

    /// Adds all of another tally.
    pub fn merge(&mut self, other: &Self) {
        for (count, other) in self.kinds.iter_mut().zip(&other.kinds) {
            count.frames += other.frames;
            count.content += other.content;
            count.framing += other.framing;
        }
    }

    /// What was counted since an earlier tally of the same counter. Where more was taken back than counted it is nothing.
    pub fn since(&self, earlier: &Self) -> Self {
        let mut since = self.clone();
        for (count, earlier) in since.kinds.iter_mut().zip(&earlier.kinds) {
            count.frames = count.frames.saturating_sub(earlier.frames);
            count.content = count.content.saturating_sub(earlier.content);
            count.framing = count.framing.saturating_sub(earlier.framing);
        }
        since
    }

    /// Frames of a kind.
    pub const fn frames(&self, kind: Kind) -> u64 {
        self.kinds[kind.place()].frames
    }

    /// Bytes of messages of a kind or, for [`Kind::Body`], of content; without framing.
    pub const fn content(&self, kind: Kind) -> u64 {
        self.kinds[kind.place()].content
    }

    /// All bytes of the frames of a kind, framing included.
    pub const fn bytes(&self, kind: Kind) -> u64 {
        self.kinds[kind.place()].content + self.kinds[kind.place()].framing
    }

    /// Bytes of framing over all kinds.
    pub fn framing(&self) -> u64 {
        self.kinds.iter().map(|count| count.framing).sum()
    }

    /// Frames of all kinds.
    pub fn total_frames(&self) -> u64 {
        self.kinds.iter().map(|count| count.frames).sum()
    }

    /// Bytes of all kinds, framing included: what went over the wire.
    pub fn total_bytes(&self) -> u64 {
        Kind::ALL.into_iter().map(|kind| self.bytes(kind)).sum()
    }
}

/// Kinds of which there is nothing are left out.
impl fmt::Debug for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kinds = Kind::ALL.into_iter().filter(|&kind| self.frames(kind) > 0);
        let mut tally = f.debug_struct("Tally");
        for kind in kinds {
            tally.field(kind.name(), &self.kinds[kind.place()]);
        }
        tally.finish()
    }
}

impl Extend<Tag> for Tally {
    fn extend<T: IntoIterator<Item = Tag>>(&mut self, tags: T) {
        tags.into_iter().for_each(|tag| self.add(tag));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tally_sums_by_kind() {
        let tag = |kind, content, framing| Tag {
            kind,
            content,
            framing,
        };
        let mut tally = Tally::default();
        tally.extend([
            tag(Kind::Body, 100, 8),
            tag(Kind::Body, 50, 5),
            tag(Kind::End, 0, 5),
        ]);
        assert_eq!(
            format!("{tally:?}"),
            "Tally { body: Count { frames: 2, content: 150, framing: 13 }, \
             end: Count { frames: 1, content: 0, framing: 5 } }"
        );
        let mut sum = tally.clone();
        sum.merge(&tally);
        assert_eq!((sum.frames(Kind::Body), sum.content(Kind::Body)), (4, 300));
        assert_eq!((sum.bytes(Kind::End), sum.framing()), (10, 36));
        assert_eq!((sum.total_frames(), sum.total_bytes()), (6, 336));
        assert_eq!(sum.since(&tally), tally);
        assert_eq!(tally.since(&tally), Tally::default());
        assert_eq!(
            Kind::ALL.map(|kind| kind as usize),
            std::array::from_fn(|i| i)
        );
        sum.remove(tag(Kind::Body, 50, 5));
        assert_eq!((sum.frames(Kind::Body), sum.bytes(Kind::Body)), (3, 271));
        let mut places = Kind::ALL.map(Kind::place);
        places.sort_unstable();
        assert_eq!(places, std::array::from_fn(|i| i));
    }
}
