//! The model's token endpoint, introspection and revocation.

use std::sync::Arc;

use axum::Form;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde::Deserialize;

use super::answer::Filling;
use super::refresh::RefreshToken;
use super::units::{Done, Unit, text_digest};
use super::{Exchange, Model};
use crate::machine::clock;
use crate::{Result, failure};

#[derive(Deserialize)]
pub(super) struct TokenForm {
    grant_type: String,
    code: Option<String>,
    redirect_uri: Option<String>,
    code_verifier: Option<String>,
    refresh_token: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Presented {
    token: String,
}

/// What introspection needs of a token's claims.
#[derive(Deserialize)]
struct Claims {
    iat: i64,
    exp: i64,
    jti: String,
    gid: String,
}

pub(super) async fn token(
    State(model): State<Arc<Model>>,
    headers: HeaderMap,
    Form(form): Form<TokenForm>,
) -> Response {
    let Some(client) = model.authenticated(&headers) else { return StatusCode::UNAUTHORIZED.into_response() };
    match form.grant_type.as_str() {
        "client_credentials" => model.client_credentials(&client).unwrap_or_else(|error| refused(&error)),
        "authorization_code" => model.redeem(&form).await.unwrap_or_else(|error| refused(&error)),
        "refresh_token" => model.rotate(&form).await.unwrap_or_else(|error| refused(&error)),
        _ => StatusCode::BAD_REQUEST.into_response(),
    }
}

pub(super) async fn introspect(
    State(model): State<Arc<Model>>,
    headers: HeaderMap,
    Form(form): Form<Presented>,
) -> Response {
    let (Some(_), Some(reply)) = (model.authenticated(&headers), &model.introspection) else {
        return StatusCode::UNAUTHORIZED.into_response();
    };
    let claims = model.signatures.verified(&form.token);
    let claims = claims.and_then(|claims| serde_json::from_slice::<Claims>(&claims).ok());
    let Some(claims) = claims.filter(|claims| claims.exp > clock::now()) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    match model.store.grant_lives(&claims.gid).await {
        Ok(true) => {
            let filling =
                Filling { issued_at: claims.iat, token_name: &claims.jti, grant: &claims.gid, ..Filling::default() };
            reply.fill(&filling)
        }
        Ok(false) => StatusCode::BAD_REQUEST.into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error).into_response(),
    }
}

pub(super) async fn revoke(
    State(model): State<Arc<Model>>,
    headers: HeaderMap,
    Form(form): Form<Presented>,
) -> Response {
    let (Some(_), Some(reply)) = (model.authenticated(&headers), &model.revocation) else {
        return StatusCode::UNAUTHORIZED.into_response();
    };
    let ended = async {
        let token = RefreshToken::read(&form.token, &model.root, &model.client).ok_or("a forged token")?;
        let grant = model.store.grant_of_family(&token.family).await?.ok_or("an unknown token")?;
        model.store.write(Unit::End { grant, now: clock::now() }).await
    };
    match ended.await {
        Ok(_) => reply.fill(&Filling::default()),
        Err(error) => (StatusCode::BAD_REQUEST, error).into_response(),
    }
}

impl Model {
    /// HTTP Basic (RFC 6749 §2.3.1).
    fn authenticated(&self, headers: &HeaderMap) -> Option<String> {
        let given = headers.get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix("Basic ")?;
        let given = String::from_utf8(STANDARD.decode(given).ok()?).ok()?;
        let (client, secret) = given.split_once(':')?;
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, secret.as_bytes());
        aws_lc_rs::constant_time::verify_slices_are_equal(digest.as_ref(), &self.secret).ok()?;
        (client == self.client || self.services.contains_key(client)).then(|| client.to_owned())
    }

    fn client_credentials(&self, client: &str) -> Result<Response> {
        let Some((reply, access)) = self.services.get(client) else {
            return Ok(StatusCode::BAD_REQUEST.into_response());
        };
        let name = token_name()?;
        let filling = Filling { issued_at: clock::now(), token_name: &name, ..Filling::default() };
        let access = access.mint(&self.signatures, &filling)?;
        Ok(reply.fill(&Filling { access: &access, ..filling }))
    }

    async fn redeem(&self, form: &TokenForm) -> Result<Response> {
        let (Some(code), Some(redirect_uri), Some(verifier), Some(exchange)) =
            (&form.code, &form.redirect_uri, &form.code_verifier, &self.code)
        else {
            return Ok(StatusCode::BAD_REQUEST.into_response());
        };
        let Some(id) = code_id(code) else { return Ok(StatusCode::BAD_REQUEST.into_response()) };
        let challenge = text_digest(verifier.as_bytes());
        if challenge != self.challenge || *redirect_uri != self.redirect_uri {
            return Ok(StatusCode::BAD_REQUEST.into_response());
        }
        let family = URL_SAFE_NO_PAD.encode(uuid::Uuid::now_v7().into_bytes());
        let unit = Unit::Redeem {
            code: id,
            digest: text_digest(code.as_bytes()),
            redirect_uri: redirect_uri.clone(),
            challenge,
            family: family.clone(),
            now: clock::now(),
        };
        self.answer(self.store.write(unit).await, exchange, &RefreshToken { family, generation: 0 })
    }

    async fn rotate(&self, form: &TokenForm) -> Result<Response> {
        let read = form.refresh_token.as_ref().and_then(|text| RefreshToken::read(text, &self.root, &self.client));
        let (Some(token), Some(exchange)) = (read, &self.refresh) else {
            return Ok(StatusCode::BAD_REQUEST.into_response());
        };
        let unit = Unit::Rotate { family: token.family.clone(), generation: token.generation, now: clock::now() };
        let next = RefreshToken { family: token.family, generation: token.generation + 1 };
        self.answer(self.store.write(unit).await, exchange, &next)
    }

    /// Signs what was written.
    fn answer(
        &self,
        done: std::result::Result<Done, String>,
        exchange: &Exchange,
        refresh: &RefreshToken,
    ) -> Result<Response> {
        let grant = match done {
            Ok(Done::Granted { grant }) => grant,
            Ok(Done::Written | Done::Refused) => return Ok(StatusCode::BAD_REQUEST.into_response()),
            Err(error) => return Ok((StatusCode::INTERNAL_SERVER_ERROR, error).into_response()),
        };
        let name = token_name()?;
        let filling = Filling { issued_at: clock::now(), token_name: &name, grant: &grant, ..Filling::default() };
        let access = exchange.access.mint(&self.signatures, &filling)?;
        let id = match &exchange.id {
            Some(pattern) => {
                let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, access.as_bytes());
                let (half, _) = digest.as_ref().split_at(16);
                let access_digest = URL_SAFE_NO_PAD.encode(half);
                pattern.mint(&self.signatures, &Filling { access_digest: &access_digest, ..filling })?
            }
            None => String::new(),
        };
        let refresh = refresh.text(&self.root, &self.client).unwrap_or_default();
        let filling = Filling { access: &access, id: &id, refresh: &refresh, ..Filling::default() };
        Ok(exchange.reply.fill(&filling))
    }
}

/// 128 random bits.
fn token_name() -> Result<String> {
    let mut bytes = [0; 16];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| failure("no randomness"))?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

/// The row that a code names: its first 16 bytes, a UUID.
fn code_id(code: &str) -> Option<String> {
    let bytes = URL_SAFE_NO_PAD.decode(code.strip_prefix("fd_ac_")?).ok()?;
    let id: [u8; 16] = *bytes.first_chunk()?;
    Some(uuid::Uuid::from_bytes(id).simple().to_string())
}

fn refused(error: &crate::Failure) -> Response {
    (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response()
}
