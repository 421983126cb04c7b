//! `docs/openapi.json` and the table of routes name the same paths. What it says of the answers is held against the finished executable:
//! by `tests/interop/routes.rs` on both platforms, and by schemathesis (`cargo xtask test --only api`).

use std::collections::BTreeSet;

use super::*;

const DESCRIPTION: &str = include_str!("../../../../../docs/openapi.json");

fn described() -> serde_json::Value {
    serde_json::from_str(DESCRIPTION).expect("JSON")
}

#[test]
fn the_description_has_the_paths_of_the_table_and_no_others() {
    let routed: Vec<&str> = routes::routes().map(|route| route.path).collect();
    let description = described();
    let described: BTreeSet<&str> =
        description["paths"].as_object().expect("paths").keys().map(String::as_str).collect();
    assert_eq!(routed.iter().copied().collect::<BTreeSet<_>>(), described, "docs/openapi.json and http::routes");
    assert_eq!(routed.len(), described.len(), "a path is routed twice");
}

#[tokio::test]
async fn a_path_that_is_not_described_is_not_found() {
    let server = server().await;
    for path in ["/openapi.json", "/health/", "/page", "/proc/cpu", "/v1"] {
        assert_eq!(status(&server.get(path).await), 404, "{path}");
    }
}
