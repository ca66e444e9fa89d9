//! The simulated brokers: settings turn into the bytes that Korea Investment & Securities and Kiwoom send, over REST
//! and WebSocket, out of one seeded market or (KIS) out of files of frames.
//!
//! It formats everything itself and shares no code with what reads it: a shared mistake must not cancel out.
//! The way of an event: `engine` draws a registration, `market` makes a trade or changes a book, `format` writes the
//! frame and the line of the tape, `server` puts the frame on the socket and the line into `tape`. What is Kiwoom's
//! alone is in `kiwoom`; its rows wait some tens of milliseconds in `engine::outbox`.
//!
//! With `[simulator.day]` it has a whole day of the past in place of a market that runs: journals of what the feeds
//! delivered of it, and pages of all of it (`day`).

mod clock;
mod config;
mod control;
mod credentials;
mod day;
mod engine;
mod format;
mod hub;
mod kiwoom;
mod market;
mod request;
mod rest;
mod run;
mod script;
mod server;
mod state;
mod tape;
mod tls;
mod tr;

#[cfg(test)]
mod tests;

fn main() -> std::process::ExitCode {
    process::run::<config::Raw, config::Settings, _, _>("simulator", run::run)
}
