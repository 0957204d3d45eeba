//! A sign-in that somebody else begins: a portal, or the provider itself, sends the user to the app's `initiate_login_uri`
//! ([OpenID Connect Core §4](https://openid.net/specs/openid-connect-core-1_0.html#ThirdPartyInitiatedLogin)).

use super::{error::Misbehaved, form, provider::Issuer};

/// A longer address is no such request, in bytes.
pub const MAX_INITIATED: usize = 8 * 1024;

/// What a response has, and a request to sign in has not.
const OF_RESPONSES: [&str; 4] = ["code", "error", "response", "state"];

/// Somebody asks for a sign-in at the provider that is configured. Nothing else of it is believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Initiated {
    /// `login_hint`: who might sign in.
    pub login_hint: Option<String>,
    /// `target_link_uri`: where the user would like to be afterwards. It may be anywhere.
    pub target_link_uri: Option<String>,
}

impl Initiated {
    /// Reads the query of an address: `None` when nobody asks for a sign-in there. What is in a fragment counts for nothing, and neither do
    /// parameters that are not known.
    ///
    /// # Errors
    /// When another provider is named than this very one, code point by code point, or the request cannot be read.
    pub fn read(address: &str, issuer: &Issuer) -> Result<Option<Initiated>, Misbehaved> {
        let before = address.split('#').next().unwrap_or_default();
        let query = before.split_once('?').map_or("", |(_, query)| query);
        let has = |name: &str| form::pairs(query).any(|pair| pair.is(name));
        if !has("iss") || OF_RESPONSES.into_iter().any(has) {
            return Ok(None);
        }
        if address.len() > MAX_INITIATED {
            return Err(Misbehaved::ResponseTooLarge);
        }
        let one = |name: &str| {
            let mut values = form::pairs(query).filter(|pair| pair.is(name));
            match (values.next(), values.next()) {
                (_, Some(_)) => Err(Misbehaved::DuplicateParameter),
                (Some(pair), None) => form::decode(pair.value).map(Some).map_err(|_| Misbehaved::MalformedResponse),
                (None, None) => Ok(None),
            }
        };
        if one("iss")?.as_deref() != Some(issuer.as_str()) {
            return Err(Misbehaved::IssuerMismatch);
        }
        let said = |name: &str| one(name).map(|value| value.filter(|value| !value.is_empty()));
        Ok(Some(Initiated { login_hint: said("login_hint")?, target_link_uri: said("target_link_uri")? }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_query_asks_and_only_once() {
        let issuer = Issuer::parse("https://as.example").unwrap();
        let read = |rest: &str| Initiated::read(&["https://app.example/initiate", rest].concat(), &issuer);
        let asked = Initiated { login_hint: None, target_link_uri: None };
        assert_eq!(read("?iss=https%3A%2F%2Fas.example&login_hint=&ui=dark&ui=dark"), Ok(Some(asked)));
        for rest in
            ["", "?", "?login_hint=alice", "#iss=https://as.example", "?iss=https://as.example&code=x", "?issuer=https://as.example"]
        {
            assert_eq!(read(rest), Ok(None), "{rest}");
        }
        for (rest, error) in [
            ("?iss=https://as.example&iss=https://as.example", Misbehaved::DuplicateParameter),
            ("?iss=https://as.example&login_hint=a&login%5Fhint=b", Misbehaved::DuplicateParameter),
            ("?iss=https://as.example&target_link_uri=%ff", Misbehaved::MalformedResponse),
            ("?iss=", Misbehaved::IssuerMismatch),
            ("?iss=https://as.example/", Misbehaved::IssuerMismatch),
        ] {
            assert_eq!(read(rest), Err(error), "{rest}");
        }
        let long = ["?iss=https://as.example&login_hint=", &"x".repeat(MAX_INITIATED)].concat();
        assert_eq!(read(&long), Err(Misbehaved::ResponseTooLarge));
    }
}
