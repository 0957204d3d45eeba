//! An OpenID provider with an API: correct, until a test says otherwise.

use std::{
    cell::RefCell,
    collections::{HashMap, HashSet},
    rc::Rc,
};

use serde_json::{Value, json};
use tokenkeep::{
    keep::ports::HttpFailure,
    protocol::{Algorithm, Response, callback::POSTED},
};
use url::Url;

use super::{
    CLIENT, ISSUER, Key, Proof, Sent, Time, b64,
    servers::{Credential, Servers},
};

/// Where a request can go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Endpoint {
    Api,
    DeviceAuthorization,
    Keys,
    Metadata,
    PushedRequest,
    Revocation,
    Token,
    UserInfo,
}

type Answerer = Box<dyn FnMut(&Sent, Response) -> Result<Response, HttpFailure>>;
type Change<T> = Option<Box<dyn FnMut(&mut T)>>;
/// Parameters of a response, in order.
pub type Parameters = Vec<(String, String)>;

/// The provider and its API.
#[derive(Clone)]
pub struct Provider(Rc<RefCell<Inner>>);

struct Inner {
    time: Rc<Time>,
    issuer: String,
    metadata: Value,
    keys: Vec<Key>,
    signing: Key,
    codes: HashMap<String, Parameters>,
    /// Requests that were pushed, by their `request_uri`.
    pushed: HashMap<String, Parameters>,
    /// Whose every token is that was ever issued, and of which grant.
    lineage: HashMap<String, (u64, String)>,
    issued: Vec<String>,
    secrets: Vec<String>,
    subject: String,
    /// Who has a session at the provider, as its cookie says.
    session: Option<String>,
    /// Refresh tokens by their text.
    refresh_tokens: HashMap<String, RefreshToken>,
    grants: u64,
    /// Refresh tokens that were presented although they had been rotated.
    pub reused: Vec<String>,
    pub rotates: bool,
    pub expires_in: u64,
    answerers: HashMap<Endpoint, Answerer>,
    callback: Change<Parameters>,
    claims: Change<Value>,
    front_claims: Change<Value>,
    signed_response: Change<Value>,
    header: Change<Value>,
    token_response: Change<Value>,
    id_token: Option<Box<dyn FnMut(String) -> String>>,
    counter: u64,
    /// Sign-ins on another device, by their device code.
    devices: HashMap<String, DeviceGrant>,
    /// How long their codes live, in seconds.
    device_lifetime: u64,
    /// Which key an access token is bound to.
    bound: HashMap<String, String>,
    /// The `jti` of every proof.
    proofs: HashSet<String>,
    /// The nonces that servers demand, by their origin.
    nonces: HashMap<String, String>,
    /// Those before them, which are taken as well.
    former_nonces: HashMap<String, String>,
    servers: Servers,
}

/// A sign-in on another device.
struct DeviceGrant {
    user_code: String,
    client: String,
    scope: String,
    expires: u64,
    interval: u64,
    polled: u64,
    /// Who agreed, or that they did not.
    decision: Option<Result<String, ()>>,
}

/// A refresh token: of which grant it is, and what it is good for.
#[derive(Clone)]
struct RefreshToken {
    grant: u64,
    subject: String,
    client: String,
    scope: String,
    used: bool,
    /// The key that it is bound to.
    jkt: Option<String>,
}

/// Sets a member of an object, or removes it (`null`).
pub fn put(object: &mut Value, name: &str, value: &Value) {
    match value {
        Value::Null => drop(object.as_object_mut().unwrap().remove(name)),
        value => object[name] = value.clone(),
    }
}

pub fn json_response(status: u16, body: &Value) -> Response {
    Response { status, headers: vec![("content-type".into(), "application/json".into())], body: body.to_string().into_bytes() }
}

impl Provider {
    pub fn new(time: Rc<Time>) -> Provider {
        let key = Key::new(Algorithm::Es256, "key-1");
        Provider(Rc::new(RefCell::new(Inner {
            time,
            issuer: ISSUER.into(),
            metadata: json!({
                "issuer": ISSUER,
                "authorization_endpoint": format!("{ISSUER}/authorize"),
                "token_endpoint": format!("{ISSUER}/token"),
                "jwks_uri": format!("{ISSUER}/keys"),
                "userinfo_endpoint": format!("{ISSUER}/userinfo"),
                "end_session_endpoint": format!("{ISSUER}/logout"),
                "revocation_endpoint": format!("{ISSUER}/revoke"),
                "device_authorization_endpoint": format!("{ISSUER}/device_authorization"),
                "response_types_supported": ["code"],
                "code_challenge_methods_supported": ["S256"],
                "id_token_signing_alg_values_supported":
                    ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519"],
                "authorization_response_iss_parameter_supported": true,
            }),
            keys: vec![key.clone()],
            signing: key,
            codes: HashMap::new(),
            pushed: HashMap::new(),
            lineage: HashMap::new(),
            issued: Vec::new(),
            secrets: Vec::new(),
            subject: "alice".into(),
            session: None,
            refresh_tokens: HashMap::new(),
            grants: 0,
            reused: Vec::new(),
            rotates: true,
            expires_in: 300,
            answerers: HashMap::new(),
            callback: None,
            claims: None,
            front_claims: None,
            signed_response: None,
            header: None,
            token_response: None,
            id_token: None,
            counter: 0,
            devices: HashMap::new(),
            device_lifetime: 600,
            bound: HashMap::new(),
            proofs: HashSet::new(),
            nonces: HashMap::new(),
            former_nonces: HashMap::new(),
            servers: Servers::default(),
        })))
    }

    /// Sets or removes (`null`) a member of the metadata.
    pub fn metadata(&self, member: &str, value: Value) {
        put(&mut self.0.borrow_mut().metadata, member, &value);
    }

    /// The provider calls itself so.
    pub fn rename(&self, issuer: &str) {
        self.0.borrow_mut().issuer = issuer.into();
        self.metadata("issuer", json!(issuer));
    }

    /// Who signs in next.
    pub fn user(&self, subject: &str) {
        self.0.borrow_mut().subject = subject.into();
    }

    /// Replaces what an endpoint answers. The closure gets the request and the right answer.
    pub fn answer(&self, endpoint: Endpoint, answerer: impl FnMut(&Sent, Response) -> Result<Response, HttpFailure> + 'static) {
        self.0.borrow_mut().answerers.insert(endpoint, Box::new(answerer));
    }

    /// Replaces what an endpoint answers, always by the same.
    pub fn always(&self, endpoint: Endpoint, response: Response) {
        self.answer(endpoint, move |_, _| Ok(response.clone()));
    }

    /// The endpoint behaves again.
    pub fn recover(&self, endpoint: Endpoint) {
        self.0.borrow_mut().answerers.remove(&endpoint);
    }

    /// Changes the parameters of the response in the address.
    pub fn callback(&self, change: impl FnMut(&mut Parameters) + 'static) {
        self.0.borrow_mut().callback = Some(Box::new(change));
    }

    /// Changes the claims before the ID token is signed.
    pub fn claims(&self, change: impl FnMut(&mut Value) + 'static) {
        self.0.borrow_mut().claims = Some(Box::new(change));
    }

    /// Changes the claims of the ID token beside a code before it is signed.
    pub fn front_claims(&self, change: impl FnMut(&mut Value) + 'static) {
        self.0.borrow_mut().front_claims = Some(Box::new(change));
    }

    /// Changes a response before it is signed.
    pub fn signed_response(&self, change: impl FnMut(&mut Value) + 'static) {
        self.0.borrow_mut().signed_response = Some(Box::new(change));
    }

    /// Has an endpoint for pushed authorization requests.
    pub fn takes_pushed_requests(&self) {
        self.metadata("pushed_authorization_request_endpoint", json!(format!("{ISSUER}/par")));
    }

    /// Changes the header before the ID token is signed.
    pub fn header(&self, change: impl FnMut(&mut Value) + 'static) {
        self.0.borrow_mut().header = Some(Box::new(change));
    }

    /// Changes the ID token after it was signed.
    pub fn id_token(&self, change: impl FnMut(String) -> String + 'static) {
        self.0.borrow_mut().id_token = Some(Box::new(change));
    }

    /// Changes the token response.
    pub fn token_response(&self, change: impl FnMut(&mut Value) + 'static) {
        self.0.borrow_mut().token_response = Some(Box::new(change));
    }

    /// Signs with another key, and publishes it in place of the others.
    pub fn sign_with(&self, key: Key) {
        let mut inner = self.0.borrow_mut();
        inner.keys = vec![key.clone()];
        inner.signing = key;
    }

    /// Signs with another key than those that are published.
    pub fn sign_secretly_with(&self, key: Key) {
        self.0.borrow_mut().signing = key;
    }

    /// Publishes these keys.
    pub fn publish(&self, keys: Vec<Key>) {
        self.0.borrow_mut().keys = keys;
    }

    /// The server at this origin demands this nonce in proofs from now on.
    pub fn nonce(&self, origin: &str, nonce: &str) {
        self.0.borrow_mut().nonces.insert(origin.into(), nonce.into());
    }

    /// The server at this origin demands another nonce from now on, and takes the one before for a while.
    pub fn next_nonce(&self, origin: &str, nonce: &str) {
        let mut inner = self.0.borrow_mut();
        if let Some(former) = inner.nonces.insert(origin.into(), nonce.into()) {
            inner.former_nonces.insert(origin.into(), former);
        }
    }

    /// The nonce that the server at this origin demands.
    pub fn nonce_at(&self, origin: &str) -> Option<String> {
        self.0.borrow().nonces.get(origin).cloned()
    }

    /// This client is a server, and has this to show.
    pub fn server(&self, client: &str, credential: Credential) {
        self.0.borrow_mut().servers.known.insert(client.into(), credential);
    }

    /// How long access tokens live from now on, in seconds.
    pub fn lifetime(&self, seconds: u64) {
        self.0.borrow_mut().expires_in = seconds;
    }

    /// Whether a refresh token is followed by another.
    pub fn rotates(&self, rotates: bool) {
        self.0.borrow_mut().rotates = rotates;
    }

    /// Refresh tokens that were presented again after they had been rotated.
    pub fn reused(&self) -> Vec<String> {
        self.0.borrow().reused.clone()
    }

    /// The user signs out at the provider, or an administrator does it for them: nothing that was granted is worth anything.
    pub fn end_session(&self) {
        let mut inner = self.0.borrow_mut();
        inner.session = None;
        inner.refresh_tokens.clear();
        inner.issued.clear();
    }

    /// The session at the provider ends, as with its cookie. Refresh tokens are still good.
    pub fn forget_session(&self) {
        self.0.borrow_mut().session = None;
    }

    /// Whether the user has a session at the provider.
    pub fn has_session(&self) -> bool {
        self.0.borrow().session.is_some()
    }

    /// The access tokens that were issued are worth nothing from now on.
    pub fn revoke_access_tokens(&self) {
        self.0.borrow_mut().issued.clear();
    }

    /// Of which grant a token is, and whose. It is known of those too that are worth nothing any more.
    pub fn lineage(&self, token: &str) -> Option<(u64, String)> {
        self.0.borrow().lineage.get(token).cloned()
    }

    /// How many grants there were.
    pub fn grants(&self) -> u64 {
        self.0.borrow().grants
    }

    /// Whether a grant has a refresh token that is good for something.
    pub fn is_alive(&self, grant: u64) -> bool {
        self.0.borrow().refresh_tokens.values().any(|token| token.grant == grant && !token.used)
    }

    /// How many refresh tokens are good for something.
    pub fn good_refresh_tokens(&self) -> usize {
        self.0.borrow().refresh_tokens.values().filter(|token| !token.used).count()
    }

    /// How long codes for another device live from now on, in seconds.
    pub fn device_lifetime(&self, seconds: u64) {
        self.0.borrow_mut().device_lifetime = seconds;
    }

    /// The user enters a code on another device, and agrees.
    pub fn enter(&self, user_code: &str) {
        let subject = self.0.borrow().subject.clone();
        self.decide(user_code, Ok(subject));
    }

    /// The user enters a code on another device, and does not agree.
    pub fn deny(&self, user_code: &str) {
        self.decide(user_code, Err(()));
    }

    fn decide(&self, user_code: &str, decision: Result<String, ()>) {
        let mut inner = self.0.borrow_mut();
        inner.devices.values_mut().find(|device| device.user_code == user_code).expect("the code is known").decision = Some(decision);
    }

    /// A request with `prompt=none`: where the browser is sent back to, without anybody seeing anything.
    pub fn authorize_silently(&self, url: &str) -> String {
        if self.has_session() {
            return self.authorize(url);
        }
        let request = self.0.borrow_mut().asked(url);
        let asked = |name: &str| request.iter().find(|(ours, _)| ours == name).map(|(_, value)| value.clone()).unwrap_or_default();
        self.0.borrow_mut().secrets.extend([asked("state"), asked("nonce")]);
        let iss = self.0.borrow().issuer.clone();
        let response = [("error", "login_required"), ("state", &asked("state")), ("iss", &iss)];
        let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(response).finish();
        format!("{}?{query}", asked("redirect_uri"))
    }

    /// The access tokens that were issued.
    pub fn issued(&self) -> Vec<String> {
        self.0.borrow().issued.clone()
    }

    /// The states and nonces that were asked with, and the codes that were given out.
    pub fn secrets(&self) -> Vec<String> {
        self.0.borrow().secrets.clone()
    }

    pub fn endpoint(&self, url: &str) -> Option<Endpoint> {
        if url.starts_with("https://api.example/") || url.starts_with("https://billing.example/") {
            return Some(Endpoint::Api);
        }
        let inner = self.0.borrow();
        let url = url.split('?').next()?;
        if url.contains("/.well-known/") {
            return Some(Endpoint::Metadata);
        }
        [
            ("device_authorization_endpoint", Endpoint::DeviceAuthorization),
            ("jwks_uri", Endpoint::Keys),
            ("pushed_authorization_request_endpoint", Endpoint::PushedRequest),
            ("revocation_endpoint", Endpoint::Revocation),
            ("token_endpoint", Endpoint::Token),
            ("userinfo_endpoint", Endpoint::UserInfo),
        ]
        .into_iter()
        .find(|(member, _)| inner.metadata[*member] == json!(url))
        .map(|(_, endpoint)| endpoint)
    }

    /// The user signs in: where the browser is sent back to.
    pub fn authorize(&self, url: &str) -> String {
        let mut inner = self.0.borrow_mut();
        let mut request = inner.asked(url);
        let subject = inner.subject.clone();
        request.push(("subject of the code".to_owned(), subject));
        let asked = |name: &str| request.iter().find(|(ours, _)| ours == name).map(|(_, value)| value.clone());
        inner.counter += 1;
        inner.session = Some(inner.subject.clone());
        let code = format!("code-{}-{}", inner.counter, b64(asked("state").unwrap_or_default()).chars().rev().take(20).collect::<String>());
        let mut response = vec![
            ("code".to_owned(), code.clone()),
            ("state".to_owned(), asked("state").unwrap_or_default()),
            ("iss".to_owned(), inner.issuer.clone()),
        ];
        let (redirect_uri, client) = (asked("redirect_uri").unwrap(), asked("client_id").unwrap());
        let response_type = asked("response_type").unwrap();
        let usual = if response_type == "code" { "query" } else { "fragment" };
        let mode = asked("response_mode").unwrap_or(usual.to_owned());
        inner.secrets.extend([code.clone()].into_iter().chain(asked("state")).chain(asked("nonce")));
        if response_type != "code" {
            let id_token = inner.front_id_token((response_type != "id_token").then_some(&code), &request);
            response.push(("id_token".to_owned(), id_token.clone()));
            inner.secrets.push(id_token);
        }
        if response_type == "id_token" {
            response.remove(0);
        } else {
            inner.codes.insert(code, request);
        }
        if let Some(change) = &mut inner.callback {
            change(&mut response);
        }
        inner.secrets.extend(response.iter().filter(|(name, _)| name == "code" || name == "state").map(|(_, value)| value.clone()));
        let carrier = match mode.strip_suffix(".jwt") {
            None => mode.as_str(),
            Some(carrier) => {
                let mut claims = json!({"aud": client, "exp": inner.time.now.get() / 1000 + 600});
                response.iter().for_each(|(name, value)| claims[name] = json!(value));
                if let Some(change) = &mut inner.signed_response {
                    change(&mut claims);
                }
                let signed = inner.sign(&claims);
                let signed = inner.id_token.as_mut().map(|change| change(signed.clone())).unwrap_or(signed);
                inner.secrets.push(signed.clone());
                response = vec![("response".to_owned(), signed)];
                carrier
            }
        };
        let form = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&response).finish();
        match (carrier, redirect_uri.contains('?')) {
            ("form_post", _) => {
                format!("{redirect_uri}#{POSTED}={}", url::form_urlencoded::byte_serialize(form.as_bytes()).collect::<String>())
            }
            ("fragment", _) => format!("{redirect_uri}#{form}"),
            (_, true) => format!("{redirect_uri}&{form}"),
            (_, false) => format!("{redirect_uri}?{form}"),
        }
    }

    pub fn answer_to(&self, sent: &Sent) -> Result<Response, HttpFailure> {
        let endpoint = sent.to.ok_or(HttpFailure::Unreachable)?;
        let right = {
            let mut inner = self.0.borrow_mut();
            match endpoint {
                Endpoint::Api => inner.api(sent),
                Endpoint::DeviceAuthorization => inner.authorize_device(sent),
                Endpoint::Keys => json_response(200, &json!({"keys": inner.keys.iter().map(Key::public_jwk).collect::<Vec<_>>()})),
                Endpoint::Metadata => json_response(200, &inner.metadata),
                Endpoint::PushedRequest => inner.push(sent),
                Endpoint::Revocation => inner.revoke(sent),
                Endpoint::Token => inner.token(sent),
                Endpoint::UserInfo => inner.user_info(sent),
            }
        };
        // Taken out while it runs: it may use the provider itself.
        let answerer = self.0.borrow_mut().answerers.remove(&endpoint);
        match answerer {
            None => Ok(right),
            Some(mut answerer) => {
                let response = answerer(sent, right);
                self.0.borrow_mut().answerers.entry(endpoint).or_insert(answerer);
                response
            }
        }
    }

    /// A signed token with these claims, by the key that signs now.
    pub fn sign(&self, claims: &Value) -> String {
        self.0.borrow_mut().sign(claims)
    }
}

impl Inner {
    /// What a browser that comes with this URL asks for: by a `request_uri`, once, what was pushed.
    fn asked(&mut self, url: &str) -> Parameters {
        let request: Parameters = Url::parse(url).unwrap().query_pairs().into_owned().collect();
        match request.iter().find(|(name, _)| name == "request_uri") {
            None => request,
            Some((_, name)) => {
                let pushed = self.pushed.remove(name).expect("a request that was pushed");
                assert_eq!(request[0], ("client_id".into(), CLIENT.into()));
                assert_eq!(request.len(), 2, "{request:?}");
                pushed
            }
        }
    }

    fn push(&mut self, sent: &Sent) -> Response {
        if let Err((error, nonce)) = self.key_of(sent, None) {
            return with_nonce(json_response(400, &json!({"error": error})), nonce);
        }
        self.counter += 1;
        let name = format!("urn:ietf:params:oauth:request_uri:{}", self.counter);
        let request: Parameters = url::form_urlencoded::parse(sent.body.as_bytes()).into_owned().collect();
        self.secrets.extend(request.iter().filter(|(name, _)| name == "state" || name == "nonce").map(|(_, value)| value.clone()));
        self.pushed.insert(name.clone(), request);
        json_response(201, &json!({"request_uri": name, "expires_in": 60}))
    }

    /// The ID token in a response, beside a code or alone.
    fn front_id_token(&mut self, code: Option<&String>, request: &Parameters) -> String {
        let asked = |name: &str| request.iter().find(|(ours, _)| ours == name).map(|(_, value)| value.clone()).unwrap_or_default();
        let now = self.time.now.get() / 1000;
        use rsa::sha2::{Digest, Sha256};
        let half = |text: &str| b64(&Sha256::digest(text)[..16]);
        let mut claims = json!({
            "iss": self.issuer,
            "sub": asked("subject of the code"),
            "aud": asked("client_id"),
            "exp": now + 600,
            "iat": now,
            "nonce": asked("nonce"),
            "name": "Alice Archer",
        });
        if let Some(code) = code {
            claims["c_hash"] = json!(half(code));
            claims["s_hash"] = json!(half(&asked("state")));
        }
        if let Some(change) = &mut self.front_claims {
            change(&mut claims);
        }
        self.sign(&claims)
    }

    fn sign(&mut self, claims: &Value) -> String {
        let mut header = json!({"alg": self.signing.algorithm.name(), "kid": self.signing.kid, "typ": "JWT"});
        if let Some(change) = &mut self.header {
            change(&mut header);
        }
        let signed = format!("{}.{}", b64(header.to_string()), b64(claims.to_string()));
        let signature = b64(self.signing.sign(signed.as_bytes()));
        format!("{signed}.{signature}")
    }

    fn token(&mut self, sent: &Sent) -> Response {
        let refuse = |error: &str| json_response(400, &json!({"error": error}));
        let field = |name: &str| sent.field(name).unwrap_or_default();
        let jkt = match self.key_of(sent, None) {
            Ok(jkt) => jkt,
            Err((error, nonce)) => return with_nonce(refuse(error), nonce),
        };
        if !self.servers.admit(sent, self.time.now.get() / 1000) {
            return json_response(401, &json!({"error": "invalid_client"}));
        }
        match field("grant_type").as_str() {
            "refresh_token" => return self.refresh(sent, jkt),
            "authorization_code" => {}
            "urn:ietf:params:oauth:grant-type:device_code" => return self.device(sent, jkt),
            grant_type => return self.grant_of_a_server(grant_type, sent),
        }
        let Some(request) = self.codes.remove(&field("code")) else { return refuse("invalid_grant") };
        let asked = |name: &str| request.iter().find(|(ours, _)| ours == name).map(|(_, value)| value.clone()).unwrap_or_default();
        use rsa::sha2::{Digest, Sha256};
        let challenge = b64(Sha256::digest(field("code_verifier")));
        if challenge != asked("code_challenge")
            || field("redirect_uri") != asked("redirect_uri")
            || sent.client() != Some(asked("client_id"))
            || !(asked("dpop_jkt").is_empty() || Some(asked("dpop_jkt")) == jkt)
        {
            return refuse("invalid_grant");
        }
        self.grants += 1;
        let subject = asked("subject of the code");
        let (grant, client, scope) = (self.grants, asked("client_id"), asked("scope"));
        let token = RefreshToken { grant, subject: subject.clone(), client, scope: scope.clone(), used: false, jkt };
        let mut body = self.tokens(token, &scope);
        let now = self.time.now.get() / 1000;
        if asked("scope").split(' ').any(|scope| scope == "openid") {
            body["id_token"] = json!(self.id_token_for(&subject, &asked("client_id"), now, Some(asked("nonce"))));
        }
        if let Ok(details) = serde_json::from_str::<Value>(&asked("authorization_details")) {
            body["authorization_details"] = details;
        }
        if let Some(change) = &mut self.token_response {
            change(&mut body);
        }
        json_response(200, &body)
    }

    fn id_token_for(&mut self, subject: &str, client: &str, now: u64, nonce: Option<String>) -> String {
        let mut claims = json!({
            "iss": self.issuer,
            "sub": subject,
            "sid": format!("sid-{}", self.grants),
            "aud": client,
            "exp": now + 600,
            "iat": now,
            "name": "Alice Archer",
        });
        if let Some(nonce) = nonce {
            claims["nonce"] = json!(nonce);
        }
        if let Some(change) = &mut self.claims {
            change(&mut claims);
        }
        let id_token = self.sign(&claims);
        match &mut self.id_token {
            Some(change) => change(id_token),
            None => id_token,
        }
    }

    fn authorize_device(&mut self, sent: &Sent) -> Response {
        self.counter += 1;
        let (device_code, user_code) = (format!("device-code-{}", self.counter), format!("WDJB-{:04}", self.counter));
        let (client, scope) = (sent.field("client_id").unwrap_or_default(), sent.field("scope").unwrap_or_default());
        let now = self.time.now.get() / 1000;
        let grant = DeviceGrant {
            user_code: user_code.clone(),
            client,
            scope,
            expires: now + self.device_lifetime,
            interval: 5,
            polled: now,
            decision: None,
        };
        self.devices.insert(device_code.clone(), grant);
        let body = json!({
            "device_code": device_code,
            "user_code": user_code,
            "verification_uri": format!("{ISSUER}/device"),
            "verification_uri_complete": format!("{ISSUER}/device?user_code={user_code}&lang=en"),
            "expires_in": self.device_lifetime,
            "interval": 5,
        });
        json_response(200, &body)
    }

    /// RFC 8628 §3.5.
    fn device(&mut self, sent: &Sent, jkt: Option<String>) -> Response {
        let refuse = |error: &str| json_response(400, &json!({"error": error}));
        let (device_code, now) = (sent.field("device_code").unwrap_or_default(), self.time.now.get() / 1000);
        let Some(device) = self.devices.get_mut(&device_code) else { return refuse("invalid_grant") };
        if sent.field("client_id").as_ref() != Some(&device.client) {
            return refuse("invalid_grant");
        }
        if now >= device.expires {
            return refuse("expired_token");
        }
        let too_fast = now < device.polled + device.interval;
        device.polled = now;
        if too_fast {
            device.interval += 5;
            return refuse("slow_down");
        }
        let subject = match &device.decision {
            None => return refuse("authorization_pending"),
            Some(Err(())) => return refuse("access_denied"),
            Some(Ok(subject)) => subject.clone(),
        };
        let (client, scope) = (device.client.clone(), device.scope.clone());
        self.devices.remove(&device_code);
        self.grants += 1;
        let token =
            RefreshToken { grant: self.grants, subject: subject.clone(), client: client.clone(), scope: scope.clone(), used: false, jkt };
        let mut body = self.tokens(token, &scope);
        if scope.split(' ').any(|scope| scope == "openid") {
            body["id_token"] = json!(self.id_token_for(&subject, &client, now, None));
        }
        if let Some(change) = &mut self.token_response {
            change(&mut body);
        }
        json_response(200, &body)
    }

    /// An access token, and a refresh token that leads to the next.
    fn tokens(&mut self, refresh_token: RefreshToken, scope: &str) -> Value {
        self.counter += 1;
        let access_token = format!("access-token-{}", self.counter);
        self.issued.push(access_token.clone());
        self.lineage.insert(access_token.clone(), (refresh_token.grant, refresh_token.subject.clone()));
        let next = format!("refresh-token-{}", self.counter);
        self.lineage.insert(next.clone(), (refresh_token.grant, refresh_token.subject.clone()));
        let token_type = if refresh_token.jkt.is_some() { "DPoP" } else { "Bearer" };
        self.bound.extend(refresh_token.jkt.clone().map(|jkt| (access_token.clone(), jkt)));
        self.refresh_tokens.insert(next.clone(), refresh_token);
        json!({
            "access_token": access_token,
            "token_type": token_type,
            "expires_in": self.expires_in,
            "refresh_token": next,
            "scope": scope,
        })
    }

    fn refresh(&mut self, sent: &Sent, jkt: Option<String>) -> Response {
        let refuse = |error: &str| json_response(400, &json!({"error": error}));
        let presented = sent.field("refresh_token").unwrap_or_default();
        let Some(token) = self.refresh_tokens.get(&presented).cloned() else { return refuse("invalid_grant") };
        if Some(&token.client) != sent.client().as_ref() || token.jkt != jkt {
            return refuse("invalid_grant");
        }
        if token.used {
            // RFC 9700 §4.14.2: somebody else has it too, so nobody shall have anything.
            self.reused.push(presented);
            self.refresh_tokens.retain(|_, other| other.grant != token.grant);
            return refuse("invalid_grant");
        }
        let scope = sent.field("scope").unwrap_or(token.scope.clone());
        if !scope.split(' ').all(|word| token.scope.split(' ').any(|granted| granted == word)) {
            return refuse("invalid_scope");
        }
        let mut body = if self.rotates {
            if let Some(token) = self.refresh_tokens.get_mut(&presented) {
                token.used = true;
            }
            self.tokens(RefreshToken { used: false, ..token }, &scope)
        } else {
            let mut body = self.tokens(token, &scope);
            let extra = body["refresh_token"].take();
            self.refresh_tokens.remove(extra.as_str().unwrap());
            body.as_object_mut().unwrap().remove("refresh_token");
            body
        };
        if let Some(change) = &mut self.token_response {
            change(&mut body);
        }
        json_response(200, &body)
    }

    /// Grants without a user in a browser.
    fn grant_of_a_server(&mut self, grant_type: &str, sent: &Sent) -> Response {
        let refuse = |error: &str| json_response(400, &json!({"error": error}));
        let field = |name: &str| sent.field(name).unwrap_or_default();
        let client = sent.client().unwrap_or_default();
        let (subject, issued_token_type) = match grant_type.strip_prefix("urn:ietf:params:oauth:grant-type:").unwrap_or(grant_type) {
            // A public client may do nothing but exchange what is its users'.
            kind if !self.servers.known.contains_key(&client) && kind != "token-exchange" => return refuse("unauthorized_client"),
            "client_credentials" => (client.clone(), None),
            "password" if field("password") == format!("{}-password", field("username")) => (field("username"), None),
            "jwt-bearer" if field("assertion").starts_with("assertion-of-") => (field("assertion").replace("assertion-of-", ""), None),
            "token-exchange" => match self.lineage.get(&field("subject_token")) {
                Some((_, subject)) => (subject.clone(), Some("urn:ietf:params:oauth:token-type:access_token")),
                None => return refuse("invalid_request"),
            },
            "password" | "jwt-bearer" => return refuse("invalid_grant"),
            _ => return refuse("unsupported_grant_type"),
        };
        self.grants += 1;
        let scope = field("scope");
        let token = RefreshToken { grant: self.grants, subject, client, scope: scope.clone(), used: false, jkt: None };
        let mut body = self.tokens(token, &scope);
        let extra = body["refresh_token"].take();
        self.refresh_tokens.remove(extra.as_str().unwrap());
        body.as_object_mut().unwrap().remove("refresh_token");
        if let Some(issued) = issued_token_type {
            body["issued_token_type"] = json!(issued);
        }
        if let Some(change) = &mut self.token_response {
            change(&mut body);
        }
        json_response(200, &body)
    }

    fn revoke(&mut self, sent: &Sent) -> Response {
        if !self.servers.admit(sent, self.time.now.get() / 1000) {
            return json_response(401, &json!({"error": "invalid_client"}));
        }
        let token = sent.field("token").unwrap_or_default();
        if let Some(token) = self.refresh_tokens.get(&token).cloned() {
            self.refresh_tokens.retain(|_, other| other.grant != token.grant);
        }
        json_response(200, &json!({}))
    }

    /// Which key made the proof of a request, if it has one; or what is wrong with it, and the nonce that would be right.
    fn key_of(&mut self, sent: &Sent, token: Option<&str>) -> Result<Option<String>, (&'static str, Option<String>)> {
        let Some(proof) = sent.header("dpop") else { return Ok(None) };
        let proof = Proof::read(proof).filter(|proof| proof.fits(sent, self.time.now.get() / 1000, token));
        let proof = proof.ok_or(("invalid_dpop_proof", None))?;
        if !self.proofs.insert(proof.claim("jti").unwrap_or_default().to_owned()) {
            return Err(("invalid_dpop_proof", None));
        }
        let origin = Url::parse(&sent.url).unwrap().origin().ascii_serialization();
        let (demanded, former) = (self.nonces.get(&origin), self.former_nonces.get(&origin));
        let given = proof.claim("nonce");
        match demanded {
            Some(nonce) if given != Some(nonce) && (given.is_none() || given != former.map(String::as_str)) => {
                Err(("use_dpop_nonce", Some(nonce.clone())))
            }
            _ => Ok(Some(proof.thumbprint)),
        }
    }

    /// Refuses a request whose token is none, or is bound to another key than that of its proof.
    fn admit(&mut self, sent: &Sent) -> Result<(), Response> {
        let (scheme, token) = sent.token().unwrap_or(("Bearer", ""));
        let jkt = match self.key_of(sent, Some(token)) {
            Ok(jkt) => jkt,
            Err((error, nonce)) => return Err(with_nonce(refused("DPoP", error), nonce)),
        };
        let issued = self.issued.iter().any(|ours| ours == token);
        let right = if jkt.is_some() { scheme == "DPoP" } else { scheme == "Bearer" };
        if issued && right && self.bound.get(token) == jkt.as_ref() { Ok(()) } else { Err(refused(scheme, "invalid_token")) }
    }

    fn user_info(&mut self, sent: &Sent) -> Response {
        let right = json!({"sub": self.subject, "email": "alice@example.com"});
        self.admit(sent).map_or_else(|refused| refused, |()| json_response(200, &right))
    }

    fn api(&mut self, sent: &Sent) -> Response {
        let right = json!({"client": CLIENT, "path": Url::parse(&sent.url).unwrap().path()});
        self.admit(sent).map_or_else(|refused| refused, |()| json_response(200, &right))
    }
}

fn with_nonce(mut response: Response, nonce: Option<String>) -> Response {
    response.headers.extend(nonce.map(|nonce| ("dpop-nonce".to_owned(), nonce)));
    response
}

fn refused(scheme: &str, error: &str) -> Response {
    let mut response = json_response(401, &json!({"error": error}));
    response.headers.push(("www-authenticate".into(), format!("{scheme} error=\"{error}\"")));
    response
}
