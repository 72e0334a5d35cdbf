//! A published result, reproduced over datagrams: Table 1 of Demers et al., *Epidemic algorithms for replicated database maintenance* (PODC 1987).
//!
//! Of a thousand sites one has news. In each cycle every site that spreads it tells a site drawn at random (*push*), and is told back whether that knew already (*feedback*);
//! once that was so `k` times in a row (*counter*) it spreads no more.
//!
//! `cargo run --release -p simnet --example rumour_mongering` prints `results/rumour-mongering.md`, in some ten seconds; a number behind `--` is that of seeds.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use rand_chacha::rand_core::Rng;
use simnet::draw::bounded;
use simnet::{DatagramSocket, Host, Layout, Link, Network, Time, World};

const CYCLE: Duration = Duration::from_secs(1);

/// A message and its answer take less than a cycle.
const LATENCY: Duration = Duration::from_millis(100);

const PORT: u16 = 1;

const NEWS: u8 = 0;
const NEW_TO_ME: u8 = 1;
const KNOWN: u8 = 2;

/// One of the places where the news may come to. Clones are the same site.
#[derive(Clone)]
struct Site {
    host: Host,
    socket: Rc<DatagramSocket>,
    /// When it heard of the news.
    heard: Rc<Cell<Option<Time>>>,
    k: u32,
    /// How many more sites that know already it takes before it loses interest.
    interest: Rc<Cell<u32>>,
    told: Rc<Cell<u64>>,
}

impl Site {
    fn start(host: Host, k: u32) -> Self {
        let site = Self {
            socket: Rc::new(host.bind(PORT).expect("the port is free")),
            host,
            heard: Rc::default(),
            k,
            interest: Rc::new(Cell::new(k)),
            told: Rc::default(),
        };
        if site.host.id() == 0 {
            site.hear();
        }
        site.host.spawn(site.clone().listen());
        site
    }

    /// Whether it was new at the start of the cycle: sites act as one, so two that tell the same site in one cycle have both told it something new.
    fn hear(&self) -> bool {
        let now = self.host.now();
        if self.heard.get().is_none() {
            self.heard.set(Some(now));
            self.host.spawn(self.clone().spread());
        }
        self.heard.get().map(cycle) == Some(cycle(now))
    }

    async fn listen(self) {
        let mut word = [0];
        loop {
            let received = self.socket.recv_from(&mut word).await;
            match word {
                [NEWS] => {
                    let answer = if self.hear() { NEW_TO_ME } else { KNOWN };
                    self.send(received.source, answer);
                }
                [KNOWN] => self.interest.set(self.interest.get().saturating_sub(1)),
                _ => self.interest.set(self.k),
            }
        }
    }

    /// From the next cycle on.
    async fn spread(self) {
        let mut rng = self.host.rng();
        for cycle in cycle(self.host.now()).. {
            self.host.sleep_until(Time::ZERO + CYCLE * cycle).await;
            if self.interest.get() == 0 {
                return;
            }
            let other = bounded(rng.next_u64(), u64::from(self.host.nodes()) - 1) as u32;
            let other = if other < self.host.id() {
                other
            } else {
                other + 1
            };
            self.send(other, NEWS);
            self.told.set(self.told.get() + 1);
        }
    }

    fn send(&self, site: u32, word: u8) {
        let sent = self.socket.send_to(site, PORT, &[word]);
        sent.expect("the site is there, and a byte is short");
    }
}

/// How many cycles are over or have begun by then.
fn cycle(time: Time) -> u32 {
    let cycles = time.as_nanos().div_ceil(CYCLE.as_nanos() as u64);
    u32::try_from(cycles).expect("an epidemic takes some twenty")
}

/// What became of the news.
struct Epidemic {
    residue: f64,
    traffic: f64,
    average: f64,
    last: f64,
}

fn epidemic(sites: u32, k: u32, seed: u64) -> Epidemic {
    let network = Network::new(sites, seed, Link::constant(LATENCY));
    let world = World::new(&network, Layout::default(), |host, _| Site::start(host, k));
    let mut world = world.expect("the network can be simulated");
    while !world.is_quiet() {
        world.run_for(CYCLE).expect("time passes");
    }
    let heard: Vec<_> = world
        .nodes()
        .filter_map(|site| site.heard.get())
        .map(cycle)
        .collect();
    let told: u64 = world.nodes().map(|site| site.told.get()).sum();
    let all = f64::from(sites);
    Epidemic {
        residue: 1.0 - heard.len() as f64 / all,
        traffic: told as f64 / all,
        average: f64::from(heard.iter().sum::<u32>()) / heard.len() as f64,
        last: heard.iter().copied().max().unwrap_or(0).into(),
    }
}

/// The mean, and its standard error.
fn mean(values: &[f64]) -> (f64, f64) {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (mean, (squares / (count - 1.0) / count).sqrt())
}

/// Of k = 1 to 5: residue, traffic, t_ave and t_last, as the paper has them.
const TABLE_1: [[f64; 4]; 5] = [
    [0.18, 1.7, 11.0, 16.8],
    [0.037, 3.3, 12.1, 16.9],
    [0.011, 4.5, 12.5, 17.4],
    [0.0036, 5.6, 12.7, 17.5],
    [0.0012, 6.7, 12.8, 17.7],
];

const PREFACE: &str = "\
# Rumour mongering: a published table, reproduced

Table 1 of Demers et al., *Epidemic algorithms for replicated database maintenance* (PODC 1987): push, with feedback and a counter, among 1,000 sites.
[The example](../crates/simnet/examples/rumour_mongering.rs) runs it over simulated datagrams, each site a node, and prints this page:
`cargo run --release -p simnet --example rumour_mongering`. Means over SEEDS seeds, with their standard errors; the paper does not say how many runs its figures are of.

*Residue*: the share of sites that never hear of the news. *Traffic*: how often it was told, for each site. *t_ave*, *t_last*: cycles until an average site
of those that hear of it has heard, and the last one.

Two things that the paper leaves open show in these figures. A counter is of unnecessary contacts in a row: a necessary one sets it back. And sites act as one: whoever is told
twice in one cycle calls both contacts necessary. With both, residue, traffic and t_last are the paper's in every row; with a counter that is never set back, and sites one after
the other, the last row would be 0.0025 and 5.98. The paper's t_ave cannot be reproduced so, and hardly at all: if of k = 5 the average is 12.8 cycles, and of k = 1, where the same
sites but for a fifth are told in the same cycles, 11.0, then that fifth was told in cycle 21 on average, after t_last.
";

fn main() {
    let seeds = std::env::args().nth(1).and_then(|seeds| seeds.parse().ok());
    let seeds: u64 = seeds.unwrap_or(1_000);
    println!("{}", PREFACE.replace("SEEDS", &seeds.to_string()));
    println!("| k | residue | paper | traffic | paper | t_ave | paper | t_last | paper |");
    println!("|--:|--:|--:|--:|--:|--:|--:|--:|--:|");
    for (k, paper) in (1..).zip(TABLE_1) {
        let runs: Vec<_> = (1..=seeds).map(|seed| epidemic(1_000, k, seed)).collect();
        let of = |figure: fn(&Epidemic) -> f64| mean(&runs.iter().map(figure).collect::<Vec<_>>());
        let (residue, error) = of(|it| it.residue);
        print!("| {k} | {residue:.5} ± {error:.5} | {} |", paper[0]);
        let others = [of(|it| it.traffic), of(|it| it.average), of(|it| it.last)];
        for ((mean, error), paper) in others.into_iter().zip(&paper[1..]) {
            print!(" {mean:.3} ± {error:.3} | {paper:.1} |");
        }
        println!();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn residue_and_traffic_are_those_of_the_paper() {
        for (k, paper) in (1..).zip(TABLE_1).take(3) {
            let runs: Vec<_> = (1..=30).map(|seed| epidemic(1_000, k, seed)).collect();
            let figures: [fn(&Epidemic) -> f64; 2] = [|it| it.residue, |it| it.traffic];
            // Its last digit is rounded.
            for ((figure, paper), digit) in figures.into_iter().zip(paper).zip([0.01, 0.1]) {
                let (mean, error) = mean(&runs.iter().map(figure).collect::<Vec<_>>());
                let off = (mean - paper).abs();
                assert!(
                    off < 5.0 * error + digit / 2.0,
                    "k = {k}: {mean} ± {error}, and not {paper}"
                );
            }
        }
    }
}
