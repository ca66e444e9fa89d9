//! The topology against a server.

use std::collections::BTreeSet;

use async_nats::jetstream::stream::{Config, StorageType};
use bus::topology::{ChangeKind, apply, diff};
use bus::{NatsSettings, Topology};

use crate::support::NatsServer;

fn kinds(changes: &[bus::topology::Change]) -> Vec<ChangeKind> {
    let mut kinds: Vec<_> = changes.iter().map(|change| change.kind).collect();
    kinds.dedup();
    kinds
}

#[tokio::test(flavor = "multi_thread")]
async fn applying_twice_changes_nothing() {
    let server = NatsServer::start().await;
    let context = server.context("sise").await;
    let topology = Topology::load(&server.settings()).expect("topology");
    let before = diff(&context, &topology).await.expect("diff");
    assert_eq!((before.len(), kinds(&before)), (19, vec![ChangeKind::New]));
    assert_eq!(apply(&context, &topology).await.expect("applied"), before);
    let after = diff(&context, &topology).await.expect("diff");
    assert_eq!(kinds(&after), [ChangeKind::Unchanged]);
    assert_eq!(kinds(&apply(&context, &topology).await.expect("applied")), [ChangeKind::Unchanged]);

    let info = context.get_stream("TICKER_KR_KIS").await.expect("stream").cached_info().clone();
    assert_eq!(info.config.subjects, ["ticker.kr.kis.>"]);
    assert_eq!(info.config.duplicate_window.as_secs(), 120);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_limit_is_shown_and_made() {
    let server = NatsServer::start().await.with_streams().await;
    let context = server.context("sise").await;
    let settings = NatsSettings { max_bytes: Some(32 << 20), ..server.settings() };
    let topology = Topology::load(&settings).expect("topology");
    for make in [false, true] {
        let changes = if make { apply(&context, &topology).await } else { diff(&context, &topology).await };
        let changes = changes.expect("compared");
        assert_eq!(
            changes[0].to_string(),
            "stream TICKER_KR_KIS: changed\n    max_bytes: 67108864 -> 33554432"
        );
        assert_eq!(changes[1].kind, ChangeKind::Unchanged);
    }
    assert_eq!(kinds(&diff(&context, &topology).await.expect("diff")), [ChangeKind::Unchanged]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_changed_is_left_and_named() {
    let server = NatsServer::start().await;
    let context = server.context("sise").await;
    let memory = Config {
        name: "STATUS".into(),
        subjects: vec!["status.>".into()],
        storage: StorageType::Memory,
        ..Config::default()
    };
    context.create_stream(memory).await.expect("stream");
    let topology = Topology::load(&server.settings()).expect("topology");
    let changes = apply(&context, &topology).await.expect("applied");
    let left: BTreeSet<_> =
        changes.iter().filter(|c| c.kind == ChangeKind::CannotChange).map(|c| c.what.as_str()).collect();
    assert_eq!(left, BTreeSet::from(["stream STATUS"]));
    let status = context.get_stream("STATUS").await.expect("stream").cached_info().clone();
    assert_eq!(status.config.storage, StorageType::Memory);
}
