//! What the library learns about us, and the client it makes of it.

use anyhow::{Result, ensure};
use openidconnect::core::{
    CoreAuthDisplay, CoreClaimName, CoreClaimType, CoreClient, CoreClientAuthMethod, CoreGrantType, CoreJsonWebKey,
    CoreJweContentEncryptionAlgorithm, CoreJweKeyManagementAlgorithm, CoreResponseMode, CoreResponseType,
    CoreSubjectIdentifierType,
};
use openidconnect::reqwest::blocking::Client;
use openidconnect::reqwest::redirect::Policy;
use openidconnect::{
    AdditionalProviderMetadata, AuthType, ClientId, ClientSecret, EndpointMaybeSet, EndpointNotSet, EndpointSet,
    IntrospectionUrl, IssuerUrl, ProviderMetadata, RedirectUrl,
};
use serde::{Deserialize, Serialize};

use crate::settings::Settings;

/// The addresses that the library's own type does not know.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Endpoints {
    pub revocation_endpoint: String,
    pub introspection_endpoint: String,
    pub end_session_endpoint: String,
}

impl AdditionalProviderMetadata for Endpoints {}

pub type Metadata = ProviderMetadata<
    Endpoints,
    CoreAuthDisplay,
    CoreClientAuthMethod,
    CoreClaimName,
    CoreClaimType,
    CoreGrantType,
    CoreJweContentEncryptionAlgorithm,
    CoreJweKeyManagementAlgorithm,
    CoreJsonWebKey,
    CoreResponseMode,
    CoreResponseType,
    CoreSubjectIdentifierType,
>;

pub type RelyingApp =
    CoreClient<EndpointSet, EndpointNotSet, EndpointSet, EndpointNotSet, EndpointMaybeSet, EndpointMaybeSet>;

/// The client for all requests of the library: it follows no redirect.
pub fn http() -> Result<Client> {
    Ok(Client::builder().redirect(Policy::none()).no_proxy().build()?)
}

/// Discovery; the library checks the issuer and fetches the key set.
pub fn discover(settings: &Settings) -> Result<Metadata> {
    let metadata = Metadata::discover(&IssuerUrl::new(settings.get("issuer")?.to_owned())?, &http()?)?;
    ensure!(metadata.jwks().keys().len() >= 2, "fewer than two keys");
    Ok(metadata)
}

/// A client of this metadata. `secret` and `how` as registered.
pub fn client(metadata: &Metadata, id: &str, secret: Option<&str>, how: AuthType) -> Result<RelyingApp> {
    let introspection = IntrospectionUrl::new(metadata.additional_metadata().introspection_endpoint.clone())?;
    let secret = secret.map(|secret| ClientSecret::new(secret.to_owned()));
    Ok(CoreClient::from_provider_metadata(metadata.clone(), ClientId::new(id.to_owned()), secret)
        .set_auth_type(how)
        .set_introspection_url(introspection))
}

/// A redirect URI from the settings.
pub fn redirect_uri(settings: &Settings, name: &str) -> Result<RedirectUrl> {
    Ok(RedirectUrl::new(settings.get(name)?.to_owned())?)
}
