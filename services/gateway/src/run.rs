//! The service: the hub in one task, the bus beside it, HTTP in front, an orderly stop.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use axum::serve::ListenerExt as _;
use market::universe::{MOST_BYTES, Universe};
use process::{Shutdown, clock, text_file};
use store::Store;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};

use crate::access::{Access, Gate};
use crate::app::App;
use crate::client::Limits;
use crate::clock::Clock;
use crate::config::{GatewaySettings, Settings};
use crate::feed::{self, Taps, Told};
use crate::http::router;
use crate::hub::instruments::MergeSettings;
use crate::hub::{Command, Hub};
use crate::replay::{self, Day, Player, Progress, ReplaySettings, Tempo};
use crate::socket::SocketSettings;

/// Commands that wait for the hub: a crowd that comes at once. Who asks beyond it waits.
const COMMANDS: usize = 1_024;
/// What the tasks beside the bus have told and the hub has not taken: streams of last messages.
const TOLD: usize = 4;
/// Commands that are done in a row before the clock is looked at.
const COMMANDS_AT_ONCE: usize = 64;
/// How often the symbols file is read again.
const UNIVERSE: Duration = Duration::from_secs(30);
/// How often is looked whether it is ready.
const LOOK: Duration = Duration::from_secs(1);
/// What clients hear at the stop.
const STOPS: &str = "the gateway stops: connect again";
/// What clients hear when a day was played.
const OVER: &str = "the replay is over";
/// How long clients may take to go.
const STOP: Duration = Duration::from_secs(5);

/// Serves until the stop is asked for.
///
/// # Errors
/// When the address cannot be listened on, or the connection to the bus is closed for good.
pub async fn run(settings: Settings, shutdown: Shutdown) -> anyhow::Result<()> {
    crate::figures::describe();
    if let Some(replay) = settings.gateway.replay.clone() {
        return play(&settings, replay, shutdown).await;
    }
    let [bus_ready, seeded] = process::ready::parts(["bus", "last_messages"]);
    let gateway = &settings.gateway;
    let client = bus::connect(&settings.nats, "gateway").await?;
    let context = bus::jetstream(client.clone());
    // Before the last messages are read, so that nothing lies between.
    let taps = Taps::open(&client).await?;
    let (commands, asked) = mpsc::channel(COMMANDS);
    let (tell, told) = mpsc::channel(TOLD);
    tokio::spawn(feed::seed(client.clone(), context.clone(), tell.clone(), shutdown.clone()));
    tokio::spawn(feed::look(context, tell, shutdown.clone()));
    tokio::spawn(follow_universe(settings.symbols.clone(), commands.clone(), shutdown.clone()));
    let (sockets, gone) = mpsc::channel(1);
    let bus = Arc::new(move || client.connection_state().to_string() == "connected");
    let app = Arc::new(app(&settings, commands, sockets, bus, shutdown.clone())?);
    // Weak: what holds the app holds up the stop.
    let (looked_at, read) = (Arc::downgrade(&app), Arc::downgrade(&app));
    process::ready::watch(bus_ready, LOOK, move || {
        let connected = looked_at.upgrade().is_some_and(|app| (app.bus)());
        async move { if connected { Ok(()) } else { Err("not connected") } }
    });
    process::ready::watch(seeded, LOOK, move || {
        let ready = read.upgrade().is_some_and(|app| app.ready.load(Ordering::Relaxed));
        async move { if ready { Ok(()) } else { Err("being read") } }
    });
    let hub = Hub::new(merge(gateway)?, i64::try_from(gateway.stale.as_nanos())?, clock::now_ns());
    let working =
        tokio::spawn(work(hub, taps, asked, told, gateway.batch, Arc::clone(&app), shutdown.clone()));
    serve(gateway, app, working, gone, shutdown).await
}

fn merge(gateway: &GatewaySettings) -> anyhow::Result<MergeSettings> {
    Ok(MergeSettings {
        wait_ms: u64::try_from(gateway.wait.as_millis())?,
        book_behind_ns: i64::try_from(gateway.book_switch.as_nanos())?,
    })
}

/// What the handlers need.
fn app(
    settings: &Settings,
    commands: mpsc::Sender<Command>,
    sockets: mpsc::Sender<()>,
    bus: Arc<dyn Fn() -> bool + Send + Sync>,
    shutdown: Shutdown,
) -> anyhow::Result<App> {
    let gateway = &settings.gateway;
    Ok(App {
        commands,
        store: Store::new(&settings.clickhouse)?,
        access: Access::new(gateway.token.clone(), gateway.origins.clone()),
        gate: Gate::new(gateway.clients, gateway.clients_per_address),
        limits: Limits { age: gateway.queue, bytes: gateway.queue_bytes },
        socket: SocketSettings {
            batch: gateway.batch,
            heartbeat: gateway.heartbeat,
            slow: gateway.slow,
            clock: Clock::Machine,
            farewell: STOPS,
        },
        ready: AtomicBool::new(false),
        bus,
        next_client: AtomicU64::new(1),
        shutdown,
        sockets,
        clock: Clock::Machine,
        replay: None,
    })
}

/// Plays a day in place of the bus; ends when it is over and told.
async fn play(settings: &Settings, replay: ReplaySettings, shutdown: Shutdown) -> anyhow::Result<()> {
    let gateway = &settings.gateway;
    let store = Store::new(&settings.clickhouse)?;
    let day = Arc::new(Day::look(&store, &replay.day).await?);
    let progress = Arc::new(Progress::new(&day, replay.speed));
    let clock = Clock::played(day.begin_ns());
    let (commands, mut asked) = mpsc::channel(COMMANDS);
    let (sockets, gone) = mpsc::channel(1);
    tokio::spawn(follow_universe(settings.symbols.clone(), commands.clone(), shutdown.clone()));
    let mut app = app(settings, commands, sockets, Arc::new(|| true), shutdown.clone())?;
    (app.clock, app.replay) = (clock.clone(), Some(Arc::clone(&progress)));
    (app.socket.clock, app.socket.farewell) = (clock.clone(), OVER);
    if replay.speed == 0 {
        // The day's clock waits for who reads: what waits is not too old.
        app.limits.age = gateway.slow;
    }
    app.ready.store(true, Ordering::Relaxed);
    let tempo = Tempo { speed: replay.speed, batch: gateway.batch };
    let wait_ns = i64::try_from(gateway.wait.as_nanos())?;
    let player =
        Player { day: Arc::clone(&day), tempo, progress, clock: clock.clone(), wait_ns, slow: gateway.slow };
    // Its looks at the feeds stand as far apart as batches do.
    let stale_ns = i64::try_from(gateway.stale.as_nanos())?.max(tempo.step_ns().saturating_mul(2));
    let mut hub = Hub::playing(merge(gateway)?, stale_ns, clock);
    let stretches = replay::read(store, replay.day, day, shutdown.clone());
    let stop = shutdown.clone();
    let working = tokio::spawn(async move {
        player.play(&mut hub, &mut asked, stretches, &stop).await;
        stop.request();
        Ok(())
    });
    serve(gateway, Arc::new(app), working, gone, shutdown).await
}

/// Serves page, HTTP and sockets until the stop.
async fn serve(
    gateway: &GatewaySettings,
    app: Arc<App>,
    working: JoinHandle<anyhow::Result<()>>,
    mut gone: mpsc::Receiver<()>,
    shutdown: Shutdown,
) -> anyhow::Result<()> {
    let page = gateway.page.clone().unwrap_or_else(page_beside);
    if !page.join("index.html").exists() {
        tracing::warn!(folder = %page.display(), "no page there: build it, or set gateway.page");
    }
    let listener = TcpListener::bind(gateway.listen)
        .await
        .with_context(|| format!("cannot listen on gateway.listen {}", gateway.listen))?;
    tracing::info!(address = %listener.local_addr()?, "serving");
    // What is small goes out at once.
    let listener = listener.tap_io(|stream| {
        let _as_it_is = stream.set_nodelay(true);
    });
    let service = router(app, page).into_make_service_with_connect_info::<SocketAddr>();
    let stop = shutdown.clone();
    let served = axum::serve(listener, service).with_graceful_shutdown(async move { stop.requested().await });
    tokio::select! {
        ended = served => ended?,
        ended = working => ended??,
        () = async { shutdown.requested().await; tokio::time::sleep(STOP).await } => {
            tracing::warn!("clients did not go in time");
        }
    }
    // Each socket holds a sender, and so does the router, which is gone.
    let _late = tokio::time::timeout(STOP, gone.recv()).await;
    Ok(())
}

/// The folder `page` beside the program.
fn page_beside() -> PathBuf {
    let program = std::env::current_exe().unwrap_or_default();
    program.parent().unwrap_or(Path::new(".")).join("page")
}

/// Drives the hub until the stop.
async fn work(
    mut hub: Hub,
    mut taps: Taps,
    mut asked: mpsc::Receiver<Command>,
    mut told: mpsc::Receiver<Told>,
    batch: Duration,
    app: Arc<App>,
    shutdown: Shutdown,
) -> anyhow::Result<()> {
    let mut clock = interval(batch);
    clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut commands = Vec::with_capacity(COMMANDS_AT_ONCE);
    loop {
        tokio::select! {
            biased;
            () = shutdown.requested() => return Ok(()),
            _ = clock.tick() => hub.tick(clock::now_ns()),
            count = asked.recv_many(&mut commands, COMMANDS_AT_ONCE) => {
                if count == 0 {
                    return Ok(());
                }
                let now_ns = clock::now_ns();
                commands.drain(..).for_each(|command| hub.command(command, now_ns));
            }
            Some(told) = told.recv() => match told {
                Told::Last(events) => {
                    let now_ns = clock::now_ns();
                    events.into_iter().for_each(|event| hub.event(event, false, now_ns));
                }
                Told::Seeded => {
                    hub.seeded();
                    app.ready.store(true, Ordering::Relaxed);
                }
                Told::Health(look) => hub.looked(look, clock::now_ns()),
            },
            event = taps.next() => {
                let event = event.context("the connection to the bus is closed for good")?;
                metrics::counter!("sise_gateway_events_total").increment(1);
                hub.event(event, true, clock::now_ns());
            }
        }
    }
}

/// Reads the symbols file again and again. A mistake in it changes nothing and is told once.
async fn follow_universe(file: PathBuf, commands: mpsc::Sender<Command>, shutdown: Shutdown) {
    let mut last: Option<Result<Universe, String>> = None;
    loop {
        let read = read_universe(&file);
        if last.as_ref() != Some(&read) {
            match &read {
                Ok(universe) => {
                    tracing::info!(symbols = universe.entries.len(), "symbols file read");
                    if commands.send(Command::Universe(universe.clone())).await.is_err() {
                        return;
                    }
                }
                Err(error) => tracing::warn!(%error, "symbols file cannot be read"),
            }
            last = Some(read);
        }
        tokio::select! {
            () = shutdown.requested() => return,
            () = tokio::time::sleep(UNIVERSE) => {}
        }
    }
}

fn read_universe(file: &Path) -> Result<Universe, String> {
    let text = text_file::read(file, MOST_BYTES)?;
    let folder = file.parent().unwrap_or(Path::new(""));
    let mut read = |name: &str| text_file::read(&folder.join(name), MOST_BYTES);
    Universe::from_yaml_with(&text, &mut read).map_err(|problem| format!("{}: {problem}", file.display()))
}
