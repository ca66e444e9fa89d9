//! Whole roads on real servers, and the rules of the house. One binary: one link.

mod tidy;
