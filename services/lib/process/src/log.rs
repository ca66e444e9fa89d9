//! Logs on standard error: text for a person, JSON lines for a machine. Each line names the spans that it belongs to: the
//! connection, the batch.

use std::io::IsTerminal as _;

use serde::Deserialize;
use tracing::Subscriber;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::config::ConfigError;

/// Section `[log]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogSettings {
    /// Filter in `tracing` form, for example `info,cell=debug`.
    pub level: String,
    /// JSON lines instead of text.
    pub json: bool,
}

impl Default for LogSettings {
    fn default() -> Self {
        Self { level: "info".to_owned(), json: false }
    }
}

/// Starts logging for this process; a second call changes nothing.
///
/// # Errors
/// [`ConfigError::Invalid`] when the filter cannot be read.
pub fn start(settings: &LogSettings) -> Result<(), ConfigError> {
    let subscriber = subscriber(settings, std::io::stderr, std::io::stderr().is_terminal())?;
    // A second subscriber is refused: tests that start two services in one process keep the first.
    let _already_started = subscriber.try_init();
    Ok(())
}

fn subscriber<W>(
    settings: &LogSettings,
    writer: W,
    colours: bool,
) -> Result<Box<dyn Subscriber + Send + Sync>, ConfigError>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let filter = EnvFilter::try_new(&settings.level).map_err(|e| ConfigError::invalid("log.level", e))?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer).with_ansi(colours);
    Ok(if settings.json { Box::new(builder.json().finish()) } else { Box::new(builder.finish()) })
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().expect("lines").extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn written(json: bool) -> String {
        let lines = Lines::default();
        let to = lines.clone();
        let settings = LogSettings { level: "info".to_owned(), json };
        let subscriber = subscriber(&settings, move || to.clone(), false).expect("subscriber");
        tracing::subscriber::with_default(subscriber, || {
            let span = tracing::info_span!("connection", source = "kis", market = "kr", key = "main");
            let _entered = span.enter();
            tracing::info!(wait_ms = 100, "connecting again");
            tracing::debug!("not of this level");
        });
        let bytes = lines.0.lock().expect("lines").clone();
        String::from_utf8(bytes).expect("text")
    }

    #[test]
    fn a_json_line_has_message_fields_and_span() {
        let text = written(true);
        assert_eq!(text.lines().count(), 1, "{text}");
        let line: serde_json::Value = serde_json::from_str(&text).expect("json");
        assert_eq!(
            (&line["level"], &line["fields"]["message"]),
            (&"INFO".into(), &"connecting again".into())
        );
        assert_eq!(line["fields"]["wait_ms"], 100);
        let span = serde_json::json!({"name": "connection", "source": "kis", "market": "kr", "key": "main"});
        assert_eq!(line["span"], span);
    }

    #[test]
    fn a_readable_line_has_them_too_and_no_colours_in_a_file() {
        let text = written(false);
        let (_, said) = text.trim_end().split_once(" INFO ").expect("level");
        let wanted = r#"connection{source="kis" market="kr" key="main"}: process::log::tests: connecting again wait_ms=100"#;
        assert_eq!(said, wanted);
    }

    #[test]
    fn a_filter_that_cannot_be_read_is_named() {
        let settings = LogSettings { level: "info,cell=loud".to_owned(), json: false };
        assert!(
            subscriber(&settings, std::io::sink, false).is_err_and(|e| e.to_string().contains("log.level"))
        );
    }
}
