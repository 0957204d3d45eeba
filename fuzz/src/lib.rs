//! What the fuzz targets share: one client at one provider, and what must hold of every reader.

use std::{
    fmt::Debug,
    sync::OnceLock,
    time::{Duration, Instant},
};

use base64ct::{Base64UrlUnpadded, Encoding};
use serde_json::{Value, json};
use tokenkeep::{
    SignIn,
    protocol::{
        Discovery, Entropy, HttpUrl, Issuer, Metadata, PendingLogin, Registration, Response, ResponseMode, ResponseType, Scope, UnixTime,
        authorize::authorize,
    },
};

/// The provider.
pub const ISSUER: &str = "https://as.example";
/// This app at the provider.
pub const CLIENT_ID: &str = "app";
/// Where responses arrive.
pub const REDIRECT_URI: &str = "https://app.example/cb?lang=de";
/// When it is.
pub const NOW: UnixTime = UnixTime::from_secs(1_700_000_000);
/// How much clocks may differ.
pub const LEEWAY: Duration = Duration::from_secs(60);

/// What the provider says of itself.
pub fn metadata(iss_in_responses: bool) -> &'static Metadata {
    static METADATA: [OnceLock<Metadata>; 2] = [OnceLock::new(), OnceLock::new()];
    METADATA[usize::from(iss_in_responses)].get_or_init(|| read(iss_in_responses))
}

fn read(iss_in_responses: bool) -> Metadata {
    let document = json!({
        "issuer": ISSUER,
        "authorization_endpoint": "https://as.example/authorize",
        "token_endpoint": "https://as.example/token",
        "jwks_uri": "https://as.example/keys",
        "authorization_response_iss_parameter_supported": iss_in_responses,
    });
    let response = answer(200, "application/json", document.to_string());
    Metadata::read(&Issuer::parse(ISSUER).unwrap(), Discovery::OpenId, &response).unwrap()
}

/// An answer.
pub fn answer(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Response {
    Response { status, headers: vec![("content-type".to_owned(), content_type.to_owned())], body: body.into() }
}

/// A sign-in that waits for its response.
pub struct Begun {
    /// What it will be compared with.
    pub login: PendingLogin,
    /// `state`, which the response must repeat.
    pub state: String,
    /// `nonce`, which the ID token must repeat.
    pub nonce: String,
    /// `code_verifier`, which nobody may repeat.
    pub verifier: String,
}

/// Begins a sign-in, always with the same randomness.
pub fn begin(metadata: &Metadata, response_mode: ResponseMode, response_type: ResponseType, begun: UnixTime) -> Begun {
    let registration = Registration {
        client_id: CLIENT_ID.to_owned(),
        redirect_uri: HttpUrl::parse(REDIRECT_URI).unwrap(),
        scope: Scope::parse("openid orders:read").unwrap(),
        audience: None,
        resources: Vec::new(),
        response_mode,
        response_type,
    };
    let entropy = Entropy::new(std::array::from_fn(|index| index as u8));
    let (request, login) = authorize(metadata, &registration, &SignIn::default(), &entropy, "/".to_owned(), begun, None).unwrap();
    let url = request.url(metadata);
    let (_, query) = url.expose().split_once('?').unwrap();
    let asked = |name: &str| form_urlencoded::parse(query.as_bytes()).find(|(ours, _)| ours == name).unwrap().1.into_owned();
    let record: Value = serde_json::from_str(login.to_record().expose()).unwrap();
    Begun { state: asked("state"), nonce: asked("nonce"), verifier: record["verifier"].as_str().unwrap().to_owned(), login }
}

/// In base64url, as a segment of a JWS.
pub fn b64(bytes: impl AsRef<[u8]>) -> String {
    Base64UrlUnpadded::encode_string(bytes.as_ref())
}

/// What is printed tells none of these.
pub fn tells_none(printed: &dyn Debug, secrets: &[&str]) {
    let printed = format!("{printed:?}");
    for secret in secrets {
        assert!(!printed.contains(secret), "{printed} tells {secret}");
    }
}

/// Of one input in 1024, its second half again and again: what is read in the square of the length shows there.
pub fn stretched(text: &str, length: usize) -> Option<String> {
    let sum = text.bytes().fold(0u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
    let (head, piece) = text.split_at(text.floor_char_boundary(text.len() / 2));
    (sum.is_multiple_of(1024) && !piece.is_empty()).then(|| [head, &piece.repeat(length / piece.len())].concat())
}

/// A microsecond for a byte is many times what any reader takes, even on a slow machine; a square takes a hundred times that.
pub fn linear(length: usize, read: impl Fn()) {
    let most = Duration::from_millis(20) + Duration::from_micros(length as u64);
    let time = || {
        let start = Instant::now();
        read();
        start.elapsed()
    };
    // The machine may have been busy with something else.
    let times: Vec<_> = std::iter::repeat_with(time)
        .take(5)
        .scan(false, |done, time| {
            (!*done).then(|| {
                *done = time <= most;
                time
            })
        })
        .collect();
    assert!(times.iter().any(|time| *time <= most), "{length} bytes took {times:?}");
}
