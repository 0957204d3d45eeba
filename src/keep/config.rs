//! What an app configures. Read once, checked whole, and never changed afterwards.

use std::time::Duration;

use crate::{
    protocol::{
        Access, ClockSkew, Discovery, HttpUrl, Issuer, Json, Misconfigured, Number, Registration, ResponseMode, ResponseType, Scope,
        TokenType, Unreadable, UserInfoFormat,
        url::{is_absolute_uri, names_client_metadata},
        wire::Wire,
    },
    session::Limits,
};

use super::fetch::Destination;

/// The longest [`Config::clock_leeway`].
pub const MAX_LEEWAY: Duration = Duration::from_secs(300);

/// What an app configures: who signs its users in, and which APIs get a token.
///
/// ```
/// use tokenkeep::Config;
///
/// let config = Config::new("https://login.example.com", "my-app")
///     .scopes("openid profile email")
///     .api("https://api.example.com/v1/");
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    api: Vec<(String, Option<Access>)>,
    audience: Option<String>,
    client_id: String,
    clock_leeway: Duration,
    clock_skew: ClockSkew,
    #[cfg(feature = "device")]
    device_authorization: bool,
    discovery: Discovery,
    expose_access_token: bool,
    form_post_receiver: bool,
    front_channel_logout_session_required: bool,
    id_token_hint: bool,
    issuer: String,
    limits: Limits,
    #[cfg(feature = "popup")]
    popup_redirect: Place,
    post_logout_redirect: Place,
    pushed_authorization_requests: bool,
    redirect: Place,
    renew_by_frame: bool,
    renew_by_redirect: bool,
    resource: Vec<String>,
    response_mode: Option<ResponseMode>,
    response_type: ResponseType,
    scopes: String,
    step_up: bool,
    token_type: TokenType,
    trusted_audiences: Vec<String>,
    user_info: UserInfoFormat,
}

/// A URL of the app, whole or below its origin.
#[derive(Clone, Debug, PartialEq)]
enum Place {
    Path(String),
    Whole(String),
}

impl Place {
    /// The whole URL, for an app at this origin, if it is below that.
    fn at(&self, origin: &str) -> Option<HttpUrl> {
        let here = HttpUrl::parse(origin).ok()?;
        let url = match self {
            Place::Path(path) if path.starts_with('/') && !path.starts_with("//") => HttpUrl::parse(&[here.origin(), path].concat()),
            Place::Path(_) => return None,
            Place::Whole(url) => HttpUrl::parse(url),
        };
        url.ok().filter(|url| url.same_origin(&here))
    }
}

impl Config {
    /// The two things without which nothing works. Scopes are `openid profile` and the redirect URI is `/callback` below the app's
    /// origin, until said otherwise.
    pub fn new(issuer: impl Into<String>, client_id: impl Into<String>) -> Config {
        Config {
            api: Vec::new(),
            audience: None,
            client_id: client_id.into(),
            clock_leeway: Duration::from_secs(30),
            clock_skew: ClockSkew::NONE,
            #[cfg(feature = "device")]
            device_authorization: false,
            discovery: Discovery::OpenId,
            expose_access_token: false,
            form_post_receiver: false,
            front_channel_logout_session_required: true,
            id_token_hint: false,
            issuer: issuer.into(),
            limits: Limits { idle: None, warning: Duration::from_secs(60), session: None },
            #[cfg(feature = "popup")]
            popup_redirect: Place::Path("/popup.html".to_owned()),
            post_logout_redirect: Place::Path("/".to_owned()),
            pushed_authorization_requests: false,
            redirect: Place::Path("/callback".to_owned()),
            renew_by_frame: true,
            renew_by_redirect: false,
            resource: Vec::new(),
            response_mode: None,
            response_type: ResponseType::Code,
            scopes: "openid profile".to_owned(),
            step_up: false,
            token_type: TokenType::Bearer,
            trusted_audiences: Vec::new(),
            user_info: UserInfoFormat::Json,
        }
    }

    /// Reads a configuration from JSON: an object with the names of these methods, `issuer` and `client_id` among them.
    ///
    /// `scopes` is a text or a list, `resource`, `trusted_audiences` and `api` likewise; an entry of `api` may be an object with `url`,
    /// `resource` and `scopes` ([`Config::api_for`]). `clock_leeway_seconds`, `idle_limit_seconds`,
    /// `idle_warning_seconds` and `session_limit_seconds` are numbers, and `clock_skew_seconds` one that is negative
    /// where this device's clock is slow. What is not known is refused: a misspelt option must not go unnoticed, nor one of a Cargo feature
    /// that is off.
    ///
    /// ```
    /// use tokenkeep::{Config, protocol::Misconfigured};
    ///
    /// let text = r#"{"issuer": "https://login.example.com", "client_id": "my-app", "scope": "openid"}"#;
    /// assert_eq!(Config::from_json(text), Err(Misconfigured::OptionUnknown { option: "scope".into() }));
    /// ```
    ///
    /// # Errors
    /// Which option is missing, unknown or of the wrong type.
    pub fn from_json(text: &str) -> Result<Config, Misconfigured> {
        let document = Json::parse(text).map_err(|why| Misconfigured::ConfigMalformed { why })?;
        let Json::Object(members) = &document else {
            return Err(Misconfigured::ConfigMalformed { why: Unreadable::NotAnObject });
        };
        let mut config = Config::new("", "");
        for (option, value) in members {
            let wrong = || Misconfigured::OptionType { option: option.clone() };
            let text = || value.as_str().map(str::to_owned).ok_or_else(wrong);
            let flag = || value.as_bool().ok_or_else(wrong);
            let texts = || value.texts().ok_or_else(wrong);
            let seconds = || value.as_number().and_then(Number::floor).map(Duration::from_secs).ok_or_else(wrong);
            match option.as_str() {
                "api" => config.api = apis(value).ok_or_else(wrong)?,
                "audience" => config.audience = Some(text()?),
                "client_id" => config.client_id = text()?,
                "client_secret" => return Err(Misconfigured::ClientSecret),
                "clock_leeway_seconds" => config.clock_leeway = seconds()?,
                "clock_skew_seconds" => config.clock_skew = ClockSkew::read(value).ok_or_else(wrong)?,
                #[cfg(feature = "device")]
                "dangerous_device_authorization" => config.device_authorization = flag()?,
                "dangerous_expose_access_token" => config.expose_access_token = flag()?,
                "dangerous_front_channel_logout_without_session" => config.front_channel_logout_session_required = !flag()?,
                "form_post_receiver" => config.form_post_receiver = flag()?,
                "dpop" => config = config.dpop(flag()?),
                "id_token_hint" => config.id_token_hint = flag()?,
                #[cfg(feature = "limits")]
                "idle_limit_seconds" => config.limits.idle = Some(seconds()?),
                #[cfg(feature = "limits")]
                "idle_warning_seconds" => config.limits.warning = seconds()?,
                "issuer" => config.issuer = text()?,
                "oauth_only" if flag()? => config.discovery = Discovery::OAuth,
                "oauth_only" => config.discovery = Discovery::OpenId,
                #[cfg(feature = "popup")]
                "popup_redirect_path" => config.popup_redirect = Place::Path(text()?),
                #[cfg(feature = "popup")]
                "popup_redirect_uri" => config.popup_redirect = Place::Whole(text()?),
                "post_logout_redirect_path" => config.post_logout_redirect = Place::Path(text()?),
                "post_logout_redirect_uri" => config.post_logout_redirect = Place::Whole(text()?),
                "pushed_authorization_requests" => config.pushed_authorization_requests = flag()?,
                "redirect_path" => config.redirect = Place::Path(text()?),
                "redirect_uri" => config.redirect = Place::Whole(text()?),
                "renew_by_frame" => config.renew_by_frame = flag()?,
                "renew_by_redirect" => config.renew_by_redirect = flag()?,
                "resource" => config.resource = texts()?,
                "response_mode" => {
                    config.response_mode = Some(value.as_str().and_then(ResponseMode::from_name).ok_or_else(wrong)?);
                }
                "response_type" => config.response_type = value.as_str().and_then(ResponseType::from_name).ok_or_else(wrong)?,
                "scopes" => config.scopes = texts()?.join(" "),
                #[cfg(feature = "limits")]
                "session_limit_seconds" => config.limits.session = Some(seconds()?),
                #[cfg(feature = "step-up")]
                "step_up" => config.step_up = flag()?,
                "trusted_audiences" => config.trusted_audiences = texts()?,
                "user_info" => {
                    config.user_info = match value.as_str() {
                        Some("json") => UserInfoFormat::Json,
                        Some("signed") => UserInfoFormat::Signed,
                        _ => return Err(wrong()),
                    }
                }
                _ => return Err(Misconfigured::OptionUnknown { option: option.clone() }),
            }
        }
        for (option, value) in [("issuer", &config.issuer), ("client_id", &config.client_id)] {
            if value.is_empty() {
                return Err(Misconfigured::OptionMissing { option });
            }
        }
        Ok(config)
    }

    /// What [`Config::from_json`] reads as this configuration. What is as it is without being said is left out.
    pub fn to_json(&self) -> Json {
        let usual = Config::new(&self.issuer, &self.client_id);
        let text = |text: &str| Some(Json::from(text));
        let flag = |is: bool, usual: bool| (is != usual).then_some(Json::Bool(is));
        let list = |list: &[String]| (!list.is_empty()).then(|| Json::from(list));
        let api = |(url, access): &(String, Option<Access>)| match access {
            None => Json::from(url),
            Some(access) => Json::object(vec![
                ("url", text(url)),
                ("audience", list(access.exchanged_for.as_deref().unwrap_or_default())),
                ("exchange", flag(access.exchanged_for.is_some(), false)),
                ("resource", list(&access.resources)),
                ("scopes", Some(&access.scope).filter(|scope| !scope.is_empty()).map(Json::from)),
            ]),
        };
        let place = |place: &Place, usual: &Place, is_whole: bool| match place {
            Place::Path(path) if !is_whole && place != usual => text(path),
            Place::Whole(url) if is_whole => text(url),
            _ => None,
        };
        let (redirect, post_logout) = (&self.redirect, &self.post_logout_redirect);
        let members = vec![
            ("api", (!self.api.is_empty()).then(|| Json::Array(self.api.iter().map(api).collect()))),
            ("audience", self.audience.as_ref().map(Json::from)),
            ("client_id", text(&self.client_id)),
            ("clock_leeway_seconds", (self.clock_leeway != usual.clock_leeway).then(|| self.clock_leeway.as_secs().into())),
            ("clock_skew_seconds", (self.clock_skew != usual.clock_skew).then(|| self.clock_skew.write())),
            ("dangerous_expose_access_token", flag(self.expose_access_token, false)),
            ("dangerous_front_channel_logout_without_session", flag(!self.front_channel_logout_session_required, false)),
            ("dpop", flag(self.token_type == TokenType::Dpop, false)),
            ("form_post_receiver", flag(self.form_post_receiver, false)),
            ("id_token_hint", flag(self.id_token_hint, usual.id_token_hint)),
            ("issuer", text(&self.issuer)),
            ("oauth_only", flag(self.discovery == Discovery::OAuth, false)),
            ("post_logout_redirect_path", place(post_logout, &usual.post_logout_redirect, false)),
            ("post_logout_redirect_uri", place(post_logout, &usual.post_logout_redirect, true)),
            ("pushed_authorization_requests", flag(self.pushed_authorization_requests, false)),
            ("redirect_path", place(redirect, &usual.redirect, false)),
            ("redirect_uri", place(redirect, &usual.redirect, true)),
            ("renew_by_frame", flag(self.renew_by_frame, usual.renew_by_frame)),
            ("renew_by_redirect", flag(self.renew_by_redirect, usual.renew_by_redirect)),
            ("resource", list(&self.resource)),
            ("response_mode", self.response_mode.map(|mode| mode.name().into())),
            ("response_type", (self.response_type != ResponseType::Code).then(|| self.response_type.name().into())),
            ("scopes", (self.scopes != usual.scopes).then(|| Json::from(&self.scopes))),
            ("trusted_audiences", list(&self.trusted_audiences)),
            ("user_info", (self.user_info == UserInfoFormat::Signed).then(|| "signed".into())),
        ];
        #[cfg(feature = "limits")]
        let members = {
            let Limits { idle, warning, session } = self.limits;
            let seconds = |limit: Option<Duration>| limit.map(|limit| limit.as_secs().into());
            let warning = seconds((warning != usual.limits.warning).then_some(warning));
            let limits =
                vec![("idle_limit_seconds", seconds(idle)), ("idle_warning_seconds", warning), ("session_limit_seconds", seconds(session))];
            [members, limits].concat()
        };
        #[cfg(feature = "step-up")]
        let members = [members, vec![("step_up", flag(self.step_up, usual.step_up))]].concat();
        #[cfg(feature = "popup")]
        let members = {
            let (popup, usual) = (&self.popup_redirect, &usual.popup_redirect);
            let places = vec![("popup_redirect_path", place(popup, usual, false)), ("popup_redirect_uri", place(popup, usual, true))];
            [members, places].concat()
        };
        #[cfg(feature = "device")]
        let members = [members, vec![("dangerous_device_authorization", flag(self.device_authorization, false))]].concat();
        Json::object(members)
    }

    /// An API that gets the access token: scheme, host, port and path prefix, compared exactly. Nothing else ever gets it.
    pub fn api(mut self, url: impl Into<String>) -> Config {
        self.api.push((url.into(), None));
        self
    }

    /// An API that gets an access token of its own: for another audience, or with fewer scopes than the user agreed to. The longest
    /// prefix that fits a URL decides.
    ///
    /// ```
    /// use tokenkeep::{Access, Config};
    ///
    /// let config = Config::new("https://login.example.com", "my-app")
    ///     .scopes("openid offline_access orders:read invoices:read")
    ///     .api("https://api.example.com/")
    ///     .api_for("https://billing.example.com/", Access::to("https://billing.example.com/").scope("invoices:read"));
    /// ```
    pub fn api_for(mut self, url: impl Into<String>, access: Access) -> Config {
        self.api.push((url.into(), Some(access)));
        self
    }

    /// `audience`: which API the token is for, at providers that know this parameter (Auth0).
    pub fn audience(mut self, audience: impl Into<String>) -> Config {
        self.audience = Some(audience.into());
        self
    }

    /// How much the clocks of device and provider may differ. 30 seconds, and at most 300.
    pub fn clock_leeway(mut self, leeway: Duration) -> Config {
        self.clock_leeway = leeway;
        self
    }

    /// How this device's clock is known to differ. [`Misbehaved::ClockSkew`](crate::protocol::Misbehaved::ClockSkew) tells.
    pub fn clock_skew(mut self, skew: ClockSkew) -> Config {
        self.clock_skew = skew;
        self
    }

    /// Users may sign in on another device ([`Client::sign_in_by_device`](crate::Client::sign_in_by_device)): then whoever gets somebody to enter a
    /// code is signed in as them. Nothing ties the one who agrees to the screen that shows the code, so a code can be sent by mail, and a user
    /// who believes it hands over their account ([RFC 8628 §5.4](https://www.rfc-editor.org/rfc/rfc8628#section-5.4), RFC 10027).
    ///
    /// Only for a screen where nobody can type, such as a television's: a page must redirect where it can (RFC 10017 §7.3). Register a client
    /// for it of its own, that may do nothing else.
    ///
    /// Who signed in elsewhere has no session at the provider in this browser. So such a session is renewed by the refresh token only, and
    /// neither in a hidden frame nor by a redirect, where it could be somebody else's.
    #[cfg(feature = "device")]
    pub fn dangerous_device_authorization(mut self) -> Config {
        self.device_authorization = true;
        self
    }

    /// The app may see access tokens ([`Client::access_token`](crate::Client::access_token)): then so may whatever script gets into the
    /// page, and take them away. For an API that cannot be called by [`Client::fetch`](crate::Client::fetch), such as a WebSocket's. A token
    /// that is bound to a key ([`Config::dpop`]) is not shown in any case.
    pub fn dangerous_expose_access_token(mut self) -> Config {
        self.expose_access_token = true;
        self
    }

    /// A front-channel logout without `iss` and `sid` is believed: whoever frames the app's logout page signs its users out. Only for
    /// a provider that sends neither.
    pub fn dangerous_front_channel_logout_without_session(mut self) -> Config {
        self.front_channel_logout_session_required = false;
        self
    }

    /// Whether tokens are bound to a key of this client (DPoP, [RFC 9449](https://www.rfc-editor.org/rfc/rfc9449)): a stolen token is useless
    /// on another device then. Off, until said otherwise.
    ///
    /// The key is made in the browser's WebCrypto, cannot be exported, and is nowhere but in the memory of this page. **So each tab signs in
    /// for itself**: tokens are neither handed to other tabs nor taken from them, and a reload needs a provider that answers in a hidden
    /// frame. A sign-out still reaches all tabs.
    ///
    /// The provider must issue DPoP tokens to this client: a bearer token is refused. Every API that gets one must allow the request header
    /// `DPoP` (`Access-Control-Allow-Headers`), and show `WWW-Authenticate` and `DPoP-Nonce` (`Access-Control-Expose-Headers`) if it asks
    /// for nonces. Proofs say the time: for a clock that is wrong there is [`Config::clock_skew`].
    pub fn dpop(mut self, bind: bool) -> Config {
        self.token_type = if bind { TokenType::Dpop } else { TokenType::Bearer };
        self
    }

    /// Says that something receives the form of [`ResponseMode::FormPost`] at the redirect URI and hands it on in the fragment, as the
    /// service worker of the npm package and the few lines for servers in the README do. Without it the mode is refused: a static host
    /// answers a form with an error page.
    pub fn form_post_receiver(mut self) -> Config {
        self.form_post_receiver = true;
        self
    }

    /// Whether the provider gets the ID token back when the user signs out there (`id_token_hint`), so that it need not ask. It is
    /// sent in a form, never in a URL, so a provider whose cookies are `SameSite=Lax` does not see its session then. Off, until said
    /// otherwise.
    pub fn id_token_hint(mut self, send: bool) -> Config {
        self.id_token_hint = send;
        self
    }

    /// How long a user may be inactive before the session ends, in all tabs: [`Ended::Idle`](crate::Ended::Idle). Off, until said otherwise.
    ///
    /// Activity is what the user does with a key, a pointer or a finger in any tab of the app, and
    /// [`Client::stay_active`](crate::Client::stay_active). Neither a call of an API nor a renewal is, nor that a page is loaded. It is noted
    /// once in five seconds at most, in a twelfth of a limit that is short, so a session may end by so much earlier. Time in which the device
    /// sleeps counts; what comes first after it finds no token. A clock that is set forward counts as time that has passed. One that is set
    /// back changes nothing in an open page, and makes the limit at most once longer where a page is loaded after it.
    ///
    /// When it ends, the refresh token is revoked as far as the provider answers, and nobody is signed in again without asking for it, as
    /// after a sign-out. **The user's session at the provider goes on**: who asks to sign in may find that nothing is asked, unless the
    /// app wants it ([`SignIn::prompt`](crate::SignIn::prompt), [`SignIn::max_age`](crate::SignIn::max_age)). And whoever runs a script in the page can act
    /// like a user: this is for a screen that was left alone, and no defence against theft. What a token may do for how long is for the
    /// provider to limit.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tokenkeep::Config;
    ///
    /// let config = Config::new("https://login.example.com", "my-app")
    ///     .idle_limit(Duration::from_secs(15 * 60))
    ///     .idle_warning(Duration::from_secs(2 * 60))
    ///     .session_limit(Duration::from_secs(12 * 60 * 60));
    /// ```
    #[cfg(feature = "limits")]
    pub fn idle_limit(mut self, limit: Duration) -> Config {
        self.limits.idle = Some(limit);
        self
    }

    /// How long before [`Config::idle_limit`] the app is told ([`Event::IdleSoon`](crate::Event::IdleSoon)): 60 seconds, until said
    /// otherwise. Zero is no warning.
    #[cfg(feature = "limits")]
    pub fn idle_warning(mut self, warning: Duration) -> Config {
        self.limits.warning = warning;
        self
    }

    /// Only OAuth: the app calls APIs for a user whom it does not identify. Metadata is read as RFC 8414 has it.
    pub fn oauth_only(mut self) -> Config {
        self.discovery = Discovery::OAuth;
        self
    }

    /// Where the window comes back to in which a user signs in (`Client::sign_in_with_popup`): a path
    /// below the app's origin, where `popup.html` of this crate is. The default is `/popup.html`. Register it at the provider, too.
    #[cfg(feature = "popup")]
    pub fn popup_redirect_path(mut self, path: impl Into<String>) -> Config {
        self.popup_redirect = Place::Path(path.into());
        self
    }

    /// Where the window comes back to in which a user signs in: a whole URL of the app's own origin.
    #[cfg(feature = "popup")]
    pub fn popup_redirect_uri(mut self, uri: impl Into<String>) -> Config {
        self.popup_redirect = Place::Whole(uri.into());
        self
    }

    /// Where the user comes back to after signing out: a path below the app's origin. The default is `/`.
    pub fn post_logout_redirect_path(mut self, path: impl Into<String>) -> Config {
        self.post_logout_redirect = Place::Path(path.into());
        self
    }

    /// Whether authorization requests are pushed to the provider, which then gives the user's browser a name for them
    /// ([RFC 9126](https://www.rfc-editor.org/rfc/rfc9126)). A provider that requires it gets them so in any case. Off, until said
    /// otherwise: it is a request more, to an endpoint that must allow this origin.
    pub fn pushed_authorization_requests(mut self, push: bool) -> Config {
        self.pushed_authorization_requests = push;
        self
    }

    /// Where the user comes back to after signing in: a path below the app's origin. The default is `/callback`.
    pub fn redirect_path(mut self, path: impl Into<String>) -> Config {
        self.redirect = Place::Path(path.into());
        self
    }

    /// Where the user comes back to after signing in: a whole URL of the app's own origin.
    pub fn redirect_uri(mut self, uri: impl Into<String>) -> Config {
        self.redirect = Place::Whole(uri.into());
        self
    }

    /// Whether a session may be renewed in a hidden frame, with `prompt=none`. It works where the provider's cookies count as
    /// first-party. On, until said otherwise.
    pub fn renew_by_frame(mut self, may: bool) -> Config {
        self.renew_by_frame = may;
        self
    }

    /// Whether a session may be renewed by leaving for the provider and coming back, without asking the user: once in five minutes
    /// at most, and only when nothing else works. What the page held is lost then. Off, until said otherwise.
    pub fn renew_by_redirect(mut self, may: bool) -> Config {
        self.renew_by_redirect = may;
        self
    }

    /// Which API the token is for ([RFC 8707 §2](https://www.rfc-editor.org/rfc/rfc8707#section-2)).
    pub fn resource(mut self, uri: impl Into<String>) -> Config {
        self.resource.push(uri.into());
        self
    }

    /// How the response comes back: as is usual for its type, until said otherwise.
    pub fn response_mode(mut self, mode: ResponseMode) -> Config {
        self.response_mode = Some(mode);
        self
    }

    /// What is in the response: a code, until said otherwise.
    pub fn response_type(mut self, response_type: ResponseType) -> Config {
        self.response_type = response_type;
        self
    }

    /// What is asked for: words with one space between.
    pub fn scopes(mut self, scopes: impl Into<String>) -> Config {
        self.scopes = scopes.into();
        self
    }

    /// How long after the user signed in to this app the session ends, whatever the user does: [`Ended::SessionLimit`](crate::Ended::SessionLimit).
    /// Off, until said otherwise.
    ///
    /// It counts from the last sign-in in this browser. A renewal is none, by whatever way, nor is a reload. What becomes of the session at
    /// the provider, of sleep and of clocks is as with [`Config::idle_limit`]. There is no warning.
    #[cfg(feature = "limits")]
    pub fn session_limit(mut self, limit: Duration) -> Config {
        self.limits.session = Some(limit);
        self
    }

    /// Whether a call waits when its API wants the user to authenticate in another way, or more lately
    /// ([RFC 9470](https://www.rfc-editor.org/rfc/rfc9470)). The app is told ([`Event::StepUpNeeded`](super::Event::StepUpNeeded)), asks its
    /// user, and signs in with [`Client::step_up`](crate::Client::step_up) or declines. What waits is then sent once more, for the same
    /// user only, and in no case by itself. Off, until said otherwise: the 401 is the answer then
    /// ([`Challenge::InsufficientUserAuthentication`](crate::protocol::Challenge::InsufficientUserAuthentication)).
    ///
    /// A call waits for ten minutes at most ([`STEP_UP_PATIENCE`](super::STEP_UP_PATIENCE)), as long as its page is there. One that must not
    /// be sent twice ([`Request::once`](crate::Request::once)) does not wait. APIs must show `WWW-Authenticate`
    /// (`Access-Control-Expose-Headers`), and the provider must say `acr` and `auth_time` in ID tokens.
    #[cfg(feature = "step-up")]
    pub fn step_up(mut self, wait: bool) -> Config {
        self.step_up = wait;
        self
    }

    /// How much longer than its API a call may take: the user may take longer.
    #[cfg(all(feature = "worker", target_family = "wasm"))]
    pub(crate) fn patience(&self) -> Duration {
        #[cfg(feature = "step-up")]
        if self.step_up {
            return super::STEP_UP_PATIENCE;
        }
        Duration::ZERO
    }

    /// Somebody else whom the ID token may be for, beside this client.
    pub fn trusted_audience(mut self, audience: impl Into<String>) -> Config {
        self.trusted_audiences.push(audience.into());
        self
    }

    /// How the provider answers at its UserInfo endpoint.
    pub fn user_info(mut self, format: UserInfoFormat) -> Config {
        self.user_info = format;
        self
    }

    #[cfg(all(feature = "worker", target_family = "wasm"))]
    pub(crate) fn issuer(&self) -> Option<Issuer> {
        Issuer::parse(&self.issuer).ok()
    }

    /// Where the user comes back to after signing in, in an app at this origin.
    #[cfg(all(feature = "worker", target_family = "wasm"))]
    pub(crate) fn redirect_uri_at(&self, origin: &str) -> Option<HttpUrl> {
        self.redirect.at(origin)
    }

    #[cfg(feature = "limits")]
    fn check_limits(&self) -> Result<(), Misconfigured> {
        let Limits { idle, warning, session } = self.limits;
        if [idle, session].into_iter().flatten().any(|limit| limit < Duration::from_secs(1)) {
            return Err(Misconfigured::LimitZero);
        }
        if idle.is_some_and(|limit| limit <= warning) {
            return Err(Misconfigured::IdleWarningTooLong);
        }
        Ok(())
    }

    /// Checks everything, for an app at this origin.
    ///
    /// # Errors
    /// The first option that cannot work, and what to do about it.
    pub fn check(&self, origin: &str) -> Result<Settings, Misconfigured> {
        let issuer = Issuer::parse(&self.issuer)?;
        if self.client_id.is_empty() || !self.client_id.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
            return Err(Misconfigured::ClientIdMalformed);
        }
        if names_client_metadata(&self.client_id) == Some(false) {
            return Err(Misconfigured::ClientIdMalformed);
        }
        let scope = Scope::parse(&self.scopes)?;
        if self.discovery == Discovery::OpenId && !scope.contains("openid") {
            return Err(Misconfigured::OpenidMissing);
        }
        if self.audience.as_deref() == Some("") {
            return Err(Misconfigured::AudienceMalformed);
        }
        #[cfg(feature = "step-up")]
        if self.step_up && self.discovery == Discovery::OAuth {
            return Err(Misconfigured::StepUpUnverifiable);
        }
        let resources = self.api.iter().flat_map(|(_, access)| access).flat_map(|access| &access.resources);
        if !self.resource.iter().chain(resources).all(|resource| is_absolute_uri(resource)) {
            return Err(Misconfigured::ResourceMalformed);
        }
        let main = Access { resources: self.resource.clone(), ..Access::default() };
        let mut api = Vec::new();
        for (url, access) in &self.api {
            let access = access.as_ref().unwrap_or(&main);
            Scope::parse(&access.scope)?;
            if access.exchanged_for.iter().flatten().any(String::is_empty) {
                return Err(Misconfigured::AudienceMalformed);
            }
            api.push((Destination::parse(url)?, access.clone()));
        }
        if self.clock_leeway > MAX_LEEWAY {
            return Err(Misconfigured::LeewayTooLong);
        }
        #[cfg(feature = "limits")]
        self.check_limits()?;
        let response_mode = self.response_mode.unwrap_or(self.response_type.response_mode());
        let hybrid = self.response_type == ResponseType::CodeIdToken;
        // OAuth 2.0 Multiple Response Types §5: a token "MUST NOT" come in the query.
        if hybrid && (response_mode.carrier() == ResponseMode::Query || self.discovery == Discovery::OAuth) {
            return Err(Misconfigured::ResponseModeMalformed);
        }
        if response_mode.carrier() == ResponseMode::FormPost && !self.form_post_receiver {
            return Err(Misconfigured::FormPostReceiverMissing);
        }
        let place = |place: &Place| place.at(origin).ok_or(Misconfigured::RedirectUriMalformed);
        // Whether it is in this browser that users have a session at the provider.
        #[cfg(feature = "device")]
        let here = !self.device_authorization;
        #[cfg(not(feature = "device"))]
        let here = true;
        Ok(Settings {
            access: main,
            api,
            clock_leeway: self.clock_leeway,
            clock_skew: self.clock_skew,
            #[cfg(feature = "device")]
            device_authorization: self.device_authorization,
            discovery: self.discovery,
            expose_access_token: self.expose_access_token,
            front_channel_logout_session_required: self.front_channel_logout_session_required,
            id_token_hint: self.id_token_hint,
            issuer,
            #[cfg(feature = "popup")]
            popup_redirect_uri: place(&self.popup_redirect)?,
            limits: self.limits,
            post_logout_redirect_uri: place(&self.post_logout_redirect)?,
            registration: Registration {
                client_id: self.client_id.clone(),
                redirect_uri: place(&self.redirect)?,
                scope,
                audience: self.audience.clone(),
                resources: self.resource.clone(),
                response_mode,
                response_type: self.response_type,
            },
            pushed_authorization_requests: self.pushed_authorization_requests,
            renew_by_frame: self.renew_by_frame && here,
            renew_by_redirect: self.renew_by_redirect && here,
            step_up: self.step_up,
            token_type: self.token_type,
            trusted_audiences: self.trusted_audiences.clone(),
            user_info: self.user_info,
        })
    }
}

/// A [`Config`] that was checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// What the user agrees to when signing in.
    pub(crate) access: Access,
    pub(crate) api: Vec<(Destination, Access)>,
    pub(crate) clock_leeway: Duration,
    pub(crate) clock_skew: ClockSkew,
    #[cfg(feature = "device")]
    pub(crate) device_authorization: bool,
    pub(crate) discovery: Discovery,
    pub(crate) expose_access_token: bool,
    pub(crate) front_channel_logout_session_required: bool,
    pub(crate) id_token_hint: bool,
    pub(crate) issuer: Issuer,
    #[cfg(feature = "popup")]
    pub(crate) popup_redirect_uri: HttpUrl,
    pub(crate) limits: Limits,
    pub(crate) post_logout_redirect_uri: HttpUrl,
    pub(crate) registration: Registration,
    pub(crate) pushed_authorization_requests: bool,
    pub(crate) renew_by_frame: bool,
    pub(crate) renew_by_redirect: bool,
    pub(crate) step_up: bool,
    pub(crate) token_type: TokenType,
    pub(crate) trusted_audiences: Vec<String>,
    pub(crate) user_info: UserInfoFormat,
}

/// One API, or a list of them: URLs, or objects with a URL and what its own token is for.
fn apis(value: &Json) -> Option<Vec<(String, Option<Access>)>> {
    let one = |value: &Json| match value {
        Json::String(url) => Some((url.clone(), None)),
        Json::Object(members)
            if members.iter().all(|(name, _)| matches!(name.as_str(), "audience" | "exchange" | "resource" | "scopes" | "url")) =>
        {
            let list = |name| value.get(name).map_or(Some(Vec::new()), Json::texts);
            let audiences = list("audience")?;
            let exchanged_for = match value.get("exchange") {
                Some(Json::Bool(true)) => Some(audiences),
                // A refresh token knows none.
                None | Some(Json::Bool(false)) if audiences.is_empty() => None,
                _ => return None,
            };
            let access = Access { resources: list("resource")?, scope: list("scopes")?.join(" "), exchanged_for };
            Some((value.text("url")?.to_owned(), Some(access)))
        }
        _ => None,
    };
    match value {
        Json::Array(many) => many.iter().map(one).collect(),
        _ => one(value).map(|api| vec![api]),
    }
}
