//! The UserInfo endpoint: claims that count only if they are about the user who signed in
//! ([OpenID Connect Core §5.3](https://openid.net/specs/openid-connect-core-1_0.html#UserInfo)).

use super::{
    error::{Error, Misbehaved, Source, Unreadable},
    http::{Cache, Request, Response},
    id_token::Claims,
    jose::{Algorithm, Signed, Unverified},
    json::Json,
    url::HttpUrl,
};

/// How the provider answers at its UserInfo endpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UserInfoFormat {
    /// As a JSON object.
    #[default]
    Json,
    /// As a signed token: `userinfo_signed_response_alg` is set for this client.
    Signed,
}

/// The request for the claims.
pub(crate) fn request(endpoint: &HttpUrl, format: UserInfoFormat) -> Request {
    let accept = match format {
        UserInfoFormat::Json => "application/json",
        UserInfoFormat::Signed => "application/jwt",
    };
    Request::to_provider("GET", endpoint.as_str()).header("accept", accept).cache(Cache::NoStore)
}

/// An answer that was not compared with the user yet.
#[derive(Debug)]
pub(crate) enum Answer {
    Plain(Json),
    Signed(Unverified),
}

impl Answer {
    /// Reads the answer.
    pub(crate) fn read(response: &Response, format: UserInfoFormat) -> Result<Answer, Error> {
        if response.status != 200 {
            return Err(response.refused(Source::UserInfo));
        }
        let signed = response.media_type() == "application/jwt";
        match (format, signed) {
            (UserInfoFormat::Json, true) => Err(Misbehaved::UserInfoFormat.into()),
            (UserInfoFormat::Json, false) => Ok(Answer::Plain(response.json_object().map_err(|why| why.of(Source::UserInfo))?)),
            (UserInfoFormat::Signed, false) if response.media_type() == "application/json" => Err(Misbehaved::UserInfoFormat.into()),
            (UserInfoFormat::Signed, false) => Err(Unreadable::ContentType.of(Source::UserInfo)),
            (UserInfoFormat::Signed, true) => {
                let token = response.text().ok_or(Unreadable::NotJson.of(Source::UserInfo))?;
                Ok(Answer::Signed(Unverified::read(token, &Algorithm::ALL)?))
            }
        }
    }
}

/// Claims for the user who is signed in, from what a signed answer says.
pub(crate) fn signed(signed: Signed, issuer: &str, client_id: &str, subject: &str) -> Result<Claims, Error> {
    about(signed.user_info(issuer, client_id)?, subject)
}

/// Claims for the user who is signed in.
pub(crate) fn about(object: Json, subject: &str) -> Result<Claims, Error> {
    // §5.3.2: "if they do not match, the UserInfo Response values MUST NOT be used".
    if object.text("sub") != Some(subject) {
        return Err(Misbehaved::UserInfoSubjectMismatch.into());
    }
    Ok(Claims::compared(object))
}
