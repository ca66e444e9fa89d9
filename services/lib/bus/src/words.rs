//! The closed vocabularies in both directions: each list of words stands here once.

use crate::decode_error::DecodeError;
use crate::generated as proto;

/// Two functions between the enum of the vocabulary and the number on the wire. A number that is none of the words is
/// an error, `UNSPECIFIED` too unless the vocabulary has it.
macro_rules! words {
    ($name:ident, $field:literal, $to:ident, $from:ident, [$($word:ident),+ $(,)?]) => {
        pub(crate) fn $to(word: market::$name) -> i32 {
            match word {
                $(market::$name::$word => proto::$name::$word.into(),)+
            }
        }

        pub(crate) fn $from(number: i32) -> Result<market::$name, DecodeError> {
            match proto::$name::try_from(number) {
                $(Ok(proto::$name::$word) => Ok(market::$name::$word),)+
                #[allow(unreachable_patterns, reason = "a vocabulary with UNSPECIFIED has nothing left here")]
                Ok(_) | Err(_) => Err(DecodeError::UnknownValue { field: $field, value: number }),
            }
        }
    };
}

words!(Market, "market", market_to_proto, market_from_proto, [Kr, Us]);
words!(Source, "source", source_to_proto, source_from_proto, [Kis, Kiwoom]);
words!(Tape, "tape", tape_to_proto, tape_from_proto, [Krx, Nxt, All, Us, Day]);
words!(Origin, "origin", origin_to_proto, origin_from_proto, [Live, Recovered]);
words!(
    AggressorSide,
    "aggressor_side",
    aggressor_side_to_proto,
    aggressor_side_from_proto,
    [Unspecified, None, Buy, Sell]
);
words!(
    GapReason,
    "reason",
    gap_reason_to_proto,
    gap_reason_from_proto,
    [Disconnected, Refused, JournalFull, JournalDamaged, Failover, ChainBreak, ServerLost]
);
words!(
    Method,
    "method",
    method_to_proto,
    method_from_proto,
    [None, Ka10084, Ka10079, Ka10003, Fhpst01060000, Hhdfs76200300]
);
words!(Proof, "proof", proof_to_proto, proof_from_proto, [Chained, Anchored, Minutes, Unproven, NoSource]);
words!(Group, "group", group_to_proto, group_from_proto, [A, B]);
words!(ChangedBy, "by", changed_by_to_proto, changed_by_from_proto, [Auto, Manual]);
words!(
    Session,
    "session",
    session_to_proto,
    session_from_proto,
    [
        Unspecified,
        Closed,
        NotYetOpen,
        OpenAuction,
        Continuous,
        CloseAuction,
        PostClose,
        SinglePrice,
        After,
        Pre,
        Pause,
        Main,
        AfterAuction,
        Regular,
        Overnight,
    ]
);
