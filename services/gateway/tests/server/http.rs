//! HTTP: what is known, who may, the page.

use market::Source::{Kis, Kiwoom};
use serde_json::json;

use crate::support::{Client, House, book, trade, until};

#[tokio::test(flavor = "multi_thread")]
async fn what_is_known_is_told() {
    let house = House::build(&[]).await;
    house.publish([trade(Kis, "000660", 10), book(Kiwoom, "000660", 1, 7)]).await;
    until("the gateway has seen it", async || {
        let answer = house.gateway.get("/v1/snapshot?symbol=000660").await.1;
        answer["items"]
            .as_array()
            .is_some_and(|items| items.iter().filter(|item| item["kind"] != "feed").count() == 2)
    })
    .await;
    let (status, symbols) = house.gateway.get("/v1/symbols").await;
    let symbols = symbols["symbols"].as_array().expect("symbols");
    let brief: Vec<_> = symbols.iter().map(|one| (&one["symbol"], &one["followed"], &one["seen"])).collect();
    assert_eq!(status, 200);
    let (first, second) =
        ((&json!("005930"), &json!(true), &json!([])), (&json!("000660"), &json!(false), &json!(["krx"])));
    assert_eq!(brief, [first, second]);
    let names: Vec<_> = symbols.iter().map(|one| &one["name"]).collect();
    assert_eq!(names, [&json!("삼성전자"), &json!(null)], "a name where the symbols file has one");
    let of_kis = house.gateway.get("/v1/snapshot?symbol=000660&source=kis").await.1;
    assert!(!of_kis.to_string().contains("order_book"));
    for (path, status, field) in [
        ("/v1/snapshot", 400, "symbol"),
        ("/v1/snapshot?symbol=a%20b", 400, "symbol"),
        ("/v1/snapshot?symbol=A&market=jp", 400, "market"),
        ("/v1/bars?symbol=005930&interval=5m", 400, "interval"),
        ("/v1/bars?symbol=005930&from=yesterday", 400, "from"),
        ("/v1/gaps?date=20261124", 400, "date"),
        ("/v1/completeness?days=0", 400, "days"),
        ("/v1/bars?symbol=005930", 503, "archive"),
        ("/v1/nothing", 404, "path"),
    ] {
        let (found, answer) = house.gateway.get(path).await;
        assert_eq!((found, &answer["error"]["field"]), (status, &json!(field)), "{path}: {answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_is_served_and_stays_inside_its_folder() {
    let house = House::build(&[]).await;
    std::fs::write(house.gateway.folder.path().join("secret.txt"), "secret").expect("file");
    for path in ["/", "/index.html", "/some/view"] {
        let answer = reqwest::get(house.gateway.url(path)).await.expect("answer");
        assert_eq!(answer.status(), 200);
        assert!(
            answer.headers()["content-security-policy"]
                .to_str()
                .expect("text")
                .contains("default-src 'self'")
        );
        assert_eq!(answer.text().await.expect("text"), "<title>sise</title>", "{path}");
    }
    let outside = reqwest::get(house.gateway.url("/..%2fsecret.txt")).await.expect("answer");
    assert_ne!(outside.text().await.expect("text"), "secret");
    assert_eq!(reqwest::get(house.gateway.url("/livez")).await.expect("answer").status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_who_may_comes_in() {
    let settings = [
        ("GATEWAY__TOKEN", "secret"),
        ("GATEWAY__ORIGINS", "https://a.example"),
        ("GATEWAY__CLIENTS_PER_ADDRESS", "1"),
    ];
    let house = House::build(&settings).await;
    assert_eq!(house.gateway.get("/v1/symbols").await.0, 401);
    let bearer = ("authorization", "Bearer secret");
    assert_eq!(Client::refused(&house.gateway, &[]).await, Some(401));
    assert_eq!(
        Client::refused(&house.gateway, &[bearer, ("origin", "https://evil.example")]).await,
        Some(403)
    );
    let _place = {
        let request = tokio_tungstenite::tungstenite::ClientRequestBuilder::new(
            format!("ws://{}/v1/stream", house.gateway.address).parse().expect("uri"),
        );
        let request = request.with_sub_protocol("sise.v1").with_sub_protocol("bearer.secret");
        let (socket, answer) = tokio_tungstenite::connect_async(request).await.expect("stream");
        assert_eq!(answer.headers()["sec-websocket-protocol"], "sise.v1");
        socket
    };
    assert_eq!(Client::refused(&house.gateway, &[bearer]).await, Some(503), "one an address");
    let asked = reqwest::Client::new()
        .get(house.gateway.url("/v1/symbols"))
        .header("authorization", "Bearer secret")
        .header("origin", "https://a.example");
    let answer = asked.send().await.expect("answer");
    assert_eq!(answer.headers()["access-control-allow-origin"], "https://a.example");
    assert!(!house.gateway.log().contains("secret"), "the token is never told");
}
