//! What was handed over and is not yet known to be stored, in order. Pure: no clock, no I/O.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use super::Outgoing;

/// Where a message is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// The stream.
    pub(super) stream: Arc<str>,
    /// The sequence in it.
    pub(super) sequence: u64,
}

/// A message of the window.
struct Pending<T> {
    outgoing: Outgoing,
    tag: T,
    size: usize,
    /// When it was last sent; none = to be sent.
    sent: Option<Instant>,
    /// Stored there, but waiting for one before it.
    stored: Option<Place>,
}

/// The unacknowledged messages of a publisher, numbered as handed over.
pub(super) struct Window<T> {
    pending: VecDeque<Pending<T>>,
    /// Number of the front of `pending`.
    first: u64,
    /// Index of the first message that is to be sent.
    next: usize,
    bytes: usize,
    acknowledged: Option<T>,
}

impl<T: Copy> Window<T> {
    pub(super) fn new() -> Self {
        Self { pending: VecDeque::new(), first: 0, next: 0, bytes: 0, acknowledged: None }
    }

    pub(super) fn push(&mut self, outgoing: Outgoing, tag: T) {
        let size = outgoing.size();
        self.bytes += size;
        self.pending.push_back(Pending { outgoing, tag, size, sent: None, stored: None });
    }

    pub(super) fn messages(&self) -> usize {
        self.pending.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The tag up to which everything is stored.
    pub(super) fn acknowledged(&self) -> Option<T> {
        self.acknowledged
    }

    /// The number of the oldest message that is not known to be stored.
    pub(super) fn front(&self) -> u64 {
        self.first
    }

    /// The next message to send and its number.
    pub(super) fn next_unsent(&mut self) -> Option<(u64, &Outgoing)> {
        while self.pending.get(self.next).is_some_and(|pending| pending.stored.is_some()) {
            self.next += 1;
        }
        let number = self.first + u64::try_from(self.next).ok()?;
        self.pending.get(self.next).map(|pending| (number, &pending.outgoing))
    }

    /// The message of the last [`Window::next_unsent`] is on its way.
    pub(super) fn sent(&mut self, now: Instant) {
        if let Some(pending) = self.pending.get_mut(self.next) {
            pending.sent = Some(now);
            self.next += 1;
        }
    }

    /// The server has stored a message: returns when it was sent; none when that was known already. `gone` is told of
    /// each message that leaves the window, in order: where it is, its id, its tag.
    pub(super) fn stored(
        &mut self,
        number: u64,
        place: Place,
        mut gone: impl FnMut(Place, String, T),
    ) -> Option<Instant> {
        let index = usize::try_from(number.checked_sub(self.first)?).ok()?;
        let pending = self.pending.get_mut(index)?;
        let sent = pending.sent;
        if pending.stored.replace(place).is_some() {
            return None;
        }
        while let Some(Pending { outgoing, tag, size, stored: Some(place), .. }) =
            self.pending.pop_front_if(|pending| pending.stored.is_some())
        {
            self.bytes -= size;
            self.acknowledged = Some(tag);
            self.first += 1;
            self.next = self.next.saturating_sub(1);
            gone(place, outgoing.message_id, tag);
        }
        sent
    }

    /// Forgets everything: it will be handed over again.
    pub(super) fn clear(&mut self) {
        self.first += u64::try_from(self.pending.len()).unwrap_or(0);
        self.pending.clear();
        self.next = 0;
        self.bytes = 0;
        self.acknowledged = None;
    }

    /// Everything that is not known to be stored is to be sent again, in order. Returns how many were under way.
    pub(super) fn rewind(&mut self) -> u64 {
        self.next = 0;
        let mut under_way = 0;
        for pending in self.pending.iter_mut().filter(|pending| pending.stored.is_none()) {
            under_way += u64::from(pending.sent.take().is_some());
        }
        under_way
    }

    /// As [`Window::rewind`], what is stored behind the front included: another server may know nothing of it.
    pub(super) fn rewind_all(&mut self) -> u64 {
        self.pending.iter_mut().for_each(|pending| pending.stored = None);
        self.rewind()
    }

    /// When the oldest message under way was sent.
    pub(super) fn oldest_sent(&self) -> Option<Instant> {
        self.pending.front().and_then(|pending| pending.sent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(count: u64) -> Window<u64> {
        let mut window = Window::new();
        for tag in 0..count {
            window.push(Outgoing::new("s", format!("{tag}"), "payload"), 100 + tag);
        }
        window
    }

    fn send_all(window: &mut Window<u64>) -> Vec<u64> {
        let mut numbers = Vec::new();
        while let Some((number, _)) = window.next_unsent() {
            numbers.push(number);
            window.sent(Instant::now());
        }
        numbers
    }

    /// The message is stored at ten times its number.
    fn stored(window: &mut Window<u64>, number: u64) -> Option<Instant> {
        let place = Place { stream: "S".into(), sequence: number.saturating_mul(10) };
        window.stored(number, place, |_, _, _| ())
    }

    #[test]
    fn acknowledged_means_everything_before_it_too() {
        let mut window = window(4);
        assert_eq!(send_all(&mut window), [0, 1, 2, 3]);
        assert!(stored(&mut window, 2).is_some() && stored(&mut window, 1).is_some());
        assert_eq!((window.acknowledged(), window.messages()), (None, 4));
        assert!(stored(&mut window, 0).is_some());
        assert_eq!((window.acknowledged(), window.messages()), (Some(102), 1));
        assert!(stored(&mut window, 2).is_none(), "known already");
        assert!(stored(&mut window, 3).is_some());
        assert_eq!((window.acknowledged(), window.messages(), window.bytes()), (Some(103), 0, 0));
    }

    #[test]
    fn a_rewind_sends_again_in_order_what_is_not_stored() {
        let mut window = window(4);
        send_all(&mut window);
        stored(&mut window, 1);
        assert_eq!(window.rewind(), 3);
        assert_eq!(window.oldest_sent(), None);
        window.push(Outgoing::new("s", "4", "payload"), 104);
        assert_eq!(send_all(&mut window), [0, 2, 3, 4]);
    }

    #[test]
    fn an_acknowledgement_of_an_earlier_sending_counts_before_the_second() {
        let mut window = window(3);
        send_all(&mut window);
        window.rewind();
        stored(&mut window, 0);
        stored(&mut window, 2);
        assert_eq!(send_all(&mut window), [1]);
        assert_eq!(window.front(), 1);
    }

    #[test]
    fn what_was_never_handed_over_is_nothing() {
        let mut window = window(1);
        assert_eq!(stored(&mut window, 7), None);
        assert_eq!(stored(&mut window, u64::MAX), None);
    }

    #[test]
    fn what_leaves_is_told_in_order_with_its_place() {
        let mut window = window(3);
        send_all(&mut window);
        let mut told = Vec::new();
        for number in [1, 0, 2] {
            let place = Place { stream: "S".into(), sequence: 50 - number };
            window.stored(number, place, |place, id, tag| told.push((place.sequence, id, tag)));
        }
        assert_eq!(told, [(50, "0".into(), 100), (49, "1".into(), 101), (48, "2".into(), 102)]);
    }

    #[test]
    fn another_server_gets_all_of_the_window_and_a_cleared_one_nothing() {
        let mut window = window(3);
        send_all(&mut window);
        stored(&mut window, 1);
        assert_eq!(window.rewind_all(), 3);
        assert_eq!(send_all(&mut window), [0, 1, 2]);
        stored(&mut window, 0);
        window.clear();
        assert_eq!((window.messages(), window.bytes(), window.acknowledged()), (0, 0, None));
        assert_eq!((window.front(), stored(&mut window, 2)), (3, None));
        window.push(Outgoing::new("s", "3", "payload"), 103);
        assert_eq!(send_all(&mut window), [3]);
    }
}
