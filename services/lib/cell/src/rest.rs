//! `rest.<source>.<call>` → one page of the broker's REST interface, with the cell's token and within its limits.
//!
//! The feed lets few pages run at once and paces them, so that what is live never waits behind them.

use std::sync::Arc;
use std::time::Duration;

use broker::feed::Feed;
use broker::page::{PageError, PageRequest};
use bus::connect::NatsSettings;
use bus::requests::{Asked, Refused, RespondError, Responder};
use bytes::Bytes;
use tokio::task::JoinSet;
use tokio::time::timeout_at;
use tokio_util::sync::CancellationToken;
use tracing::{debug, error};

/// Pages under way at once; the feed lets fewer reach the broker, the others wait for their turn.
const AT_ONCE: usize = 16;
/// How long a stop waits for pages under way; who asked is told to come again.
const STOP_LIMIT: Duration = Duration::from_secs(2);

/// Answers page requests for a feed until the stop.
pub struct Rest<F> {
    feed: Arc<F>,
    responder: Responder,
}

impl<F: Feed> Rest<F> {
    /// Announces `service` for the pages of the feed's broker.
    ///
    /// # Errors
    /// [`RespondError`] when the settings of the bus cannot be meant; a server that is away is waited for.
    pub async fn start(feed: Arc<F>, nats: &NatsSettings, service: &str) -> Result<Self, RespondError> {
        let version = env!("CARGO_PKG_VERSION");
        let responder = Responder::start(nats, service, version, feed.source().as_str()).await?;
        Ok(Self { feed, responder })
    }

    /// Answers until the stop.
    pub async fn answer(mut self, stop: CancellationToken) {
        let mut pages = JoinSet::new();
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                Some(_) = pages.join_next() => {}
                asked = self.responder.next(), if pages.len() < AT_ONCE => match asked {
                    Some(asked) => {
                        pages.spawn(one(Arc::clone(&self.feed), asked));
                    }
                    None => {
                        error!("page requests cannot be answered any more: restart the service");
                        return;
                    }
                },
            }
        }
        pages.abort_all();
        self.responder.stop(STOP_LIMIT).await;
    }
}

async fn one<F: Feed>(feed: Arc<F>, asked: Asked) {
    let page = match serde_json::from_slice::<PageRequest>(&asked.payload) {
        Ok(request) => match timeout_at(asked.deadline(), feed.page(&asked.call, &request)).await {
            Ok(page) => page,
            Err(_) => Err(PageError::Temporary("no page in time: ask again".to_owned())),
        },
        Err(problem) => Err(PageError::Request(format!("not a page request: {problem}"))),
    };
    let answer = page.and_then(|page| {
        serde_json::to_vec(&page).map(Bytes::from).map_err(|e| PageError::Temporary(e.to_string()))
    });
    let outcome = answer.as_ref().map_or_else(PageError::word, |_| "page");
    debug!(call = asked.call, outcome, "page request");
    asked.answer(answer.map_err(|error| Refused::new(code(&error), error.word(), error.to_string()))).await;
}

/// As HTTP has it: 4xx = asking again unchanged would not help (but 429: later), 5xx = later it may.
const fn code(error: &PageError) -> u16 {
    match error {
        PageError::Request(_) => 400,
        PageError::Credentials(_) => 401,
        PageError::Refused { .. } => 422,
        PageError::Limited(_) => 429,
        PageError::Temporary(_) => 503,
    }
}
