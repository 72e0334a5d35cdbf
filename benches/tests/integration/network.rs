use crate::heap::Heap;
use crate::islands::{ISLAND, ISLANDS, Islands, sockets, streams};

/// Nodes, sockets and streams of simnet itself, whatever code uses them.
#[test]
fn what_a_network_is_made_of_is_small() {
    let nodes = i64::from(ISLANDS * ISLAND);
    let node = Islands::new(0).start(|_, _| ()).bytes_each(nodes);
    let socket = Islands::new(0).start(sockets).bytes_each(nodes) - node;
    let [some, more] = [8, 16].map(|degree| {
        let mut islands = Islands::new(degree);
        let heap: Heap = islands.start(streams);
        (heap, islands.ends() / 2)
    });
    let stream = (more.0 - some.0).bytes_each(more.1 - some.1);
    let told = format!(
        "{node} bytes a node, {socket} more for a socket and the task that reads it, {stream} a stream with both its ends"
    );
    println!("{told}");
    assert!(node <= 288 && socket <= 512 && stream <= 192, "{told}");
}
