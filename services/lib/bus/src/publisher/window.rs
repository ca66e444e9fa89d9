//! What was handed over and is not yet known to be stored, in order. Pure: no clock, no I/O.

use std::collections::VecDeque;
use std::time::Instant;

use super::Outgoing;

/// A message of the window.
struct Pending<T> {
    outgoing: Outgoing,
    tag: T,
    size: usize,
    /// When it was last sent; none = to be sent.
    sent: Option<Instant>,
    /// Stored, but waiting for one before it.
    stored: bool,
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
        self.pending.push_back(Pending { outgoing, tag, size, sent: None, stored: false });
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
        while self.pending.get(self.next).is_some_and(|pending| pending.stored) {
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

    /// The server has stored a message: returns when it was sent; none when that was known already.
    pub(super) fn stored(&mut self, number: u64) -> Option<Instant> {
        let index = usize::try_from(number.checked_sub(self.first)?).ok()?;
        let pending = self.pending.get_mut(index)?;
        let sent = pending.sent;
        if std::mem::replace(&mut pending.stored, true) {
            return None;
        }
        while self.pending.front().is_some_and(|pending| pending.stored) {
            if let Some(pending) = self.pending.pop_front() {
                self.bytes -= pending.size;
                self.acknowledged = Some(pending.tag);
                self.first += 1;
                self.next = self.next.saturating_sub(1);
            }
        }
        sent
    }

    /// Everything that is not known to be stored is to be sent again, in order. Returns how many were under way.
    pub(super) fn rewind(&mut self) -> u64 {
        self.next = 0;
        let mut under_way = 0;
        for pending in self.pending.iter_mut().filter(|pending| !pending.stored) {
            under_way += u64::from(pending.sent.take().is_some());
        }
        under_way
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

    #[test]
    fn acknowledged_means_everything_before_it_too() {
        let mut window = window(4);
        assert_eq!(send_all(&mut window), [0, 1, 2, 3]);
        assert!(window.stored(2).is_some() && window.stored(1).is_some());
        assert_eq!((window.acknowledged(), window.messages()), (None, 4));
        assert!(window.stored(0).is_some());
        assert_eq!((window.acknowledged(), window.messages()), (Some(102), 1));
        assert!(window.stored(2).is_none(), "known already");
        assert!(window.stored(3).is_some());
        assert_eq!((window.acknowledged(), window.messages(), window.bytes()), (Some(103), 0, 0));
    }

    #[test]
    fn a_rewind_sends_again_in_order_what_is_not_stored() {
        let mut window = window(4);
        send_all(&mut window);
        window.stored(1);
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
        window.stored(0);
        window.stored(2);
        assert_eq!(send_all(&mut window), [1]);
        assert_eq!(window.front(), 1);
    }

    #[test]
    fn what_was_never_handed_over_is_nothing() {
        let mut window = window(1);
        assert_eq!(window.stored(7), None);
        assert_eq!(window.stored(u64::MAX), None);
    }
}
