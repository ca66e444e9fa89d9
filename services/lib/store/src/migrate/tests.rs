//! The files against the list, the list against the columns, and the comparison with a database.

use std::path::Path;

use super::*;
use crate::columns::EXPECTED;

#[test]
fn every_file_is_in_the_list_and_in_order() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../clickhouse");
    let mut files: Vec<String> = std::fs::read_dir(folder)
        .expect("folder")
        .map(|entry| entry.expect("entry").file_name().into_string().expect("name"))
        .filter(|name| name.ends_with(".sql"))
        .collect();
    files.sort();
    let listed: Vec<String> = std::iter::once(&RECORD)
        .chain(MIGRATIONS)
        .map(|migration| format!("{:03}_{}.sql", migration.number, migration.name))
        .collect();
    assert_eq!(files, listed);
}

#[test]
fn each_statement_of_a_file_can_be_repeated_and_names_no_database() {
    let files = std::iter::once(&RECORD).chain(MIGRATIONS);
    for (name, statement) in
        files.flat_map(|file| file.sql.split(";\n\n").map(move |statement| (file.name, statement)))
    {
        let lines = statement.lines().filter(|line| !line.trim_start().starts_with("--"));
        let statement = lines.collect::<Vec<_>>().join("\n");
        let repeatable = ["CREATE TABLE IF NOT EXISTS ", "CREATE OR REPLACE VIEW ", "ALTER TABLE "];
        assert!(repeatable.iter().any(|start| statement.starts_with(start)), "{name}");
        let added = statement.matches("ADD COLUMN ").count();
        assert_eq!(added, statement.matches("ADD COLUMN IF NOT EXISTS ").count(), "{name}");
        assert!(!statement.trim_end().trim_end_matches(';').contains(";\n"), "{name}");
        assert!(!statement.contains("sise") && !statement.contains("default."), "{name}");
    }
}

/// The columns that a file describes, each as `name type …`.
fn described(migration: &Migration) -> Vec<&'static str> {
    let lines = migration.sql.lines().filter(|line| line.starts_with("    ") && line.contains(" COMMENT '"));
    lines.map(str::trim).collect()
}

fn name(column: &str) -> &str {
    column.split(' ').next().expect("name")
}

/// The columns of a table as its file makes them and later files add to them, in order.
fn columns(table: &str) -> Vec<&'static str> {
    let made = MIGRATIONS.iter().find(|m| m.name == table).expect("file named as its table");
    let mut columns = described(made);
    let alter = format!("ALTER TABLE {table}\n");
    for file in MIGRATIONS.iter().filter(|file| file.sql.contains(&alter)) {
        for added in described(file).iter().filter_map(|line| line.strip_prefix("ADD COLUMN IF NOT EXISTS "))
        {
            let (column, after) = added.rsplit_once(" AFTER ").expect("a place");
            let place = columns.iter().position(|column| name(column) == after.trim_end_matches(','));
            columns.insert(place.expect("a column before it") + 1, column);
        }
    }
    columns
}

#[test]
fn the_tables_of_the_files_have_the_columns_that_are_written() {
    for expected in EXPECTED {
        let columns = columns(expected.table);
        assert_eq!(columns.len(), expected.columns.len(), "{}", expected.table);
        for (line, (name, kind)) in columns.iter().zip(expected.columns) {
            assert!(line.starts_with(&format!("{name} {kind} ")), "{}: {line}", expected.table);
        }
    }
}

#[test]
fn event_tables_heed_insert_tokens() {
    for table in crate::Table::ALL {
        let migration =
            MIGRATIONS.iter().find(|m| m.name == table.as_str()).expect("file named as its table");
        assert!(migration.sql.contains("non_replicated_deduplication_window = 10000"), "{}", table.as_str());
    }
}

const OURS: &[Migration] =
    &[Migration { number: 1, name: "a", sql: "A" }, Migration { number: 2, name: "b", sql: "B" }];

fn applied(migration: &Migration) -> Applied {
    Applied { number: migration.number, name: migration.name.to_owned(), checksum: migration.checksum() }
}

#[test]
fn pending_is_what_is_not_recorded() {
    let pending = |applied: &[Applied]| compare(OURS, applied).expect("comparison");
    assert_eq!(pending(&[]), OURS);
    assert_eq!(pending(&[applied(&OURS[0])]), OURS[1..]);
    assert_eq!(pending(&[applied(&OURS[0]), applied(&OURS[1])]), []);
}

#[test]
fn a_changed_or_unknown_migration_is_an_error() {
    let changed = Applied { checksum: 7, ..applied(&OURS[0]) };
    assert!(matches!(compare(OURS, &[changed]), Err(MigrateError::Changed { number: 1, .. })));
    let newer = Applied { number: 3, name: "c".to_owned(), checksum: 0 };
    assert!(matches!(compare(OURS, &[newer]), Err(MigrateError::Unknown { number: 3, .. })));
}
