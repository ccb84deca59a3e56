//! `/admin/api/openapi.json`: what the API is, made from the code (OpenAPI 3.1).

use axum::response::{IntoResponse as _, Response};
use utoipa::OpenApi;
use utoipa::openapi::path::{OperationBuilder, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{Object, Type};
use utoipa::openapi::security::{ClientCredentials, Flow, OAuth2, Scopes, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{ContentBuilder, HttpMethod, PathItem, Ref, Required, ResponseBuilder, ResponsesBuilder, Server};

use super::guard::Looks;
use super::{Refused, apps, audit, deeds, keys, people, sessions};
use crate::http::admin::deeds::Deed;
use crate::http::reply::json::{Json, Refusal};
use crate::oauth::audience::ADMIN_SCOPE;
use crate::oauth::error::OAuthError;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Frontdesk admin API",
        version = "1",
        license(name = "MIT OR Apache-2.0"),
        description = "What an admin sees and does, for programs."
    ),
    paths(
        people::list,
        people::one,
        people::sessions_of,
        people::apps_of,
        apps::list,
        apps::one,
        apps::resources,
        sessions::list,
        keys::list,
        keys::rotate,
        keys::canary,
        keys::revoke,
        keys::drill,
        audit::list
    ),
    components(schemas(Refused, deeds::Change))
)]
struct Described;

/// The document.
pub(in crate::http::admin) async fn document(looks: Looks) -> Response {
    let issuer = looks.doors.provider().issuer_id();
    match serde_json::to_value(described(issuer)) {
        Ok(document) => Json(document).into_response(),
        Err(error) => Refusal::from(OAuthError::fault(error)).into_response(),
    }
}

fn described(issuer: &str) -> utoipa::openapi::OpenApi {
    let mut document = Described::openapi();
    for deed in Deed::ALL {
        document.paths.paths.insert(deed.endpoint().to_owned(), PathItem::new(HttpMethod::Post, operation(deed)));
    }
    let scopes = || Scopes::one(ADMIN_SCOPE, "To use this API");
    let flow = Flow::ClientCredentials(ClientCredentials::new(format!("{issuer}/oauth2/token"), scopes()));
    if let Some(components) = document.components.as_mut() {
        components.add_security_scheme("token", SecurityScheme::OAuth2(OAuth2::new([flow])));
    }
    document.security = Some(vec![SecurityRequirement::new("token", [ADMIN_SCOPE])]);
    document.servers = Some(vec![Server::new(issuer)]);
    document
}

fn operation(deed: Deed) -> OperationBuilder {
    let path = deed.endpoint();
    let tag = path.trim_start_matches("/admin/api/v1/").split('/').next().unwrap_or_default();
    let answer = |description: &str, schema: &str| {
        let content = ContentBuilder::new().schema(Some(Ref::from_schema_name(schema))).build();
        ResponseBuilder::new().description(description).content("application/json", content).build()
    };
    let responses = ResponsesBuilder::new()
        .response("200", answer("Done, or so already.", "Change"))
        .response("4XX", answer("Not done.", "Refused"))
        .build();
    let mut operation = OperationBuilder::new()
        .tag(tag)
        .summary(Some(deed.summary()))
        .operation_id(Some(format!("{}_{}", tag, deed.name().replace('-', "_"))))
        .responses(responses);
    for name in path.split(['{', '}']).skip(1).step_by(2) {
        let parameter = ParameterBuilder::new()
            .name(name)
            .parameter_in(ParameterIn::Path)
            .required(Required::True)
            .schema(Some(Object::with_type(Type::String)))
            .build();
        operation = operation.parameter(parameter);
    }
    operation
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::http::admin::table::doors;

    #[test]
    fn every_endpoint_is_described_and_nothing_else() {
        let document = serde_json::to_value(described("https://id.example.com")).unwrap();
        assert!(document["openapi"].as_str().unwrap().starts_with("3.1"), "{document}");
        let described: BTreeSet<(String, String)> = document["paths"]
            .as_object()
            .unwrap()
            .iter()
            .flat_map(|(path, item)| {
                item.as_object().unwrap().keys().map(move |method| (method.to_uppercase(), path.clone()))
            })
            .collect();
        let there: BTreeSet<(String, String)> = doors()
            .iter()
            .filter(|door| door.path.starts_with("/admin/api/v1/"))
            .map(|door| (door.method.to_string(), door.path.to_owned()))
            .collect();
        assert!(there.len() > 15);
        assert_eq!(described, there);
        // The crate would speak of its own makers otherwise.
        assert_eq!(document["info"]["title"], "Frontdesk admin API");
        assert!(document["info"].get("contact").is_none(), "{}", document["info"]);
        let ids: BTreeSet<&str> = document["paths"]
            .as_object()
            .unwrap()
            .values()
            .flat_map(|item| item.as_object().unwrap().values())
            .filter_map(|operation| operation["operationId"].as_str())
            .collect();
        assert_eq!(ids.len(), there.len(), "{ids:?}");
        assert_eq!(document["security"][0]["token"][0], ADMIN_SCOPE);
        let text = document.to_string();
        for reference in text.split("#/components/schemas/").skip(1).map(|rest| rest.split('"').next().unwrap()) {
            assert!(document["components"]["schemas"].get(reference).is_some(), "{reference}");
        }
    }
}
