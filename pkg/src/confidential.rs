//! The entry for servers: a confidential client. `confidential.js` makes it what `confidential.d.ts` promises.

use std::rc::Rc;

use js_sys::Promise;
use tokenkeep::{
    SignIn,
    browser::{BrowserClock, ServerCrypto, ServerFetch},
    confidential::{AccessToken, Client, Config, Exchange, SignedIn, Tokens},
    protocol::{
        Json, Misconfigured, Secret, UnixTime,
        grant::{Target, TokenExchange, TokenKind},
    },
};
use wasm_bindgen::{JsValue, prelude::wasm_bindgen};

use crate::{boxed, json, promise, thrown};

/// A client, for as long as JavaScript holds it.
#[wasm_bindgen]
pub struct Handle(Rc<Client<ServerFetch, ServerCrypto>>);

/// Opens a client. `key` is a `CryptoKey` or a JWK, if it has one, and `kid` the name of the former.
#[wasm_bindgen]
pub fn open(options: String, key: JsValue, kid: Option<String>) -> Promise {
    let work = async move {
        let (crypto, key) = if key.is_undefined() {
            (ServerCrypto::new(), None)
        } else {
            let (crypto, algorithm, named) = ServerCrypto::with_key(&key).await?;
            (crypto, Some((algorithm, kid.or(named))))
        };
        let config = Config::from_json(&options, key)?;
        Ok(Handle(Rc::new(Client::open_at(config, ServerFetch, crypto, BrowserClock)?)))
    };
    boxed(async move { work.await.map(JsValue::from).map_err(|error: Misconfigured| thrown(error)) })
}

#[wasm_bindgen]
impl Handle {
    /// Begins a sign-in.
    pub fn authorize(&self, options: &str) -> Promise {
        let (client, sign_in) = (self.0.clone(), SignIn::from_json(options));
        let told = |begun: tokenkeep::confidential::Authorization| {
            Json::object(vec![("url", secret(&begun.url)), ("pending", secret(&begun.pending))]).to_string().into()
        };
        promise(async move { client.authorize(sign_in?).await }, told)
    }

    /// Finishes a sign-in.
    pub fn redeem(&self, callback: String, pending: String) -> Promise {
        let client = self.0.clone();
        let told = |SignedIn { tokens: got, return_to }: SignedIn| tokens(&got, vec![("returnTo", Some(Json::from(&return_to)))]);
        promise(async move { client.redeem(&callback, &Secret::new(pending)).await }, told)
    }

    /// Presents a refresh token.
    pub fn refresh(&self, refresh_token: String, target: &str, subject: Option<String>) -> Promise {
        let (client, target) = (self.0.clone(), Target::from_json(target));
        promise(async move { client.refresh(&Secret::new(refresh_token), &target?.access()?, subject.as_deref()).await }, only)
    }

    /// A token of the client's own, but not this one.
    pub fn client_credentials(&self, target: &str, refused: Option<String>) -> Promise {
        let (client, target, refused) = (self.0.clone(), Target::from_json(target), refused.map(Secret::new));
        let told = |own: std::sync::Arc<AccessToken>| {
            let members = vec![("accessToken", secret(&own.token)), ("expiresAt", at(own.expires)), ("scopes", scopes(&own.scope))];
            Json::object(members).to_string().into()
        };
        promise(async move { client.client_credentials_but(&target?, refused.as_ref()).await }, told)
    }

    /// What RFC 9700 §2.4 forbids.
    pub fn password(&self, username: String, password: String, target: &str) -> Promise {
        let (client, target) = (self.0.clone(), Target::from_json(target));
        promise(async move { client.password(&username, &Secret::new(password), &target?).await }, only)
    }

    /// Gets a token for another one.
    pub fn exchange(
        &self,
        subject_token: String,
        subject_token_type: &str,
        actor_token: Option<String>,
        actor_token_type: &str,
        requested_token_type: Option<String>,
        target: &str,
    ) -> Promise {
        let (client, target) = (self.0.clone(), Target::from_json(target));
        let (subject, actor) = (Secret::new(subject_token), actor_token.map(Secret::new));
        let [subject_kind, actor_kind] = [subject_token_type, actor_token_type].map(TokenKind::from_uri);
        let work = async move {
            let mut exchange = TokenExchange::new(&subject, subject_kind).target(target?);
            if let Some(actor) = &actor {
                exchange = exchange.actor(actor, actor_kind);
            }
            if let Some(requested) = requested_token_type {
                exchange = exchange.requested(TokenKind::from_uri(&requested));
            }
            client.exchange(&exchange).await
        };
        promise(work, |exchanged| match exchanged {
            Exchange::Access(got, kind) => {
                tokens(&got, vec![("kind", Some("access_token".into())), ("issuedTokenType", Some(Json::from(&kind.uri())))])
            }
            Exchange::NotAccess { token, expires } => Json::object(vec![
                ("kind", Some("other".into())),
                ("token", secret(&token.token)),
                ("issuedTokenType", Some(Json::from(&token.kind.uri()))),
                ("expiresAt", at(expires)),
            ])
            .to_string()
            .into(),
        })
    }

    /// Redeems an assertion.
    pub fn jwt_bearer(&self, assertion: String, target: &str) -> Promise {
        let (client, target) = (self.0.clone(), Target::from_json(target));
        promise(async move { client.jwt_bearer(&Secret::new(assertion), &target?).await }, only)
    }

    /// Makes a token worthless.
    pub fn revoke(&self, token: String) -> Promise {
        let client = self.0.clone();
        promise(async move { client.revoke(&Secret::new(token)).await }, |()| JsValue::UNDEFINED)
    }
}

fn only(got: Tokens) -> JsValue {
    tokens(&got, Vec::new())
}

/// Tokens go to the server that asked for them, as text.
fn tokens(got: &Tokens, more: Vec<(&str, Option<Json>)>) -> JsValue {
    let mut members = vec![
        ("accessToken", secret(&got.access_token)),
        ("refreshToken", got.refresh_token.as_ref().and_then(secret)),
        ("idToken", got.id_token.as_ref().and_then(secret)),
        ("claims", got.claims.as_ref().map(json::claims)),
        ("scopes", scopes(&got.scope)),
        ("expiresAt", at(got.expires)),
    ];
    members.extend(more);
    Json::object(members).to_string().into()
}

fn secret(secret: &Secret<String>) -> Option<Json> {
    Some(Json::from(secret.expose()))
}

fn at(time: Option<UnixTime>) -> Option<Json> {
    time.map(|time| time.as_millis().into())
}

fn scopes(scope: &tokenkeep::protocol::Scope) -> Option<Json> {
    json::list(scope.iter())
}
