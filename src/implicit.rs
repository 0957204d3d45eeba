//! Who the user is, and nothing else: an ID token that comes as a form, without a code, an access token or a session
//! ([OpenID Connect Core §3.2](https://openid.net/specs/openid-connect-core-1_0.html#ImplicitFlowAuth),
//! [Form Post Response Mode](https://openid.net/specs/oauth-v2-form-post-response-mode-1_0.html)).
//!
//! For an app that calls no API for its user. Whoever calls one needs [`Client`](crate::Client). Something must receive the form at the
//! redirect URI and hand it on in the fragment ([`POSTED`](crate::protocol::callback::POSTED)): the service worker of the npm package
//! (feature `form-post`, whose `browser::take_posted` gives the address for [`IdTokenSignIn::finish`]), or a few lines on a server.
//!
//! ```
//! use tokenkeep::{Config, Error, SignIn, implicit::IdTokenSignIn, keep::ports::Ports};
//!
//! async fn who(ports: Ports, address: &str) -> Result<Option<String>, Error> {
//!     let sign_in = IdTokenSignIn::open(&Config::new("https://login.example.com", "my-app"), ports, "https://app.example")?;
//!     match sign_in.finish(address) {
//!         Some(identity) => Ok(Some(identity.await?.claims.display_name().to_owned())),
//!         None => {
//!             let _leave_for = sign_in.begin(SignIn::default(), "/orders".to_owned()).await?;
//!             Ok(None)
//!         }
//!     }
//! }
//! ```

use crate::{
    keep::{Config, IdentityKeep, ports::Ports},
    protocol::{Callback, Claims, Error, Secret, SignIn},
};

/// Finds out who the user is.
#[derive(Clone)]
pub struct IdTokenSignIn(IdentityKeep);

/// Who signed in, verified.
#[derive(Clone, Debug, PartialEq)]
pub struct Identity {
    /// What the ID token says.
    pub claims: Claims,
    /// Where in the app the user wanted to be, as [`IdTokenSignIn::begin`] was told. It was stored meanwhile: look at it before you go there.
    pub return_to: String,
}

impl IdTokenSignIn {
    /// Checks the configuration, for an app at this origin. What it says of APIs does not count.
    ///
    /// # Errors
    /// The first option that cannot work, and what to do about it.
    pub fn open(config: &Config, ports: Ports, origin: &str) -> Result<IdTokenSignIn, Error> {
        let settings = config.clone().form_post_receiver().check(origin)?;
        Ok(IdTokenSignIn(IdentityKeep::new(settings, ports)?))
    }

    /// Begins: remembers what must survive the redirect, and says where to send the user. Be sure that the form will be received before that.
    ///
    /// # Errors
    /// When the provider does not answer as it should, or nothing can be stored.
    pub fn begin(&self, sign_in: SignIn, return_to: String) -> impl Future<Output = Result<Secret<String>, Error>> + use<> {
        self.0.clone().begin(sign_in, return_to)
    }

    /// Finishes, if there is a response of ours in the address. When this returns, before anything is awaited, the pending sign-in has been
    /// used up. Take the response out of the address then ([`Callback::scrub`]).
    ///
    /// The answer is an error when the response is not acceptable, or says that the sign-in failed.
    pub fn finish(&self, address: &str) -> Option<impl Future<Output = Result<Identity, Error>> + use<>> {
        let callback = Callback::read(address, self.0.redirect_uri().as_str())?;
        let taken = self.0.take(callback)?;
        let keep = self.0.clone();
        Some(async move {
            let (claims, return_to) = keep.identify(taken?).await?;
            Ok(Identity { claims, return_to })
        })
    }
}
