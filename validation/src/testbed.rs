//! Network namespaces, one a node, joined by links that delay and lose packets.
//!
//! Nothing of it has a name outside: a node's namespace is that of its process and vanishes with it, devices vanish with their namespace, and the
//! processes die with this one. So there is nothing to clean up, however it ends.

use std::io::{self, Write as _};
use std::net::Ipv4Addr;
use std::process::{Child, Command, Stdio};
use std::{fmt, fs};

use simnet::{Jitter, Link, Links, NodeId};

use crate::counters::Counters;
use crate::router::Router;
use crate::tun::Tun;

/// What delays and loses packets between namespaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Means {
    /// The kernel's `netem`, where a bridge hands packets to a node.
    Netem,
    /// Our own router on TUN devices.
    Router,
}

/// Whether this process is in a network namespace of its own, in which nothing has an address yet: what is made here may not touch any other.
///
/// # Errors
///
/// In words, if it is not.
pub(crate) fn check_own_namespace() -> Result<(), String> {
    match fs::read_to_string("/proc/self/net/fib_trie") {
        Ok(addresses) if addresses.is_empty() => Ok(()),
        Ok(_) => Err("error: somebody uses this network namespace: `unshare --net` makes a new one, as validation/run does".into()),
        Err(error) => Err(format!("error: /proc/self/net/fib_trie: {error}")),
    }
}

impl Means {
    /// What there is: `netem`, or the router if the kernel has none or `router` says so.
    ///
    /// # Errors
    ///
    /// In words, if there is neither.
    pub(crate) fn find(router: bool) -> Result<Self, String> {
        if !router {
            match run(
                "tc",
                &["qdisc", "add", "dev", "lo", "root", "netem", "delay", "1ms"],
            ) {
                Ok(()) => return Ok(Self::Netem),
                Err(error) => eprintln!(
                    "this kernel has no netem ({error}): a router of our own on TUN devices gives delay and loss instead"
                ),
            }
        }
        match Tun::new("probe") {
            Ok(_) => Ok(Self::Router),
            Err(error) => Err(format!(
                "neither netem nor TUN devices are to be had (/dev/net/tun: {error})"
            )),
        }
    }
}

impl fmt::Display for Means {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Netem => "`tc netem` behind a bridge",
            Self::Router => "a router in user space on TUN devices",
        })
    }
}

/// What the kernel's TCP is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tcp {
    /// The name of its congestion control.
    pub congestion: String,
    /// Whether its windows and buffers are wide from the start, so that it sends all that a node here has to say at once.
    pub wide: bool,
}

/// The first window of a wide connection, in packets.
const WIDE_PACKETS: u32 = 4096;

/// The buffers of a wide connection.
const WIDE_BYTES: u32 = 16 << 20;

/// The namespace of a node, in which its program waits for its network.
pub(crate) struct Namespace {
    /// The process, which becomes the node's program.
    pub child: Child,
    node: NodeId,
}

impl Namespace {
    /// A process in a new namespace, which waits there to run a program. It dies with this one.
    pub(crate) fn new(node: NodeId, program: &Command) -> Result<Self, String> {
        // It says a line once it is there, and then reads what to do with its network.
        const SCRIPT: &str = r#"echo && read -r setup && eval "$setup" && exec "$@""#;
        let mut command = Command::new("setpriv");
        command.args([
            "--pdeathsig",
            "KILL",
            "unshare",
            "--net",
            "sh",
            "-c",
            SCRIPT,
            "sh",
        ]);
        command.arg(program.get_program()).args(program.get_args());
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let child = command
            .spawn()
            .map_err(|error| format!("error: cannot run setpriv: {error}"))?;
        Ok(Self { child, node })
    }

    /// What the kernel has counted in the namespace.
    pub(crate) fn counters(&self) -> io::Result<Counters> {
        let file = |name| fs::read_to_string(format!("/proc/{}/net/{name}", self.child.id()));
        Counters::parse(&file("dev")?, &file("snmp")?, &file("netstat")?)
            .ok_or_else(|| io::Error::other("the kernel counts otherwise than expected"))
    }

    /// Gives the namespace its network, and lets the program run.
    fn configure(&mut self, nodes: u32, means: Means, tcp: &Tcp) -> io::Result<()> {
        let own = address(self.node);
        let route =
            format!("ip route replace 10.0.0.0/24 dev eth0 proto kernel scope link src {own}");
        let mut setup = vec![
            "ip link set lo up".to_owned(),
            format!("ip address add {own}/24 dev eth0"),
            "ip link set eth0 txqueuelen 10000 up".to_owned(),
        ];
        // The congestion control is the route's and not the namespace's, which may be forbidden to choose.
        let congestion = &tcp.congestion;
        if tcp.wide {
            setup.push(format!(
                "{route} congctl {congestion} initcwnd {WIDE_PACKETS} initrwnd {WIDE_PACKETS}"
            ));
            for buffer in ["rmem", "wmem"] {
                setup.push(format!(
                    "echo 4096 {WIDE_BYTES} {WIDE_BYTES} >/proc/sys/net/ipv4/tcp_{buffer}"
                ));
            }
        } else {
            setup.push(format!("{route} congctl {congestion}"));
        }
        if means == Means::Netem {
            // Else questions for addresses would be delayed, and what they are asked for with them.
            for node in (0..nodes).filter(|node| *node != self.node) {
                let (address, hardware) = (address(node), hardware_address(node));
                setup.push(format!(
                    "ip neighbour add {address} lladdr {hardware} dev eth0 nud permanent"
                ));
            }
        }
        self.say(&setup.join(" && "))
    }

    /// Takes the namespace its network, and a router its device. What the node still says is heard by nobody.
    pub(crate) fn cut(&self) -> Result<(), String> {
        let namespace = format!("--net=/proc/{}/ns/net", self.child.id());
        run("nsenter", &[&namespace, "ip", "link", "delete", "eth0"])
    }

    /// Writes a line to the process.
    pub(crate) fn say(&mut self, line: &str) -> io::Result<()> {
        let stdin = self.child.stdin.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        stdin.write_all(format!("{line}\n").as_bytes())
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Joins namespaces by the links of a scenario. Their programs run from now on; a router, if it takes one, forwards until they are cut.
pub(crate) fn join(
    namespaces: &mut [Namespace],
    means: Means,
    tcp: &Tcp,
    links: &Links,
    seed: u64,
) -> Result<Option<Router>, String> {
    let nodes = namespaces.len() as u32;
    let router = match means {
        Means::Netem => {
            bridge(namespaces, links)?;
            None
        }
        Means::Router => Some(tuns(namespaces, links, seed)?),
    };
    for namespace in namespaces {
        let configured = namespace.configure(nodes, means, tcp);
        configured
            .map_err(|error| format!("error: node {} ended early: {error}", namespace.node))?;
    }
    Ok(router)
}

fn tuns(namespaces: &[Namespace], links: &Links, seed: u64) -> Result<Router, String> {
    let mut tuns = Vec::new();
    for namespace in namespaces {
        let name = format!("node{}", namespace.node);
        tuns.push(Tun::new(&name).map_err(|error| format!("error: no TUN device: {error}"))?);
        let to = namespace.child.id().to_string();
        run("ip", &["link", "set", &name, "netns", &to, "name", "eth0"])?;
    }
    let addresses = namespaces
        .iter()
        .map(|namespace| address(namespace.node))
        .collect();
    Ok(Router::start(tuns, addresses, links, seed))
}

fn bridge(namespaces: &[Namespace], links: &Links) -> Result<(), String> {
    let netem = netem(links)?;
    // It may be there from a run before.
    let _ = run("ip", &["link", "delete", "bridge"]);
    run("ip", &["link", "add", "bridge", "type", "bridge"])?;
    run("ip", &["link", "set", "bridge", "up"])?;
    for namespace in namespaces {
        let name = format!("node{}", namespace.node);
        let (to, hardware) = (
            namespace.child.id().to_string(),
            hardware_address(namespace.node),
        );
        // One packet of Ethernet's size at a time, or netem would lose up to 64 KiB at once.
        let pair = [
            "link",
            "add",
            &name,
            "gso_max_segs",
            "1",
            "type",
            "veth",
            "peer",
            "name",
            "eth0",
            "address",
            &hardware,
            "gso_max_segs",
            "1",
            "netns",
            &to,
        ];
        run("ip", &pair)?;
        run("ip", &["link", "set", &name, "master", "bridge", "up"])?;
        // Here and not where the node sends, for there TCP would see its packets wait and send less.
        let mut qdisc = vec![
            "qdisc", "add", "dev", &name, "root", "netem", "limit", "100000",
        ];
        qdisc.extend(netem.split(' '));
        run("tc", &qdisc)?;
    }
    Ok(())
}

/// What `netem` is told of a link. It is the same for all that a node receives, whoever sends it.
fn netem(links: &Links) -> Result<String, String> {
    if !links.exceptions.is_empty() {
        return Err(
            "error: netem gives all links the same latency here: [[network.link]] takes --router"
                .into(),
        );
    }
    let Link {
        floor,
        jitter,
        loss,
        bandwidth,
    } = &links.default;
    if bandwidth.is_some() {
        return Err(
            "error: netem would give a node one bandwidth for all of its links: network.bandwidth takes --router"
                .into(),
        );
    }
    let delay = match jitter {
        Jitter::Quantiles(_) => unreachable!("no such setting is loaded"),
        Jitter::Constant(jitter) => format!("delay {}us", (*floor + *jitter).as_micros()),
        // Uniform over the first less and plus the second.
        Jitter::Uniform(most) => {
            let half = *most / 2;
            format!(
                "delay {}us {}us",
                (*floor + half).as_micros(),
                half.as_micros()
            )
        }
    };
    let ppm = loss.as_ppm();
    Ok(format!(
        "{delay} loss {}.{:04}%",
        ppm / 10_000,
        ppm % 10_000
    ))
}

/// The address of a node.
pub(crate) fn address(node: NodeId) -> Ipv4Addr {
    let [.., last] = (node + 1).to_be_bytes();
    Ipv4Addr::new(10, 0, 0, last)
}

fn hardware_address(node: NodeId) -> String {
    format!("02:00:00:00:00:{:02x}", node + 1)
}

/// Runs a command to its end; what it complains of is the error.
fn run(program: &str, args: &[&str]) -> Result<(), String> {
    let output = Command::new(program).args(args).output();
    let output = output.map_err(|error| format!("{program}: {error}"))?;
    match output.status.success() {
        true => Ok(()),
        false => {
            let says = String::from_utf8_lossy(&output.stderr);
            Err(format!("{program} {}: {}", args.join(" "), says.trim()))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use simnet::Probability;

    use super::*;

    #[test]
    fn netem_is_told_the_link() {
        let ms = Duration::from_millis;
        let uniform = Link::uniform(ms(20), ms(10)).with_loss(Probability::from_ppm(10_500));
        assert_eq!(
            netem(&Links::all(uniform)).unwrap(),
            "delay 25000us 5000us loss 1.0500%"
        );
        let mut links = Links::all(Link::constant(ms(3)));
        assert_eq!(netem(&links).unwrap(), "delay 3000us loss 0.0000%");
        links.exceptions.insert((0, 1), Link::constant(ms(4)));
        assert!(netem(&links).unwrap_err().contains("--router"));
    }
}
