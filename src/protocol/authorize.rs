//! The authorization request, and all that must survive the redirect
//! ([RFC 6749 §4.1.1](https://www.rfc-editor.org/rfc/rfc6749#section-4.1.1),
//! [OpenID Connect Core §3.1.2.1](https://openid.net/specs/openid-connect-core-1_0.html#AuthRequest)).

use std::time::Duration;

use base64ct::{Base64UrlUnpadded, Encoding};

use super::{
    error::{Misconfigured, Unreadable},
    form,
    json::{Json, Number},
    pkce::{self, CodeVerifier},
    provider::{Issuer, Metadata},
    secret::Secret,
    time::UnixTime,
    url::HttpUrl,
};

/// Parameters that only this library sets.
pub(crate) const RESERVED: &[&str] = &[
    "acr_values",
    "audience",
    "authorization_details",
    "claims",
    "client_id",
    "client_secret",
    "code_challenge",
    "code_challenge_method",
    "dpop_jkt",
    "id_token_hint",
    "login_hint",
    "max_age",
    "nonce",
    "prompt",
    "redirect_uri",
    "request",
    "request_uri",
    "resource",
    "response_mode",
    "response_type",
    "scope",
    "state",
    "ui_locales",
];

/// What the app is to its provider: the part of the configuration that goes over the wire.
#[derive(Clone, Debug, PartialEq)]
pub struct Registration {
    /// `client_id`.
    pub client_id: String,
    /// `redirect_uri`, exactly as registered.
    pub redirect_uri: HttpUrl,
    /// What is asked for.
    pub scope: Scope,
    /// `audience`: which API the token is for, at providers that know this parameter.
    pub audience: Option<String>,
    /// `resource`: which APIs the token is for ([RFC 8707 §2](https://www.rfc-editor.org/rfc/rfc8707#section-2)).
    pub resources: Vec<String>,
    /// How the response comes back.
    pub response_mode: ResponseMode,
    /// What is in the response.
    pub response_type: ResponseType,
}

/// How the response comes back
/// ([OAuth 2.0 Multiple Response Types §2.1](https://openid.net/specs/oauth-v2-multiple-response-types-1_0.html#ResponseModes)).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ResponseMode {
    /// `form_post`: in a form that the provider's page sends to the redirect URI, where a service worker or a server receives it
    /// ([Form Post Response Mode](https://openid.net/specs/oauth-v2-form-post-response-mode-1_0.html)).
    FormPost,
    /// `form_post.jwt`: the same, signed ([JARM §2.3](https://openid.net/specs/oauth-v2-jarm-final.html#section-2.3)).
    FormPostJwt,
    /// `fragment`: in the fragment of the redirect URI. The default for a code with an ID token.
    Fragment,
    /// `fragment.jwt`: the same, signed.
    FragmentJwt,
    /// `query`: in the query of the redirect URI. The default for a code.
    #[default]
    Query,
    /// `query.jwt`: the same, signed.
    QueryJwt,
}

impl ResponseMode {
    /// All there are.
    pub const ALL: [ResponseMode; 6] = {
        use ResponseMode::*;
        [FormPost, FormPostJwt, Fragment, FragmentJwt, Query, QueryJwt]
    };

    /// By the name that it has in requests.
    pub fn from_name(name: &str) -> Option<ResponseMode> {
        ResponseMode::ALL.into_iter().find(|mode| mode.name() == name)
    }

    /// Its name in requests.
    pub fn name(self) -> &'static str {
        match self {
            ResponseMode::FormPost => "form_post",
            ResponseMode::FormPostJwt => "form_post.jwt",
            ResponseMode::Fragment => "fragment",
            ResponseMode::FragmentJwt => "fragment.jwt",
            ResponseMode::Query => "query",
            ResponseMode::QueryJwt => "query.jwt",
        }
    }

    /// Whether the provider signs the response.
    pub fn is_signed(self) -> bool {
        self != self.carrier()
    }

    /// Where the response is, signed or not.
    pub(crate) fn carrier(self) -> ResponseMode {
        match self {
            ResponseMode::FormPost | ResponseMode::FormPostJwt => ResponseMode::FormPost,
            ResponseMode::Fragment | ResponseMode::FragmentJwt => ResponseMode::Fragment,
            ResponseMode::Query | ResponseMode::QueryJwt => ResponseMode::Query,
        }
    }

    /// The same for a hidden frame: nobody there receives a form.
    pub(crate) fn in_frame(self, response_type: ResponseType) -> ResponseMode {
        match (self, response_type.response_mode()) {
            (ResponseMode::FormPost, usual) => usual,
            (ResponseMode::FormPostJwt, ResponseMode::Query) => ResponseMode::QueryJwt,
            (ResponseMode::FormPostJwt, _) => ResponseMode::FragmentJwt,
            (mode, _) => mode,
        }
    }
}

/// What is in the response
/// ([OAuth 2.0 Multiple Response Types](https://openid.net/specs/oauth-v2-multiple-response-types-1_0.html)). Never an access token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ResponseType {
    /// `code`: what there should be, unless a provider demands otherwise.
    #[default]
    Code,
    /// `code id_token`, the hybrid flow ([OpenID Connect Core §3.3](https://openid.net/specs/openid-connect-core-1_0.html#HybridFlowAuth)):
    /// the ID token beside the code is verified before the code is sent, and must name the same user as the one that comes for it.
    CodeIdToken,
    /// `id_token`, the implicit flow without an access token
    /// ([OpenID Connect Core §3.2](https://openid.net/specs/openid-connect-core-1_0.html#ImplicitFlowAuth)): only for
    /// [`implicit`](crate::implicit).
    #[cfg(feature = "implicit")]
    IdToken,
}

impl ResponseType {
    /// All that a client may be configured with.
    pub const ALL: [ResponseType; 2] = [ResponseType::Code, ResponseType::CodeIdToken];

    /// By the name that it has in requests.
    pub fn from_name(name: &str) -> Option<ResponseType> {
        ResponseType::ALL.into_iter().find(|response_type| response_type.name() == name)
    }

    /// Its name in requests.
    pub fn name(self) -> &'static str {
        match self {
            ResponseType::Code => "code",
            ResponseType::CodeIdToken => "code id_token",
            #[cfg(feature = "implicit")]
            ResponseType::IdToken => "id_token",
        }
    }

    /// Whether there is a code in it.
    pub(crate) fn has_code(self) -> bool {
        self.name().starts_with("code")
    }

    /// By the name that it has in a record.
    fn recorded(name: &str) -> Option<ResponseType> {
        #[cfg(feature = "implicit")]
        if name == ResponseType::IdToken.name() {
            return Some(ResponseType::IdToken);
        }
        ResponseType::from_name(name)
    }

    /// How it comes back unless that is said.
    pub fn response_mode(self) -> ResponseMode {
        match self {
            ResponseType::Code => ResponseMode::Query,
            ResponseType::CodeIdToken => ResponseMode::Fragment,
            #[cfg(feature = "implicit")]
            ResponseType::IdToken => ResponseMode::Fragment,
        }
    }
}

/// Words that name what may be done ([RFC 6749 §3.3](https://www.rfc-editor.org/rfc/rfc6749#section-3.3)).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope(String);

impl Scope {
    /// Reads words with one space between them. An empty text is no words.
    ///
    /// # Errors
    /// When a word has a character that it must not have, or two spaces follow each other.
    pub fn parse(text: &str) -> Result<Scope, Misconfigured> {
        let allowed = |byte: u8| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\';
        let well_formed = text.is_empty() || text.split(' ').all(|word| !word.is_empty() && word.bytes().all(allowed));
        if well_formed { Ok(Scope(text.to_owned())) } else { Err(Misconfigured::ScopeMalformed) }
    }

    /// Whether the word is among them.
    pub fn contains(&self, word: &str) -> bool {
        self.iter().any(|ours| ours == word)
    }

    /// The words.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.split(' ').filter(|word| !word.is_empty())
    }
}

impl std::fmt::Display for Scope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// What one sign-in asks for, beside what the app always asks for.
///
/// ```
/// use std::time::Duration;
/// use tokenkeep::{Prompt, SignIn};
///
/// let again = SignIn::default().prompt([Prompt::Login]).max_age(Duration::from_secs(300)).return_to("/orders?open=1");
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SignIn {
    pub(crate) acr: Option<Acr>,
    pub(crate) authorization_details: Option<Json>,
    pub(crate) extra: Vec<(String, String)>,
    pub(crate) login_hint: Option<String>,
    pub(crate) max_age: Option<Duration>,
    pub(crate) prompt: Vec<Prompt>,
    pub(crate) return_to: Option<String>,
    pub(crate) ui_locales: Vec<String>,
}

/// What the provider shall do with the user ([OpenID Connect Core §3.1.2.1](https://openid.net/specs/openid-connect-core-1_0.html#AuthRequest)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prompt {
    /// Ask for consent.
    Consent,
    /// Offer to create an account ([Initiating User Registration](https://openid.net/specs/openid-connect-prompt-create-1_0.html)).
    Create,
    /// Ask to sign in, even who is signed in.
    Login,
    /// Show nothing: answer at once, or with an error.
    None,
    /// Let the user choose an account.
    SelectAccount,
}

impl Prompt {
    fn read(text: &str) -> Option<Prompt> {
        [Prompt::Consent, Prompt::Create, Prompt::Login, Prompt::None, Prompt::SelectAccount]
            .into_iter()
            .find(|prompt| prompt.as_str() == text)
    }

    fn as_str(self) -> &'static str {
        match self {
            Prompt::Consent => "consent",
            Prompt::Create => "create",
            Prompt::Login => "login",
            Prompt::None => "none",
            Prompt::SelectAccount => "select_account",
        }
    }
}

/// How the user shall authenticate: `acr_values`, in the order of preference.
#[derive(Clone, Debug, PartialEq)]
pub enum Acr {
    /// One of these would be nice. The ID token says what it was.
    Preferred(Vec<String>),
    /// One of these or the sign-in fails: the provider is asked, and its answer checked.
    Required(Vec<String>),
}

impl SignIn {
    /// Reads the options of a sign-in from JSON: an object with the names of these methods, where `max_age_seconds` is a number, `extra` an
    /// object of texts, `authorization_details` a list of objects, and `preferred_acr` and `required_acr` stand for [`SignIn::acr`]. What is
    /// not known is refused.
    ///
    /// ```
    /// use tokenkeep::{Prompt, SignIn, protocol::Misconfigured};
    ///
    /// assert_eq!(SignIn::from_json(r#"{"prompt": "login"}"#), Ok(SignIn::default().prompt([Prompt::Login])));
    /// assert_eq!(SignIn::from_json(r#"{"promt": "login"}"#), Err(Misconfigured::OptionUnknown { option: "promt".into() }));
    /// ```
    ///
    /// # Errors
    /// Which option is unknown or of the wrong type.
    pub fn from_json(text: &str) -> Result<SignIn, Misconfigured> {
        let document = Json::parse(text).map_err(|why| Misconfigured::ConfigMalformed { why })?;
        let Json::Object(members) = &document else {
            return Err(Misconfigured::ConfigMalformed { why: Unreadable::NotAnObject });
        };
        let mut sign_in = SignIn::default();
        for (option, value) in members {
            let wrong = || Misconfigured::OptionType { option: option.clone() };
            let text = || value.as_str().map(str::to_owned).ok_or_else(wrong);
            let texts = || value.texts().ok_or_else(wrong);
            match option.as_str() {
                "authorization_details" => sign_in.authorization_details = Some(value.clone()),
                "extra" => {
                    let Json::Object(extra) = value else { return Err(wrong()) };
                    let pair = |(name, value): &(String, Json)| Some((name.clone(), value.as_str()?.to_owned()));
                    sign_in.extra = extra.iter().map(pair).collect::<Option<_>>().ok_or_else(wrong)?;
                }
                "login_hint" => sign_in.login_hint = Some(text()?),
                "max_age_seconds" => {
                    let seconds = value.as_number().and_then(Number::floor).ok_or_else(wrong)?;
                    sign_in.max_age = Some(Duration::from_secs(seconds));
                }
                "preferred_acr" => sign_in.acr = Some(Acr::Preferred(texts()?)),
                "prompt" => sign_in.prompt = texts()?.iter().map(|text| Prompt::read(text)).collect::<Option<_>>().ok_or_else(wrong)?,
                "required_acr" => sign_in.acr = Some(Acr::Required(texts()?)),
                "return_to" => sign_in.return_to = Some(text()?),
                "ui_locales" => sign_in.ui_locales = texts()?,
                _ => return Err(Misconfigured::OptionUnknown { option: option.clone() }),
            }
        }
        Ok(sign_in)
    }

    /// What [`SignIn::from_json`] reads as this.
    pub fn to_json(&self) -> Json {
        let text = |text: &Option<String>| text.as_ref().map(Json::from);
        let list = |list: &[String]| (!list.is_empty()).then(|| Json::from(list));
        let (preferred, required) = match &self.acr {
            Some(Acr::Preferred(values)) => (Some(Json::from(values.as_slice())), None),
            Some(Acr::Required(values)) => (None, Some(Json::from(values.as_slice()))),
            None => (None, None),
        };
        let extra = || Json::Object(self.extra.iter().map(|(name, value)| (name.clone(), Json::from(value))).collect());
        let prompt = || Json::Array(self.prompt.iter().map(|prompt| prompt.as_str().into()).collect());
        Json::object(vec![
            ("authorization_details", self.authorization_details.clone()),
            ("extra", (!self.extra.is_empty()).then(extra)),
            ("login_hint", text(&self.login_hint)),
            ("max_age_seconds", self.max_age.map(|max_age| max_age.as_secs().into())),
            ("preferred_acr", preferred),
            ("prompt", (!self.prompt.is_empty()).then(prompt)),
            ("required_acr", required),
            ("return_to", text(&self.return_to)),
            ("ui_locales", list(&self.ui_locales)),
        ])
    }

    /// How the user shall authenticate.
    pub fn acr(mut self, acr: Acr) -> SignIn {
        self.acr = Some(acr);
        self
    }

    /// What is asked for in detail: a list of objects, each with a `type` that the provider knows
    /// ([RFC 9396](https://www.rfc-editor.org/rfc/rfc9396)). [`Session::authorization_details`](crate::Session::authorization_details) says
    /// what was granted, which may be less.
    ///
    /// ```
    /// use tokenkeep::{SignIn, protocol::Json};
    ///
    /// let payment = Json::parse(r#"[{"type": "payment", "instructedAmount": {"currency": "EUR", "amount": "123.50"}}]"#)?;
    /// let sign_in = SignIn::default().authorization_details(payment);
    /// # Ok::<(), tokenkeep::protocol::Unreadable>(())
    /// ```
    pub fn authorization_details(mut self, details: Json) -> SignIn {
        self.authorization_details = Some(details);
        self
    }

    /// A parameter that this library has no name for. Reserved names are refused when the sign-in begins.
    pub fn extra(mut self, name: impl Into<String>, value: impl Into<String>) -> SignIn {
        self.extra.push((name.into(), value.into()));
        self
    }

    /// Who will probably sign in: fills in the form.
    pub fn login_hint(mut self, hint: impl Into<String>) -> SignIn {
        self.login_hint = Some(hint.into());
        self
    }

    /// How long ago the user may have authenticated, in whole seconds. The answer is checked.
    pub fn max_age(mut self, max_age: Duration) -> SignIn {
        self.max_age = Some(max_age);
        self
    }

    /// What the provider shall do with the user.
    pub fn prompt(mut self, prompt: impl IntoIterator<Item = Prompt>) -> SignIn {
        self.prompt = prompt.into_iter().collect();
        self
    }

    /// Where in the app the user shall be afterwards. The default is where the sign-in began; another origin becomes the app's root.
    pub fn return_to(mut self, url: impl Into<String>) -> SignIn {
        self.return_to = Some(url.into());
        self
    }

    /// Who was said to sign in, if that was.
    pub fn hinted(&self) -> Option<&str> {
        self.login_hint.as_deref()
    }

    /// Where the user shall be afterwards, if that was said.
    pub fn returns_to(&self) -> Option<&str> {
        self.return_to.as_deref()
    }

    /// Languages that the user reads, in the order of preference (BCP 47).
    pub fn ui_locales(mut self, locales: impl IntoIterator<Item = impl Into<String>>) -> SignIn {
        self.ui_locales = locales.into_iter().map(Into::into).collect();
        self
    }

    /// Checks what needs no provider.
    ///
    /// # Errors
    /// When `prompt` contradicts itself, `authorization_details` are none, or an extra parameter has a reserved name.
    pub fn check(&self) -> Result<(), Misconfigured> {
        if self.prompt.contains(&Prompt::None) && self.prompt.len() > 1 {
            return Err(Misconfigured::PromptMalformed);
        }
        let is_detail = |detail: &Json| detail.text("type").is_some_and(|name| !name.is_empty());
        let are_details = |details: &Json| details.as_array().is_some_and(|list| !list.is_empty() && list.iter().all(is_detail));
        if !self.authorization_details.as_ref().is_none_or(are_details) {
            return Err(Misconfigured::AuthorizationDetailsMalformed);
        }
        if self.extra.iter().any(|(name, _)| name == "client_secret") {
            return Err(Misconfigured::ClientSecret);
        }
        match self.extra.iter().enumerate().find(|(index, (name, _))| {
            let before = self.extra.iter().take(*index).any(|(earlier, _)| earlier == name);
            before || name.is_empty() || RESERVED.contains(&name.as_str())
        }) {
            Some((_, (parameter, _))) => Err(Misconfigured::ParameterReserved { parameter: parameter.clone() }),
            None => Ok(()),
        }
    }
}

/// Randomness for one sign-in. Drawn by the caller, used once.
#[derive(Debug)]
pub struct Entropy(Secret<[u8; 96]>);

impl Entropy {
    /// How many random bytes a sign-in needs.
    pub const LENGTH: usize = 96;

    /// From a cryptographic generator.
    pub fn new(random: [u8; Entropy::LENGTH]) -> Entropy {
        Entropy(Secret::new(random))
    }

    fn parts(&self) -> (&[u8; 32], &[u8; 32], &[u8; 32]) {
        let (state, rest) = split32(self.0.expose());
        let (nonce, verifier) = split32(rest);
        (state, nonce, split32(verifier).0)
    }
}

fn split32(bytes: &[u8]) -> (&[u8; 32], &[u8]) {
    // Never the alternative: 96 bytes are three times 32.
    bytes.split_first_chunk().unwrap_or((&[0; 32], &[]))
}

/// What must survive the redirect: everything that the response will be compared with.
///
/// The `state` itself is not in it, only its digest: a record that is read by others cannot be turned into a callback.
#[derive(Debug)]
pub struct PendingLogin {
    pub(crate) issuer: String,
    pub(crate) client_id: String,
    pub(crate) redirect_uri: String,
    pub(crate) token_endpoint: String,
    pub(crate) iss_in_responses: bool,
    pub(crate) response_mode: ResponseMode,
    pub(crate) response_type: ResponseType,
    pub(crate) state: StateDigest,
    pub(crate) nonce: Secret<String>,
    pub(crate) verifier: CodeVerifier,
    /// The thumbprint of the key that the code is bound to.
    pub(crate) dpop_jkt: Option<String>,
    pub(crate) scope: Scope,
    pub(crate) resources: Vec<String>,
    pub(crate) max_age: Option<Duration>,
    pub(crate) acr: Vec<String>,
    pub(crate) return_to: String,
    pub(crate) begun: UnixTime,
}

/// What a `state` is remembered by: SHA-256, in base64url.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateDigest(String);

impl StateDigest {
    /// The digest of a `state`.
    pub fn of(state: &str) -> StateDigest {
        StateDigest(pkce::sha256(state))
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// An authorization request: it goes to the provider in a URL, or is pushed first ([`AuthorizationRequest::push`]).
#[derive(Debug)]
pub struct AuthorizationRequest {
    pub(crate) client_id: String,
    pub(crate) form: Secret<String>,
    /// `state` and `nonce`, which no error may repeat.
    pub(crate) secrets: [Secret<String>; 2],
}

impl AuthorizationRequest {
    /// Where to send the user.
    pub fn url(&self, metadata: &Metadata) -> Secret<String> {
        Secret::new(metadata.authorization_endpoint.with_query(self.form.expose()))
    }

    /// The same with `id_token_hint`: only about this user
    /// ([OpenID Connect Core §3.1.2.1](https://openid.net/specs/openid-connect-core-1_0.html#AuthRequest)).
    #[cfg(feature = "check-session")]
    pub(crate) fn about(mut self, id_token: &Secret<String>) -> AuthorizationRequest {
        let mut form = self.form.expose().clone();
        form::append(&mut form, "id_token_hint", id_token.expose());
        self.form = Secret::new(form);
        self
    }
}

/// Begins a sign-in: what to ask the provider, and what to remember. With `dpop_jkt`, the thumbprint of a key, the code is good only for who
/// has that key ([RFC 9449 §10](https://www.rfc-editor.org/rfc/rfc9449#section-10)).
///
/// # Errors
/// See [`SignIn::check`].
pub fn authorize(
    metadata: &Metadata,
    registration: &Registration,
    sign_in: &SignIn,
    entropy: &Entropy,
    return_to: String,
    now: UnixTime,
    dpop_jkt: Option<String>,
) -> Result<(AuthorizationRequest, PendingLogin), Misconfigured> {
    sign_in.check()?;
    let (state, nonce, verifier) = entropy.parts();
    let state = Secret::new(Base64UrlUnpadded::encode_string(state));
    let nonce = Secret::new(Base64UrlUnpadded::encode_string(nonce));
    let verifier = CodeVerifier::new(verifier);
    let openid = registration.scope.contains("openid");

    let mut query = String::new();
    let mut add = |name: &str, value: &str| form::append(&mut query, name, value);
    add("response_type", registration.response_type.name());
    add("client_id", &registration.client_id);
    add("redirect_uri", registration.redirect_uri.as_str());
    if !registration.scope.0.is_empty() {
        add("scope", &registration.scope.0);
    }
    add("state", state.expose());
    if openid {
        add("nonce", nonce.expose());
    }
    if registration.response_type.has_code() {
        add("code_challenge", &verifier.challenge());
        add("code_challenge_method", "S256");
    }
    if let Some(thumbprint) = &dpop_jkt {
        add("dpop_jkt", thumbprint);
    }
    if registration.response_mode != registration.response_type.response_mode() {
        add("response_mode", registration.response_mode.name());
    }
    if let Some(audience) = &registration.audience {
        add("audience", audience);
    }
    for resource in &registration.resources {
        add("resource", resource);
    }
    if !sign_in.prompt.is_empty() {
        add("prompt", &words(sign_in.prompt.iter().map(|prompt| prompt.as_str())));
    }
    if let Some(max_age) = sign_in.max_age {
        add("max_age", &max_age.as_secs().to_string());
    }
    let (acr_values, acr) = match &sign_in.acr {
        None => (&[][..], Vec::new()),
        Some(Acr::Preferred(values)) => (values.as_slice(), Vec::new()),
        Some(Acr::Required(values)) => (values.as_slice(), values.clone()),
    };
    if !acr_values.is_empty() {
        add("acr_values", &acr_values.join(" "));
    }
    if let Some(login_hint) = &sign_in.login_hint {
        add("login_hint", login_hint);
    }
    if !sign_in.ui_locales.is_empty() {
        add("ui_locales", &sign_in.ui_locales.join(" "));
    }
    if let Some(details) = &sign_in.authorization_details {
        add("authorization_details", &details.to_string());
    }
    for (name, value) in &sign_in.extra {
        add(name, value);
    }

    let secrets = [Secret::copied(state.expose()), Secret::copied(nonce.expose())];
    let request = AuthorizationRequest { client_id: registration.client_id.clone(), form: Secret::new(query), secrets };
    let pending = PendingLogin {
        issuer: metadata.issuer.as_str().to_owned(),
        client_id: registration.client_id.clone(),
        redirect_uri: registration.redirect_uri.as_str().to_owned(),
        token_endpoint: metadata.token_endpoint.as_str().to_owned(),
        iss_in_responses: metadata.iss_in_responses,
        response_mode: registration.response_mode,
        response_type: registration.response_type,
        state: StateDigest::of(state.expose()),
        nonce,
        verifier,
        dpop_jkt,
        scope: registration.scope.clone(),
        resources: registration.resources.clone(),
        max_age: sign_in.max_age,
        acr,
        return_to,
        begun: now,
    };
    Ok((request, pending))
}

/// Words with one space between. `join` is there for slices only.
pub(crate) fn words<'a>(words: impl Iterator<Item = &'a str>) -> String {
    let mut text = String::new();
    for (index, word) in words.enumerate() {
        if index > 0 {
            text.push(' ');
        }
        text.push_str(word);
    }
    text
}

impl PendingLogin {
    /// How long the user may take.
    pub const LIFE: Duration = Duration::from_secs(10 * 60);

    /// What it is remembered by.
    pub fn state(&self) -> &StateDigest {
        &self.state
    }

    /// Where in the app the user shall be afterwards.
    pub fn return_to(&self) -> &str {
        &self.return_to
    }

    /// Whether it was begun for this client at this issuer.
    pub fn is_for(&self, issuer: &Issuer, client_id: &str) -> bool {
        self.issuer == issuer.as_str() && self.client_id == client_id
    }

    /// Whether the user took too long, or the clock says that it has not begun yet.
    pub fn has_expired(&self, now: UnixTime) -> bool {
        now.distance(self.begun) > PendingLogin::LIFE
    }

    /// As text, for a store that outlives the page.
    pub fn to_record(&self) -> Secret<String> {
        let mut members = Vec::new();
        let mut add = |name: &str, value: Json| members.push((name.to_owned(), value));
        for (name, text) in [
            ("issuer", &self.issuer),
            ("client_id", &self.client_id),
            ("redirect_uri", &self.redirect_uri),
            ("token_endpoint", &self.token_endpoint),
            ("state", &self.state.0),
            ("nonce", self.nonce.expose()),
            ("verifier", self.verifier.secret().expose()),
            ("scope", &self.scope.0),
            ("return_to", &self.return_to),
        ] {
            add(name, Json::from(text));
        }
        add("iss_in_responses", Json::Bool(self.iss_in_responses));
        add("response_mode", Json::from(self.response_mode.name()));
        add("response_type", Json::from(self.response_type.name()));
        add("resources", Json::from(&*self.resources));
        add("acr", Json::from(&*self.acr));
        add("begun", Json::from(self.begun.as_millis()));
        if let Some(max_age) = self.max_age {
            add("max_age", Json::from(max_age.as_secs()));
        }
        if let Some(thumbprint) = &self.dpop_jkt {
            add("dpop_jkt", Json::from(thumbprint));
        }
        Secret::new(Json::Object(members).to_string())
    }

    /// From a stored text. What is not exactly a record of ours is nothing.
    pub fn from_record(record: &str) -> Option<PendingLogin> {
        let record = Json::parse(record).ok()?;
        let text = |name: &str| record.text(name).map(str::to_owned);
        let texts = |name| record.strings(name).ok()?;
        let number = |name: &str| record.get(name).map(|value| value.as_number().and_then(Number::floor));
        Some(PendingLogin {
            issuer: text("issuer")?,
            client_id: text("client_id")?,
            redirect_uri: text("redirect_uri")?,
            token_endpoint: text("token_endpoint")?,
            iss_in_responses: record.get("iss_in_responses")?.as_bool()?,
            response_mode: ResponseMode::from_name(record.text("response_mode")?)?,
            response_type: ResponseType::recorded(record.text("response_type")?)?,
            state: StateDigest(text("state")?),
            nonce: Secret::new(text("nonce")?),
            verifier: CodeVerifier::stored(record.text("verifier")?)?,
            dpop_jkt: match record.get("dpop_jkt") {
                None => None,
                Some(_) => Some(text("dpop_jkt")?),
            },
            scope: Scope::parse(&text("scope")?).ok()?,
            max_age: match number("max_age") {
                None => None,
                Some(seconds) => Some(Duration::from_secs(seconds?)),
            },
            resources: texts("resources")?,
            acr: texts("acr")?,
            return_to: text("return_to")?,
            begun: UnixTime::from_millis(number("begun")??),
        })
    }
}
