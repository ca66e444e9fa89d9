//! The checked-in code is what the .proto files give: regenerated here and compared, so that a build needs no compiler
//! of protocol buffers. `UPDATE_GENERATED=1` writes the new code instead.

use std::path::Path;

#[test]
fn checked_in_code_is_what_the_proto_files_give() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let protos = folder.join("../../../proto");
    let files =
        ["event", "order_book", "status", "trade", "words"].map(|name| format!("sise/v1/{name}.proto"));
    let descriptors = protox::compile(&files, [&protos]).expect("proto files compile");

    let out = tempfile::tempdir().expect("folder");
    // What a field means stands in the .proto file alone.
    let mut config = prost_build::Config::new();
    config.disable_comments(["."]).out_dir(out.path()).compile_fds(descriptors).expect("generated");
    let names: Vec<_> = std::fs::read_dir(out.path())
        .expect("folder")
        .map(|entry| entry.expect("entry").file_name().into_string().expect("name"))
        .collect();
    assert_eq!(names, ["sise.v1.rs"], "one package, one file");

    let fresh = std::fs::read_to_string(out.path().join("sise.v1.rs")).expect("fresh");
    let kept = folder.join("src/generated/sise.v1.rs");
    if std::env::var_os("UPDATE_GENERATED").is_some_and(|value| value == "1") {
        std::fs::write(&kept, &fresh).expect("written");
    }
    let kept = std::fs::read_to_string(&kept).unwrap_or_default();
    assert!(kept == fresh, "proto/ and src/generated/ differ: run this test with UPDATE_GENERATED=1");
}
