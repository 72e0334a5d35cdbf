use crate::calendar::Span;
use crate::core::Core;
use crate::event::{Event, FAULT};
use crate::route::Route;
use crate::timers::Due;
use crate::{NodeId, Time};

/// What limited bandwidths do to segments: each waits behind those that were there before it.
impl Core {
    /// When a segment that is handed over now has left the node and its link's bandwidth behind.
    pub(super) fn depart(&mut self, id: NodeId, peer: NodeId, route: &Route, bytes: u32) -> Time {
        let mut span = (self.now, self.now);
        let up = self.plan.routes.access(id).up;
        if up.is_none() && route.bandwidth.is_none() {
            return self.now;
        }
        let lines = self.node(id).lines();
        if let Some(up) = up {
            span = lines.up.pass(span, bytes, up);
        }
        if let Some(bandwidth) = route.bandwidth {
            let link = lines.links.entry(peer).or_default();
            span = link.pass(span, bytes, bandwidth);
        }
        span.1
    }

    /// Whether the node's downlink keeps what arrives for later.
    pub(super) fn is_kept_by_downlink(&mut self, event: &Event, payload: Span) -> bool {
        let (id, routes) = (event.dest, &self.plan.routes);
        let link = || self.plan.route(event.source, id, event.time);
        let Some(down) = routes.access(id).down else {
            return false;
        };
        if event.source == FAULT {
            return false;
        }
        // Its last byte comes now. The first came earlier, by as long as the slowest line on the way took.
        let bytes = event.record.line_bytes();
        let before = [routes.access(event.source).up, link().bandwidth];
        let slowest = before.into_iter().flatten().min();
        let took = slowest.map(|slowest| slowest.time_of(bytes));
        let first = event.time - took.unwrap_or_default();
        let lines = self.node(id).lines();
        let (_, through) = lines.down.pass((first, event.time), bytes, down);
        let is_next = lines.arriving.is_empty();
        if is_next && through == event.time {
            return false;
        }
        let event = Event {
            time: through,
            ..*event
        };
        let payload = self.window.bytes(payload).into();
        self.node(id).lines().arriving.push_back((event, payload));
        if is_next {
            self.set_timer(id, through, Due::Downlink);
        }
        true
    }

    /// The downlink has passed a segment.
    pub(crate) fn receive_from_downlink(&mut self, id: NodeId) {
        let arriving = &mut self.node(id).lines().arriving;
        let Some((event, payload)) = arriving.pop_front() else {
            return;
        };
        if let Some((next, _)) = arriving.front() {
            let at = next.time;
            self.set_timer(id, at, Due::Downlink);
        }
        let payload = self.window.keep(payload);
        self.deliver(&event, payload);
    }
}
