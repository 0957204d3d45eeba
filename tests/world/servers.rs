//! The servers that the provider knows: confidential clients, and how they show who they are.

use std::collections::{HashMap, HashSet};

use serde_json::Value;
use tokenkeep::protocol::{Algorithm, Json, Jwk, SignatureCheck};

use super::{
    Key, Sent,
    crypto::{unb64, verify},
};

/// What a server has.
pub enum Credential {
    /// In the header.
    Basic(String),
    /// In the form.
    Post(String),
    /// A key, and whom its assertions must name.
    Key(Key, &'static str),
}

#[derive(Default)]
pub struct Servers {
    pub known: HashMap<String, Credential>,
    /// The `jti` of every assertion.
    used: HashSet<String>,
}

impl Servers {
    /// Whether a request is of the client that it names. Public clients need not show anything.
    pub fn admit(&mut self, sent: &Sent, now: u64) -> bool {
        let (Some(client), ways) = (sent.client(), sent.authenticated_by()) else { return false };
        match (self.known.get(&client), &ways[..]) {
            (None, []) => true,
            (Some(Credential::Basic(secret)), ["basic"]) => sent.basic().is_some_and(|(_, given)| given == *secret),
            (Some(Credential::Post(secret)), ["post"]) => sent.field("client_secret").as_ref() == Some(secret),
            (Some(Credential::Key(key, audience)), ["assertion"]) => {
                let assertion = sent.field("client_assertion").unwrap_or_default();
                let jti = is_by(&assertion, key, &client, audience, now);
                jti.is_some_and(|jti| self.used.insert(jti))
            }
            _ => false,
        }
    }
}

impl Sent {
    /// Which client it says that it is of.
    pub fn client(&self) -> Option<String> {
        self.basic().map(|(id, _)| id).or(self.field("client_id"))
    }

    fn basic(&self) -> Option<(String, String)> {
        let text = self.header("authorization")?.strip_prefix("Basic ")?.to_owned();
        let pair = String::from_utf8(<base64ct::Base64 as base64ct::Encoding>::decode_vec(&text).ok()?).ok()?;
        let (id, secret) = pair.split_once(':')?;
        let decode = |text: &str| url::form_urlencoded::parse(format!("x={text}").as_bytes()).next().unwrap().1.into_owned();
        Some((decode(id), decode(secret)))
    }

    fn authenticated_by(&self) -> Vec<&'static str> {
        let ways = [
            ("basic", self.header("authorization").is_some()),
            ("post", self.field("client_secret").is_some()),
            ("assertion", self.field("client_assertion").is_some()),
        ];
        ways.into_iter().filter(|(_, is)| *is).map(|(name, _)| name).collect()
    }
}

/// The `jti` of an assertion that is all that RFC 7523 §3 asks for.
fn is_by(assertion: &str, key: &Key, client: &str, audience: &str, now: u64) -> Option<String> {
    let (signed, signature) = assertion.rsplit_once('.')?;
    let (header, claims) = signed.split_once('.')?;
    let read = |part: &str| serde_json::from_slice::<Value>(&unb64(part)).ok();
    let (header, claims) = (read(header)?, read(claims)?);
    let public_key = Jwk::read(&Json::parse(&key.public_jwk().to_string()).ok()?)?;
    let signature = unb64(signature);
    let check = SignatureCheck { algorithm: key.algorithm, key: &public_key, signed: signed.as_bytes(), signature: &signature };
    let (exp, iat) = (claims["exp"].as_u64()?, claims["iat"].as_u64()?);
    let typed = header["typ"] == "client-authentication+jwt";
    let right = Algorithm::from_name(header["alg"].as_str()?) == Some(key.algorithm)
        && header["kid"] == key.kid
        && claims["iss"] == client
        && claims["sub"] == client
        && claims["aud"] == audience
        && typed != audience.ends_with("/token")
        && iat <= now
        && exp > now
        && exp - iat <= 60
        && verify(&check);
    claims["jti"].as_str().filter(|jti| right && !jti.is_empty()).map(str::to_owned)
}
