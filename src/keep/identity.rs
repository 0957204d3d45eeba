//! Who the user is, by an ID token in the response, and nothing else: no code, no session.

use std::rc::Rc;

use super::{Keep, Settings, pending::NotTaken, ports::Ports};
use crate::protocol::{
    Accepted, Callback, Claims, Discovery, Error, HttpUrl, Misbehaved, Misconfigured, ResponseMode, ResponseType, Secret, SignIn,
    id_token::Beside,
};

/// What knows of sign-ins that wait for an ID token.
#[derive(Clone)]
pub(crate) struct IdentityKeep(Rc<Keep>);

impl IdentityKeep {
    /// Asks for nothing but an ID token, as a form, whatever else was configured.
    pub(crate) fn new(mut settings: Settings, ports: Ports) -> Result<IdentityKeep, Misconfigured> {
        if settings.discovery == Discovery::OAuth {
            return Err(Misconfigured::OpenidMissing);
        }
        let registration = &mut settings.registration;
        registration.response_type = ResponseType::IdToken;
        if registration.response_mode.carrier() != ResponseMode::FormPost {
            registration.response_mode = ResponseMode::FormPost;
        }
        (registration.resources, registration.audience) = (Vec::new(), None);
        Ok(IdentityKeep(Keep::alone(settings, ports, Rc::new(|_| ()))))
    }

    pub(crate) fn redirect_uri(&self) -> &HttpUrl {
        &self.0.settings.registration.redirect_uri
    }

    pub(crate) async fn begin(self, sign_in: SignIn, return_to: String) -> Result<Secret<String>, Error> {
        self.0.begin(sign_in, return_to).await
    }

    /// Takes the pending login that a response claims to answer, at once. `None` when it belongs to another client on this origin.
    pub(crate) fn take(&self, callback: Callback) -> Option<Result<Accepted, Error>> {
        match self.0.take(callback) {
            Err(NotTaken::OtherClient) => None,
            Err(NotTaken::Refused { error, .. }) => Some(Err(error)),
            Ok(accepted) => Some(Ok(accepted)),
        }
    }

    /// Verifies the ID token: who it is, and where in the app they wanted to be.
    pub(crate) async fn identify(self, accepted: Accepted) -> Result<(Claims, String), Error> {
        let keep = self.0;
        let metadata = keep.metadata().await?;
        let accepted = match accepted {
            Accepted::Signed(response) => keep.unsigned(response, &metadata).await?,
            accepted => accepted,
        };
        let Accepted::IdToken(response) = accepted else { return Err(Misbehaved::IdTokenMissing.into()) };
        let claims = keep.verified(&response.id_token, Some(&response.login), Beside::Nothing, &metadata).await?;
        Ok((claims, response.login.return_to().to_owned()))
    }
}
