//! The live view: one look at the bus for any number of clients, over WebSocket and HTTP, and the page.
//!
//! The way of an event: [`feed`] (bus to events), [`hub`] (the one task that knows everything), [`merge`] (two brokers to one
//! line; pure), [`wire`] and [`batch`] (encoded once for all), [`client`] (a bounded queue for each), [`socket`] (out). The
//! other way: [`request`] (what a client wants) to a [`view::Selection`]. Beside it [`http`], [`access`] and [`archive`]; in
//! place of the bus, on demand, a day of the archive: [`replay`].
//! `docs/gateway.md` describes the interface.

mod access;
mod app;
mod archive;
mod batch;
mod client;
mod clock;
mod config;
mod feed;
mod figures;
mod http;
mod hub;
mod merge;
mod replay;
mod request;
mod run;
mod socket;
mod view;
mod wire;

fn main() -> std::process::ExitCode {
    process::run::<config::Raw, config::Settings, _, _>("gateway", run::run)
}
