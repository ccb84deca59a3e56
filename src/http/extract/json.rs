//! JSON bodies, read strictly: the right content type, UTF-8, one value.

use axum::extract::{FromRequest, Request};
use serde::de::DeserializeOwned;

use super::content_type::{ContentType, is};
use super::form::{BodyRefusal, read};

/// A JSON body of one type.
#[derive(Debug)]
pub struct StrictJson<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for StrictJson<T> {
    type Rejection = BodyRefusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, BodyRefusal> {
        if !is(request.headers(), ContentType::Json) {
            return Err(BodyRefusal::ContentType);
        }
        let body = read(request, state).await?;
        // The error of the parser may quote the body, so it is dropped.
        serde_json::from_slice(&body).map(Self).map_err(|_| BodyRefusal::Json)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;

    #[derive(Debug, serde::Deserialize)]
    struct Login {
        username: String,
    }

    async fn login(content_type: &str, body: &'static str) -> Result<Login, BodyRefusal> {
        let request = Request::post("/").header("content-type", content_type).body(Body::from(body)).unwrap();
        StrictJson::from_request(request, &()).await.map(|StrictJson(login)| login)
    }

    #[tokio::test]
    async fn only_json_of_the_type_is_taken() {
        assert_eq!(login("application/json", r#"{"username":"ada"}"#).await.unwrap().username, "ada");
        for (content_type, body, refusal) in [
            ("text/plain", r#"{"username":"ada"}"#, BodyRefusal::ContentType),
            ("application/json", r#"{"username":1}"#, BodyRefusal::Json),
            ("application/json", r#"{"username":"a","username":"b"}"#, BodyRefusal::Json),
            ("application/json", r#"{"username":"a"} {}"#, BodyRefusal::Json),
        ] {
            assert_eq!(login(content_type, body).await.unwrap_err(), refusal, "{body}");
        }
    }
}
