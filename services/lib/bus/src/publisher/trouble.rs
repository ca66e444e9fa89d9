//! Why a message is not stored yet. None of these ends the publisher: the message is sent again.

use std::time::{Duration, Instant};

/// A server that starts answers before it has loaded its streams, and knows none of their subjects until then: about a
/// second a gigabyte on a slow disk. What lasts longer is no start.
const LOADING: Duration = Duration::from_secs(15);

/// What stands in the way of publishing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// No connection to the server.
    #[error("no connection to the server: {problem}")]
    Disconnected {
        /// Why.
        problem: String,
    },
    /// The server does not know the user and password.
    #[error("the server refuses the user or password")]
    Credentials,
    /// No answer in time; the message may be stored all the same.
    #[error("no answer in time: server stalled, or publishing not permitted")]
    Timeout,
    /// No stream takes the subject.
    #[error("no stream takes the subject: apply the streams")]
    NoStream,
    /// The server or the library refuses: a full disk, a limit, a stream without a leader.
    #[error("refused: {description} (code {code})")]
    Refused {
        /// JetStream's error code, 0 when it is not one of the server's.
        code: u64,
        /// The server's text.
        description: String,
    },
}

impl Trouble {
    /// The label in the counters `sise_bus_publish_trouble_total` and `sise_bus_publish_retried_total`.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Disconnected { .. } => "disconnected",
            Self::Credentials => "credentials",
            Self::Timeout => "timeout",
            Self::NoStream => "no_stream",
            Self::Refused { .. } => "refused",
        }
    }

    /// Whether time alone will not help.
    #[must_use]
    pub const fn needs_a_person(&self) -> bool {
        matches!(self, Self::Credentials | Self::NoStream | Self::Refused { .. })
    }

    /// Whether another connection may help.
    pub(super) const fn of_the_connection(&self) -> bool {
        matches!(self, Self::Disconnected { .. } | Self::Credentials | Self::Timeout)
    }

    /// How long it may be of the kind that passes by itself although it looks as if it needed a person.
    const fn patience(&self) -> Duration {
        match self {
            Self::NoStream => LOADING,
            _ => Duration::ZERO,
        }
    }
}

/// How a trouble is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Telling {
    /// Nothing is lost, and nobody is needed.
    Warning,
    /// A person is needed.
    Error,
}

/// A trouble that lasts.
#[derive(Debug)]
pub(super) struct Standstill {
    /// What stands in the way.
    pub(super) trouble: Trouble,
    /// The front of the window when it was last met.
    pub(super) front: u64,
    since: Instant,
    is_told_as_error: bool,
}

impl Standstill {
    /// A trouble is met, for the first time or again: how long it lasts, and what is to be told, each once.
    pub(super) fn met(
        known: Option<Self>,
        trouble: Trouble,
        front: u64,
        now: Instant,
    ) -> (Self, Option<Telling>) {
        let same = known.filter(|known| known.trouble == trouble);
        let is_new = same.is_none();
        let (since, told) = same.map_or((now, false), |known| (known.since, known.is_told_as_error));
        let is_error = trouble.needs_a_person() && now.duration_since(since) >= trouble.patience();
        let telling = match (is_error && !told, is_new) {
            (true, _) => Some(Telling::Error),
            (false, true) => Some(Telling::Warning),
            (false, false) => None,
        };
        (Self { trouble, front, since, is_told_as_error: told || is_error }, telling)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is told of troubles met at these seconds.
    fn told(met: &[(u64, Trouble)]) -> Vec<Option<Telling>> {
        let (start, mut standing) = (Instant::now(), None);
        let telling = met.iter().map(|(seconds, trouble)| {
            let now = start + Duration::from_secs(*seconds);
            let (new, telling) = Standstill::met(standing.take(), trouble.clone(), 7, now);
            standing = Some(new);
            telling
        });
        telling.collect()
    }

    #[test]
    fn a_missing_stream_is_an_error_once_and_not_while_the_server_loads() {
        let met = [0, 5, 14, 15, 30].map(|seconds| (seconds, Trouble::NoStream));
        assert_eq!(told(&met), [Some(Telling::Warning), None, None, Some(Telling::Error), None]);
        // Another trouble in between: the server was away again.
        let away = Trouble::Disconnected { problem: "connection lost".into() };
        let met = [(0, Trouble::NoStream), (10, away), (20, Trouble::NoStream), (30, Trouble::NoStream)];
        assert_eq!(
            told(&met),
            [Some(Telling::Warning), Some(Telling::Warning), Some(Telling::Warning), None]
        );
    }

    #[test]
    fn what_time_does_not_heal_is_an_error_at_once_and_what_it_heals_never() {
        let refused = Trouble::Refused { code: 10_077, description: "maximum messages exceeded".into() };
        assert_eq!(told(&[(0, refused.clone()), (60, refused)]), [Some(Telling::Error), None]);
        assert_eq!(told(&[(0, Trouble::Timeout), (600, Trouble::Timeout)]), [Some(Telling::Warning), None]);
    }
}
