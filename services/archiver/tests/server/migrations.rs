//! Migrations against a database that does not exist yet, and one that was tampered with.

use store::migrate::{MIGRATIONS, MigrateError};

use crate::support::House;

#[tokio::test]
async fn a_database_is_made_brought_up_and_left_alone() {
    let house = House::without_tables().await;
    let pending = house.store.migrations_pending().await.expect("pending");
    assert_eq!(pending.len(), MIGRATIONS.len());
    assert!(house.store.check_columns().await.is_err());

    assert_eq!(house.store.migrate().await.expect("migrated"), MIGRATIONS);
    assert_eq!(house.store.migrations_pending().await.expect("pending"), []);
    assert_eq!(house.store.migrate().await.expect("migrated"), []);
    house.store.check_columns().await.expect("columns");

    // Lost between the statement and its record: applied again, harmless.
    house.execute("ALTER TABLE migrations DELETE WHERE number = 2 SETTINGS mutations_sync = 1").await;
    let again = house.store.migrate().await.expect("migrated");
    assert_eq!(again.iter().map(|migration| migration.number).collect::<Vec<_>>(), [2]);

    house
        .execute("ALTER TABLE migrations UPDATE checksum = 1 WHERE number = 3 SETTINGS mutations_sync = 1")
        .await;
    let error = house.store.migrate().await.expect_err("changed");
    assert!(matches!(error, MigrateError::Changed { number: 3, .. }), "{error}");
}
