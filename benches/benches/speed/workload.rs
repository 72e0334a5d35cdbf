//! What is traded.

use std::fmt;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

/// Which end of the pipes a process is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Give,
    Take,
}

#[derive(Clone, Debug)]
pub(crate) enum Workload {
    /// One body of so many bytes, read from a file, and checked by its SHA-1 by whoever takes it.
    Body { bytes: u64, path: PathBuf },
    /// So many bodies of 100 bytes each, asked for in REQUESTs of so many.
    Bodies { count: u32, batch: u32 },
    /// So many hashes that both sides hold, and offer each other in AVAILABLEs of so many.
    Held {
        count: u32,
        batch: u32,
        order: Order,
    },
}

/// The order in which hashes are offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// That of the store.
    Sorted,
    /// One that has nothing to do with the store's.
    Mixed,
}

/// Bytes of a small body.
pub(crate) const SMALL: usize = 100;

impl Workload {
    /// What the README speaks of.
    pub(crate) fn full() -> Vec<Self> {
        Self::sized(200 << 20, 50_000, 1_000_000)
    }

    /// The same in a second.
    pub(crate) fn small() -> Vec<Self> {
        Self::sized(1 << 20, 100, 1_000)
    }

    fn sized(bytes: u64, bodies: u32, hashes: u32) -> Vec<Self> {
        let held = |batch, order| Self::Held {
            count: hashes,
            batch,
            order,
        };
        let bodies_by = |batch| Self::Bodies {
            count: bodies,
            batch,
        };
        vec![
            Self::Body {
                bytes,
                path: PathBuf::new(),
            },
            bodies_by(bodies),
            bodies_by(1000),
            bodies_by(100),
            held(10_000, Order::Sorted),
            held(10_000, Order::Mixed),
            held(hashes, Order::Sorted),
            held(hashes, Order::Mixed),
        ]
    }

    /// Reads what `arguments` wrote.
    pub(crate) fn parse(name: &str, rest: &[&str]) -> Result<Self, String> {
        let number = |text: &str| {
            text.parse::<u32>()
                .map_err(|_| format!("{text}: not a number"))
        };
        match (name, rest) {
            ("body", [bytes, path]) => Ok(Self::Body {
                bytes: number(bytes)?.into(),
                path: PathBuf::from(path),
            }),
            ("bodies", [count, batch]) => Ok(Self::Bodies {
                count: number(count)?,
                batch: number(batch)?,
            }),
            ("held", [count, batch, order]) => Ok(Self::Held {
                count: number(count)?,
                batch: number(batch)?,
                order: match *order {
                    "sorted" => Order::Sorted,
                    "mixed" => Order::Mixed,
                    _ => return Err(format!("{order}: not sorted, not mixed")),
                },
            }),
            _ => Err(format!("{name} {rest:?}: no such workload")),
        }
    }

    /// What tells a child what to do; `content` is where its body lies.
    pub(crate) fn arguments(&self, content: Option<&Path>) -> Vec<String> {
        match self {
            Self::Body { bytes, path } => {
                let path = content.unwrap_or(path).display().to_string();
                vec!["body".to_owned(), bytes.to_string(), path]
            }
            Self::Bodies { count, batch } => {
                vec!["bodies".to_owned(), count.to_string(), batch.to_string()]
            }
            Self::Held {
                count,
                batch,
                order,
            } => {
                let order = match order {
                    Order::Sorted => "sorted",
                    Order::Mixed => "mixed",
                };
                let [count, batch] = [count, batch].map(u32::to_string);
                vec!["held".to_owned(), count, batch, order.to_owned()]
            }
        }
    }

    /// The file that is sent, gone when this is dropped.
    pub(crate) fn content(&self) -> io::Result<Option<NamedTempFile>> {
        let Self::Body { bytes, .. } = *self else {
            return Ok(None);
        };
        let mut file = NamedTempFile::new()?;
        let mut piece = Vec::with_capacity(1 << 16);
        let mut state = 1_u64;
        let mut rest = bytes;
        while rest > 0 {
            piece.clear();
            while piece.len() < 1 << 16 {
                // Knuth's linear congruence; its high half is noise enough that nothing compresses it.
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                piece.extend_from_slice(&state.to_be_bytes()[..4]);
            }
            let len = rest.min(piece.len() as u64);
            file.write_all(&piece[..len as usize])?;
            rest -= len;
        }
        file.flush()?;
        Ok(Some(file))
    }

    /// The same can be done without a protocol.
    pub(crate) const fn has_bare(&self) -> bool {
        matches!(self, Self::Body { .. })
    }

    /// How much is done, in what `unit` names, that `time_ns` were needed for: units a second.
    pub(crate) fn rate(&self, time_ns: u64) -> f64 {
        let amount = match *self {
            Self::Body { bytes, .. } => bytes as f64 / 1e6,
            Self::Bodies { count, .. } | Self::Held { count, .. } => f64::from(count) / 1e3,
        };
        amount * 1e9 / time_ns as f64
    }

    pub(crate) const fn unit(&self) -> &'static str {
        match self {
            Self::Body { .. } => "MB/s",
            Self::Bodies { .. } | Self::Held { .. } => "k/s",
        }
    }
}

impl fmt::Display for Workload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Body { bytes, .. } => write!(f, "one body of {} MiB", bytes >> 20),
            Self::Bodies { count, batch } if batch == count => {
                write!(f, "{count} bodies of {SMALL} bytes, one REQUEST")
            }
            Self::Bodies { count, batch } => {
                write!(f, "{count} bodies of {SMALL} bytes, {batch} a REQUEST")
            }
            Self::Held {
                count,
                batch,
                order,
            } => {
                let order = match order {
                    Order::Sorted => "in order",
                    Order::Mixed => "in any order",
                };
                write!(f, "{count} hashes held by both, {order}, ")?;
                match batch == count {
                    true => f.write_str("one AVAILABLE"),
                    false => write!(f, "{batch} an AVAILABLE"),
                }
            }
        }
    }
}

impl Side {
    pub(crate) fn parse(word: &str) -> Result<Self, String> {
        match word {
            "give" => Ok(Self::Give),
            "take" => Ok(Self::Take),
            _ => Err(format!("{word}: not give, not take")),
        }
    }

    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Give => "give",
            Self::Take => "take",
        }
    }
}
