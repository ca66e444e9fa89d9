//! Frames of files, played word for word to every KIS connection that has registered anything.

use std::collections::HashMap;

use tokio_tungstenite::tungstenite::Utf8Bytes;

use super::plan::{Plan, suffix};
use crate::config::Settings;
use crate::hub::Frame;
use crate::state::State;
use crate::tr::Broker;

/// The frames and how far each connection is.
#[derive(Debug)]
pub struct Replay {
    frames: Vec<(Utf8Bytes, String)>,
    repeat: usize,
    positions: HashMap<u64, usize>,
}

impl Replay {
    /// Reads the files: one frame a line; empty lines and JSON (control messages) are left out.
    ///
    /// # Errors
    /// When a file cannot be read, or none of them has a frame.
    pub fn open(settings: &Settings) -> anyhow::Result<Self> {
        let mut frames = Vec::new();
        for path in &settings.frames {
            let text = std::fs::read_to_string(path)
                .map_err(|e| anyhow::anyhow!("cannot read frames of {}: {e}", path.display()))?;
            let data = text.lines().filter(|line| !line.is_empty() && !line.starts_with('{'));
            frames
                .extend(data.map(|line| (Utf8Bytes::from(line), serde_json::Value::from(line).to_string())));
        }
        anyhow::ensure!(!frames.is_empty(), "no frame in the files of simulator.frames");
        let repeat = usize::try_from(settings.repeat).unwrap_or(usize::MAX);
        tracing::info!(frames = frames.len(), repeat, "replaying files of frames");
        Ok(Self { frames, repeat, positions: HashMap::new() })
    }

    /// Gives up to `budget` frames to the connections, one each in turn; returns how many.
    pub fn slice(&mut self, plan: &mut Plan, state: &State, budget: u64) -> u64 {
        let end = self.frames.len().saturating_mul(self.repeat);
        self.positions.retain(|id, _| plan.slots.iter().any(|slot| slot.id == *id));
        let mut given = 0;
        loop {
            let before = given;
            for slot in plan
                .slots
                .iter_mut()
                .filter(|slot| slot.broker == Broker::Kis && slot.registered && slot.ready)
            {
                let position = self.positions.entry(slot.id).or_insert(0);
                if *position >= end || given >= budget {
                    continue;
                }
                let (text, quoted) = &self.frames[*position % self.frames.len()];
                *position += 1;
                given += 1;
                if state.tape.is_on() {
                    for part in ["{\"kind\":\"frame\",\"text\":", quoted, &suffix(std::iter::once(slot.id))] {
                        slot.batch.lines.push_str(part);
                    }
                }
                let lines_end = slot.batch.lines.len();
                slot.batch.frames.push(Frame {
                    text: text.clone(),
                    tr: None,
                    others: Vec::new(),
                    records: 1,
                    events: 1,
                    lines_end,
                    spoilt: None,
                });
            }
            if given == before {
                return given;
            }
        }
    }
}
