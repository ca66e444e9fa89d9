//! The whole-road tests live in `it/`.
