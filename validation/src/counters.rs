//! What the kernel counts of a network namespace.

/// What the kernel counts in a namespace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counters {
    /// Bytes that the node sent to its interface: of IP packets with their headers, and on Ethernet with those.
    pub bytes: u64,
    /// Packets that the node sent to its interface.
    pub packets: u64,
    /// Packets that found no room at the interface.
    pub dropped: u64,
    /// Segments that were sent again.
    pub retransmitted: u64,
    /// Times that a retransmission had to wait for its timer.
    pub timeouts: u64,
    /// Segments that begin a connection and were sent again.
    pub dials_repeated: u64,
}

impl Counters {
    /// From `/proc/net/dev`, `/proc/net/snmp` and `/proc/net/netstat`.
    pub(crate) fn parse(dev: &str, snmp: &str, netstat: &str) -> Option<Self> {
        let eth0 = dev
            .lines()
            .find_map(|line| line.trim_start().strip_prefix("eth0:"))?;
        let eth0: Vec<u64> = eth0
            .split_whitespace()
            .map_while(|word| word.parse().ok())
            .collect();
        Some(Self {
            bytes: *eth0.get(8)?,
            packets: *eth0.get(9)?,
            dropped: eth0.get(3)? + eth0.get(11)?,
            retransmitted: counter(snmp, "Tcp:", "RetransSegs")?,
            timeouts: counter(netstat, "TcpExt:", "TCPTimeouts")?,
            dials_repeated: counter(netstat, "TcpExt:", "TCPSynRetrans")?,
        })
    }

    /// What was counted since.
    pub(crate) fn since(&self, earlier: &Self) -> Self {
        Self {
            bytes: self.bytes - earlier.bytes,
            packets: self.packets - earlier.packets,
            dropped: self.dropped - earlier.dropped,
            retransmitted: self.retransmitted - earlier.retransmitted,
            timeouts: self.timeouts - earlier.timeouts,
            dials_repeated: self.dials_repeated - earlier.dials_repeated,
        }
    }

    /// Both together.
    pub(crate) fn plus(&self, other: &Self) -> Self {
        Self {
            bytes: self.bytes + other.bytes,
            packets: self.packets + other.packets,
            dropped: self.dropped + other.dropped,
            retransmitted: self.retransmitted + other.retransmitted,
            timeouts: self.timeouts + other.timeouts,
            dials_repeated: self.dials_repeated + other.dials_repeated,
        }
    }
}

/// A counter of a table of names and values, each a line that begins with `group`.
fn counter(table: &str, group: &str, name: &str) -> Option<u64> {
    let mut lines = table.lines().filter_map(|line| line.strip_prefix(group));
    let (names, values) = (lines.next()?, lines.next()?);
    let mut pairs = names.split_whitespace().zip(values.split_whitespace());
    pairs.find(|(it, _)| *it == name)?.1.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_found_where_the_kernel_writes_them() {
        let dev = "Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:       0       0    0    0    0     0          0         0        0       0    0    0    0     0       0          0
  eth0:     100      10    0    1    0     0          0         0      200      20    0    2    0     0       0          0\n";
        let snmp =
            "Ip: Forwarding DefaultTTL\nIp: 1 64\nTcp: RtoMin OutSegs RetransSegs\nTcp: 200 5 4\n";
        let netstat = "TcpExt: SyncookiesSent TCPTimeouts TCPSynRetrans\nTcpExt: 0 6 7\n";
        let counters = Counters {
            bytes: 200,
            packets: 20,
            dropped: 3,
            retransmitted: 4,
            timeouts: 6,
            dials_repeated: 7,
        };
        assert_eq!(Counters::parse(dev, snmp, netstat), Some(counters));
        assert_eq!(Counters::parse(dev, "", netstat), None);
        assert_eq!(counters.plus(&counters).since(&counters), counters);
    }
}
