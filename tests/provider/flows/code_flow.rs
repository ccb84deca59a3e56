//! The authorization code flow, for each kind of app.

use serde_json::json;

use crate::support::{ALICE, TestProvider};

#[tokio::test]
async fn a_web_app_gets_tokens_it_can_check() {
    let provider = TestProvider::start().await;
    for id in ["web", "post", "own"] {
        let app = provider.client(id);
        let browser = provider.browser();
        let code = app.code_at(&browser, ALICE).await;

        let answer = app.redeem(&code).await.expect(200);
        let tokens = answer.clone().expect_tokens();
        assert_eq!(answer.set_cookies(), Vec::<String>::new());
        let id_token = app.check_id_token(&tokens.id, Some(&code.nonce)).await;
        assert_eq!(id_token["sub"], json!(provider.sub(ALICE).await));
        let (head, access) = provider.verify(&tokens.access).await;
        assert_eq!(head.typ.as_deref(), Some("at+jwt"));
        assert_eq!(access["sub"], id_token["sub"]);
        assert_eq!(access["client_id"], json!(id));
        assert!(tokens.refresh.starts_with("fd_rt_"));
    }
    assert_eq!(provider.live_grants().await, 3);
    assert_eq!(provider.live_families().await, 3);
    assert_eq!(provider.number("SELECT COUNT(*) FROM codes WHERE used_at IS NULL").await, 0);
}
