//! One piece of code on simulated sockets and on those of the machine.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::rc::Rc;
use std::task::{Context, Poll};

use futures::executor::block_on;
use futures::future::{Either, select};
use simnet::{DatagramIo, Host, Layout, Time};
use smol::Async;

use crate::world::{MS, PORT, network};

/// Answers each datagram by the same bytes in reverse, until one is empty.
async fn mirror(socket: impl DatagramIo) -> io::Result<()> {
    let mut buffer = [0; 100];
    loop {
        let (length, from) = poll_fn(|cx| socket.poll_recv(cx, &mut buffer)).await?;
        buffer[..length].reverse();
        socket.send(&buffer[..length], from)?;
        if length == 0 {
            return Ok(());
        }
    }
}

/// Asks until there is an answer, for datagrams get lost.
async fn ask<S: DatagramIo, T: Future<Output = ()>>(
    socket: &S,
    at: S::Address,
    question: &[u8],
    patience: impl Fn() -> T,
) -> io::Result<Vec<u8>> {
    let mut buffer = [0; 100];
    loop {
        socket.send(question, at)?;
        let answer = poll_fn(|cx| socket.poll_recv(cx, &mut buffer));
        match select(answer, std::pin::pin!(patience())).await {
            Either::Left((answer, _)) => {
                let (length, from) = answer?;
                assert!(from == at, "nobody else answers");
                return Ok(buffer[..length].to_vec());
            }
            Either::Right(_) => continue,
        }
    }
}

struct Udp(Async<UdpSocket>);

impl Udp {
    fn bind() -> io::Result<Self> {
        Ok(Self(Async::<UdpSocket>::bind(SocketAddr::from((
            [127, 0, 0, 1],
            0,
        )))?))
    }
}

impl DatagramIo for Udp {
    type Address = SocketAddr;

    fn send(&self, payload: &[u8], to: SocketAddr) -> io::Result<()> {
        match self.0.get_ref().send_to(payload, to) {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
            _ => Ok(()),
        }
    }

    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<(usize, SocketAddr)>> {
        loop {
            match self.0.get_ref().recv_from(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                received => return Poll::Ready(received),
            }
            if self.0.poll_readable(cx)?.is_pending() {
                return Poll::Pending;
            }
        }
    }
}

#[test]
fn code_that_speaks_datagrams_runs_on_simulated_sockets() {
    let mut network = network(2);
    network.links.default.loss = simnet::Probability::from_ppm(500_000);
    let answers = Rc::new(RefCell::new(Vec::new()));
    let noted = answers.clone();
    let mut world = simnet::World::new(&network, Layout::default(), move |host: Host, _| {
        let (socket, noted) = (host.bind(PORT).expect("it is free"), noted.clone());
        host.clone().spawn(async move {
            if host.id() == 1 {
                return mirror(socket).await.expect("the socket is sound");
            }
            let patience = || host.sleep(30 * MS);
            let answer = ask(&socket, (1, PORT), b"abc", patience).await;
            noted
                .borrow_mut()
                .push(answer.expect("the socket is sound"));
        });
    })
    .expect("the network is sound");
    world.run_until(Time::from_secs(60)).expect("time passes");
    assert_eq!(*answers.borrow(), [b"cba"]);
}

#[test]
fn the_same_code_runs_on_real_sockets() {
    let [socket, peer] = [Udp::bind(), Udp::bind()].map(|it| it.expect("loopback has sockets"));
    let at = peer.0.get_ref().local_addr().expect("it is bound");
    block_on(async {
        let asked = async {
            let patience = || async {
                smol::Timer::after(30 * MS).await;
            };
            let answer = ask(&socket, at, b"abc", patience).await?;
            assert_eq!(answer, b"cba");
            socket.send(&[], at)
        };
        let (asked, mirrored) = futures::join!(asked, mirror(peer));
        asked.and(mirrored).expect("loopback is sound");
    });
}
