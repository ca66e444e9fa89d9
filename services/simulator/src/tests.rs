//! The whole simulator on loopback, spoken to by a plain HTTP and a plain WebSocket client.

mod data;
mod day;
mod faults;
mod kiwoom;
mod protocol;
mod rest;
mod support;
