//! Why a message is not stored yet. None of these ends the publisher: the message is sent again.

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
    /// The label in the counter `bus_publish_retried_total`.
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
}
