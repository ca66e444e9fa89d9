//! `sise streams apply` where the server has a stream that it cannot change.

use serde_json::{Value, json};

use crate::support::{House, root};

#[tokio::test]
async fn what_cannot_be_changed_is_an_error_and_the_rest_is_made() {
    let house = House::build().await;
    let memory = json!({"name": "LATER", "subjects": ["later.>"], "storage": "memory"}).to_string();
    let made = house.bus().await.request("$JS.API.STREAM.CREATE.LATER", memory.into()).await.expect("answer");
    assert!(!String::from_utf8_lossy(&made.payload).contains("error"), "{made:?}");

    let text = std::fs::read_to_string(root().join("nats/streams.json")).expect("file");
    let mut wanted: Value = serde_json::from_str(&text).expect("json");
    let streams = wanted["streams"].as_array_mut().expect("streams");
    for name in ["LATER", "LAST"] {
        let subject = format!("{}.>", name.to_lowercase());
        streams.push(json!({"name": name, "description": "", "subjects": [subject], "max_bytes": 1 << 20,
            "durables": []}));
    }
    let file = house.folder().join("streams.json");
    std::fs::write(&file, wanted.to_string()).expect("written");
    let apply = ["streams", "apply", "--file", file.to_str().expect("path")];
    for last in ["stream LAST: new", "stream LAST: unchanged"] {
        let output = house.run(&apply);
        let (said, why) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.status.code(), Some(1), "{said}{why}");
        assert!(said.contains("stream LATER: cannot be changed\n    storage: Memory -> File"), "{said}");
        assert!(said.contains(last) && !said.contains("as defined"), "{said}");
        assert!(why.starts_with("sise: stream LATER: the server cannot change"), "{why}");
    }
}
