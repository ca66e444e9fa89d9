//! The prost types of `proto/sise/v1`, as generated. They never leave this crate: `to_proto` and `from_proto` stand
//! between them and the vocabulary. `tests/generated.rs` keeps them equal to the .proto files.

#![allow(clippy::all, clippy::cast_possible_truncation, missing_docs, reason = "generated code")]

// Not a module file of its own, so that rustfmt leaves it as generated.
include!("sise.v1.rs");
