//! Arbitrary and hostile input: never a panic, never quadratic, and never another reading than an independent one.
//!
//! The cases are the same each time. `PROPTEST_CASES=100000 cargo test --test world fuzz` tries more of them.

use std::{cell::RefCell, collections::BTreeSet, rc::Rc, time::Duration};

use proptest::{
    collection::vec,
    prelude::{Just, Strategy, any, prop},
    prop_assert, prop_assert_eq, prop_oneof, sample,
    test_runner::{Config as Settings, RngAlgorithm, TestCaseResult, TestRng, TestRunner},
};
use serde_json::{Value, json};
use tokenkeep::{
    Event,
    keep::Destination,
    protocol::{
        Algorithm, Callback, Challenge, Discovery, Error, HttpUrl, Issuer, Json, Jwks, Metadata, Misbehaved, Response, Scope, Unreadable,
        Unverified, callback::MAX_CALLBACK, form, json::MAX_DEPTH,
    },
    session::Ended,
};
use url::{Url, form_urlencoded};

use crate::{
    test,
    world::{Endpoint, ISSUER, World, b64, json_response, run},
};

/// How many values are tried, unless the environment says otherwise.
const CASES: u32 = 500;

/// Tries a claim with many values. Needs no clock, no file and no randomness of the platform.
fn always<S: Strategy>(strategy: S, claim: impl Fn(S::Value) -> TestCaseResult) {
    let settings = Settings { failure_persistence: None, ..Settings::default() };
    let cases = if std::env::var_os("PROPTEST_CASES").is_none() { CASES } else { settings.cases };
    let settings = Settings { cases, ..settings };
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    if let Err(failure) = TestRunner::new_with_rng(settings, rng).run(&strategy, claim) {
        panic!("{failure}");
    }
}

/// Text that is made of the pieces that matter, with some that do not.
fn soup(pieces: &'static [&'static str], most: usize) -> impl Strategy<Value = String> {
    let piece = prop_oneof![8 => sample::select(pieces).prop_map(str::to_owned), 1 => any::<char>().prop_map(String::from)];
    vec(piece, 0..most).prop_map(|pieces| pieces.concat())
}

// Callbacks.

const REDIRECT_URI: &str = "https://app.example/cb?lang=de";

/// Names that leave the address bar, written down a second time.
const RESPONSE: &[&str] = &[
    "access_token",
    "code",
    "error",
    "error_description",
    "error_uri",
    "expires_in",
    "id_token",
    "iss",
    "response",
    "session_state",
    "state",
    "token_type",
];

const CALLBACK: &[&str] = &[
    "?",
    "#",
    "&",
    "&",
    "&",
    "=",
    "=",
    "code",
    "state",
    "iss",
    "error",
    "error_description",
    "response",
    "access_token",
    "id_token",
    "%63ode",
    "c%6Fde",
    "stat%65",
    "cod%",
    "%",
    "%ff",
    "+",
    "lang=de",
    "foo=bar",
    "/orders",
    "!/x",
    "https://app.example/cb",
    "x",
];

/// The addresses of a page at its redirect URI, and any text at all.
fn addresses() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => soup(CALLBACK, 24).prop_map(|rest| format!("{REDIRECT_URI}&{rest}")),
        2 => soup(CALLBACK, 24).prop_map(|rest| format!("https://app.example/cb{rest}")),
        1 => soup(CALLBACK, 24),
        1 => any::<String>(),
    ]
}

/// Query and fragment of an address.
fn parts(address: &str) -> (&str, &str, &str) {
    let (before, fragment) = address.split_once('#').unwrap_or((address, ""));
    let (base, query) = before.split_once('?').unwrap_or((before, ""));
    (base, query, fragment)
}

/// Whether the URL standard's own reader sees a response parameter in this pair.
fn is_response_parameter(raw: &str) -> bool {
    form_urlencoded::parse(raw.as_bytes()).next().is_some_and(|(name, _)| RESPONSE.contains(&&*name))
}

fn pairs_of(form: &str) -> Vec<&str> {
    form.split('&').filter(|pair| !pair.is_empty()).collect()
}

/// A route of the app in the fragment is none of our business.
fn is_route(fragment: &str) -> bool {
    fragment.starts_with(['/', '!'])
}

#[test]
fn scrubbing_takes_the_response_and_nothing_else() {
    always(addresses(), |address| {
        let clean = Callback::scrub(&address);
        prop_assert_eq!(&Callback::scrub(&clean), &clean);
        let ((base, query, fragment), (base_before, query_before, fragment_before)) = (parts(&clean), parts(&address));
        prop_assert_eq!(base, base_before);
        let kept =
            |form: &'_ str| pairs_of(form).into_iter().filter(|pair| !is_response_parameter(pair)).map(str::to_owned).collect::<Vec<_>>();
        prop_assert_eq!(pairs_of(query), kept(query_before));
        if is_route(fragment_before) {
            prop_assert_eq!(fragment, fragment_before);
        } else if !is_route(fragment) {
            prop_assert_eq!(pairs_of(fragment), kept(fragment_before));
        }
        // An address without a response is not touched at all.
        let has_response = |form| pairs_of(form).into_iter().any(is_response_parameter);
        if !has_response(query_before) && (is_route(fragment_before) || !has_response(fragment_before)) {
            prop_assert_eq!(&clean, &address);
        }
        prop_assert!(Callback::read(&clean, REDIRECT_URI).is_none());
        Ok(())
    });
}

#[test]
fn a_callback_is_read_as_the_url_standard_reads_it() {
    always(addresses(), |address| {
        let Some(callback) = Callback::read(&address, REDIRECT_URI) else { return Ok(()) };
        let (base, query, fragment) = parts(&address);
        prop_assert_eq!(base, "https://app.example/cb");
        prop_assert!(pairs_of(query).contains(&"lang=de"));
        let (query, fragment) = (pairs_of(query), if is_route(fragment) { Vec::new() } else { pairs_of(fragment) });
        let makes_one = |pairs: &[&str]| {
            let name = |raw: &&str| form_urlencoded::parse(raw.as_bytes()).next().map(|(name, _)| name.into_owned()).unwrap_or_default();
            pairs.iter().map(name).any(|name| ["access_token", "code", "error", "id_token", "response"].contains(&name.as_str()))
        };
        prop_assert!(makes_one(&query) || makes_one(&fragment));
        let fragment = if makes_one(&fragment) { fragment } else { Vec::new() };
        let states: Vec<_> = query
            .into_iter()
            .chain(fragment)
            .filter_map(|raw| {
                form_urlencoded::parse(raw.as_bytes()).next().filter(|(name, _)| name == "state").map(|(_, state)| state.into_owned())
            })
            .collect();
        match callback.state() {
            Ok(_) => prop_assert!(states.len() == 1 && !states[0].is_empty() && states[0].bytes().all(|byte| matches!(byte, b' '..=b'~'))),
            Err(Misbehaved::StateMissing) => prop_assert!(states.concat().is_empty() && states.len() <= 1),
            Err(Misbehaved::DuplicateParameter) => prop_assert!(states.len() > 1),
            Err(error) => prop_assert_eq!((error, states.len()), (Misbehaved::MalformedResponse, 1)),
        }
        Ok(())
    });
}

#[test]
fn a_callback_survives_any_redirect_uri() {
    always((any::<String>(), any::<String>()), |(address, redirect_uri)| {
        for (address, redirect_uri) in [(&address, &redirect_uri), (&redirect_uri, &redirect_uri)] {
            if let Some(callback) = Callback::read(address, redirect_uri) {
                let _ = callback.state();
            }
        }
        Ok(())
    });
}

// Forms.

#[test]
fn forms_are_coded_as_the_url_standard_codes_them() {
    let text = || prop_oneof![any::<String>(), soup(&["%", "+", "&", "=", "%2", "%41", " ", "ä", "\u{0}", "😀"], 12)];
    always(vec((text(), text()), 0..6), |pairs| {
        let mut written = String::new();
        for (name, value) in &pairs {
            form::append(&mut written, name, value);
        }
        let read: Vec<(String, String)> = form_urlencoded::parse(written.as_bytes()).into_owned().collect();
        prop_assert_eq!(&read, &pairs);
        let ours: Vec<_> =
            form::pairs(&written).map(|pair| (form::decode(pair.name).unwrap(), form::decode(pair.value).unwrap())).collect();
        prop_assert_eq!(&ours, &pairs);
        // And what the URL standard writes is read here.
        let written = form_urlencoded::Serializer::new(String::new()).extend_pairs(&pairs).finish();
        let ours: Vec<_> =
            form::pairs(&written).map(|pair| (form::decode(pair.name).unwrap(), form::decode(pair.value).unwrap())).collect();
        prop_assert_eq!(&ours, &pairs);
        Ok(())
    });
}

#[test]
fn forms_are_read_as_the_url_standard_reads_them_or_not_at_all() {
    let form = prop_oneof![any::<String>(), soup(&["%", "+", "&", "=", "%2", "%41", "%c3%a4", "%C0%AF", "%ed%a0%80", "a", "ä"], 20)];
    always(form, |text| {
        let theirs: Vec<_> = form_urlencoded::parse(text.as_bytes()).into_owned().collect();
        let ours: Vec<_> = form::pairs(&text).collect();
        prop_assert_eq!(ours.len(), theirs.len());
        for (ours, (name, value)) in ours.into_iter().zip(theirs) {
            for (raw, theirs) in [(ours.name, name), (ours.value, value)] {
                match form::decode(raw) {
                    Ok(decoded) => prop_assert_eq!(decoded, theirs),
                    Err(form::Malformed) => {
                        let hex = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_hexdigit);
                        let bytes = raw.as_bytes();
                        let broken = (0..bytes.len()).any(|at| bytes[at] == b'%' && !(hex(bytes.get(at + 1)) && hex(bytes.get(at + 2))));
                        prop_assert!(broken || theirs.contains('\u{fffd}'), "{raw}");
                    }
                }
            }
        }
        Ok(())
    });
}

// URLs.

const URL: &[&str] = &[
    "https://",
    "http://",
    "as.example",
    "AS.Example",
    "localhost",
    "127.0.0.1",
    "127.1",
    "0x7f",
    "1",
    "2.",
    "[::1]",
    "[",
    "]",
    "::",
    "1:2",
    ":",
    ":443",
    ":80",
    ":8443",
    ":0",
    ":65536",
    "/",
    "/",
    "//",
    "..",
    ".",
    "%2e",
    "%2E%2e",
    "%2f",
    "\\",
    "?",
    "?",
    "&",
    "=",
    "a",
    "b",
    "%",
    "%4",
    "@",
    "'",
    "|",
    "^",
    "`",
    "{",
    "}",
    "<",
    "\"",
    " ",
    "\t",
    "\n",
    "ä",
    "~",
    "_",
    "-",
    "!",
    "$",
    "*",
    "(",
    ";",
    ",",
    "+",
    "#",
];

fn urls() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => soup(URL, 10).prop_map(|rest| format!("https://as.example/{rest}")),
        2 => soup(URL, 10).prop_map(|rest| format!("https://as.example{rest}")),
        4 => soup(URL, 12).prop_map(|rest| format!("https://{rest}")),
        1 => soup(URL, 12).prop_map(|rest| format!("http://{rest}")),
        1 => soup(URL, 12),
        1 => any::<String>(),
    ]
}

#[test]
fn a_url_that_is_accepted_means_the_same_to_a_browser() {
    always(urls(), |text| {
        let Ok(ours) = HttpUrl::parse(&text) else { return Ok(()) };
        let Ok(theirs) = Url::parse(&text) else {
            panic!("{text} is refused by others");
        };
        prop_assert_eq!(ours.as_str(), &text);
        prop_assert!(theirs.fragment().is_none() && theirs.username().is_empty() && theirs.password().is_none());
        // The same origin, also by our own comparison with what the browser would show.
        let shown = HttpUrl::parse(theirs.as_str());
        // An IPv6 address has many spellings; here they are different hosts, and what is for one is kept from the others.
        let same = |shown: &HttpUrl| text.contains("//[") || (shown.same_origin(&ours) && shown.is_secure() == ours.is_secure());
        prop_assert!(shown.is_ok_and(|shown| same(&shown)), "{theirs}");
        prop_assert_eq!(theirs.query(), ours.query());
        let is_dots = |segment: &str| matches!(segment.to_ascii_lowercase().replace("%2e", ".").as_str(), "." | "..");
        if !ours.path().split('/').any(is_dots) {
            prop_assert_eq!(theirs.path(), ours.path());
        }
        Ok(())
    });
}

#[test]
fn what_a_browser_shows_is_accepted() {
    // Not everything: an address of IPv4 or IPv6 in it is read the same or not at all, and user info never.
    let url = (
        sample::select(vec!["http", "https"]),
        "[a-z]([a-z0-9-]{0,8}[a-z])?(\\.[a-z]([a-z0-9-]{0,8}[a-z])?){0,3}",
        any::<Option<u16>>(),
        any::<String>(),
        any::<String>(),
    );
    always(url, |(scheme, host, port, path, query)| {
        let port = port.map(|port| format!(":{port}")).unwrap_or_default();
        let Ok(mut url) = Url::parse(&format!("{scheme}://{host}{port}/")) else { return Ok(()) };
        if url.port() == Some(0) {
            return Ok(());
        }
        url.set_path(&path);
        url.set_query(Some(&query));
        // A path or query may hold what we are stricter about; the browser may show it, and such a URL is refused.
        let odd = url.as_str().contains(['\\', '^', '`', '{', '}', '|', '\'']);
        prop_assert!(odd || HttpUrl::parse(url.as_str()).is_ok(), "{}", url);
        Ok(())
    });
}

#[test]
fn a_token_goes_nowhere_else_whatever_the_path() {
    let path = || {
        soup(
            &["/", "/", "v1", "v1/", "v10", "..", ".", "%2e", "%2E", "%2f", "%2F", "%5c", "%5C", "%252e", "%25", "x", "?", "a", ";", "//"],
            12,
        )
    };
    always((path(), path()), |(prefix, path)| {
        let Ok(api) = Destination::parse(&format!("https://api.example/{prefix}")) else { return Ok(()) };
        let prefix = Url::parse(&format!("https://api.example/{prefix}")).unwrap();
        for text in [format!("https://api.example/{path}"), format!("{prefix}{path}"), format!("{prefix}/{path}")] {
            let Ok(url) = HttpUrl::parse(&text) else { continue };
            let theirs = Url::parse(&text).unwrap();
            // As the browser sends it, and as a careless server reads that: decoded again and again, without parameters, and resolved once more.
            let mut decoded = theirs.path().to_lowercase();
            while decoded.contains("%25") {
                decoded = decoded.replace("%25", "%");
            }
            let decoded = decoded.replace("%2e", ".").replace("%2f", "/").replace("%5c", "/");
            let plain: Vec<_> = decoded.split('/').map(|segment| segment.split(';').next().unwrap()).collect();
            let decoded = plain.join("/");
            let careless = Url::parse(&format!("https://api.example{decoded}")).unwrap_or(theirs.clone());
            let below = |path: &str| {
                let prefix = prefix.path().to_owned();
                path == prefix || path.starts_with(&format!("{}/", prefix.strip_suffix('/').unwrap_or(&prefix)))
            };
            if api.covers(&url) {
                prop_assert!(below(theirs.path()), "{} {}", prefix, theirs);
                prop_assert!(!decoded.contains("/../") && !decoded.ends_with("/.."), "{} {}", prefix, careless);
                prop_assert_eq!(theirs.path(), url.path());
            } else {
                let wanders = decoded.split('/').any(|segment| matches!(segment, "." | ".."));
                prop_assert!(wanders || theirs.path() != url.path() || !below(theirs.path()), "{} {}", prefix, theirs);
            }
        }
        Ok(())
    });
}

// JSON.

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        soup(&["\"", "\\", "\n", "\u{0}", "\u{7f}", "<", "\u{2028}", "😀", "a"], 6).prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 64, 8, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..8).prop_map(Value::from),
            prop::collection::btree_map(any::<String>(), inner, 0..8).prop_map(|members| Value::Object(members.into_iter().collect()))
        ]
    })
}

const JSON: &[&str] = &[
    "{", "}", "[", "]", ",", ":", "\"", "\"a\"", "\"b\"", "\\", "\\u", "\\ud83d", "\\ude00", "\\u0041", "\\n", "\\x", "true", "false",
    "null", "0", "-", "1", "01", ".5", "e", "E+3", "e400", "1e-7", " ", "\n", "\u{0}", "\u{feff}", "\u{a0}", "{\"a\":", "[[", "]]",
];

/// JSON, JSON with one character changed, and what is made of its pieces.
fn json_texts() -> impl Strategy<Value = String> {
    let changed = (values(), any::<sample::Index>(), sample::select(JSON), any::<bool>()).prop_map(|(value, at, piece, instead)| {
        let text: Vec<char> = value.to_string().chars().collect();
        let at = at.index(text.len());
        let rest = &text[at + usize::from(instead)..];
        text[..at].iter().copied().chain(piece.chars()).chain(rest.iter().copied()).collect()
    });
    prop_oneof![
        3 => values().prop_map(|value| value.to_string()),
        1 => values().prop_map(|value| serde_json::to_string_pretty(&value).unwrap()),
        5 => changed,
        4 => soup(JSON, 12),
        1 => any::<String>(),
    ]
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(elements) => 1 + elements.iter().map(depth).max().unwrap_or(0),
        Value::Object(members) => 1 + members.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

fn members(value: &Value) -> usize {
    match value {
        Value::Array(elements) => elements.iter().map(members).sum(),
        Value::Object(object) => object.len() + object.values().map(members).sum::<usize>(),
        _ => 0,
    }
}

/// How many members a JSON text has, repeated ones counted.
fn colons(text: &str) -> usize {
    let (mut quoted, mut escaped, mut count) = (false, false, 0);
    for char in text.chars() {
        match char {
            _ if escaped => escaped = false,
            '\\' => escaped = quoted,
            '"' => quoted = !quoted,
            ':' if !quoted => count += 1,
            _ => {}
        }
    }
    count
}

#[test]
fn json_is_read_as_another_reader_reads_it() {
    always(json_texts(), |text| {
        match (Json::parse(&text), serde_json::from_str::<Value>(&text)) {
            (Ok(ours), Ok(theirs)) => {
                let written = ours.to_string();
                prop_assert_eq!(serde_json::from_str::<Value>(&written).unwrap(), theirs);
                prop_assert_eq!(Json::parse(&written), Ok(ours));
            }
            // A number keeps its text, however large it is, and a byte order mark is skipped (RFC 8259 §8.1 allows it).
            (Ok(_), Err(error)) => prop_assert!(text.starts_with('\u{feff}') || error.to_string().contains("out of range"), "{}", error),
            // The other reader keeps the last of two members of one name.
            (Err(Unreadable::DuplicateMember), Ok(theirs)) => prop_assert!(colons(&text) > members(&theirs)),
            (Err(Unreadable::TooDeep), Ok(theirs)) => prop_assert!(depth(&theirs) > MAX_DEPTH),
            (Err(error), Ok(_)) => prop_assert!(false, "{:?}", error),
            (Err(_), Err(_)) => {}
        }
        Ok(())
    });
}

#[test]
fn json_is_refused_beyond_a_depth_and_only_there() {
    always((0..100usize, vec(any::<bool>(), 100)), |(levels, kinds)| {
        let opening: String = kinds[..levels].iter().map(|object| if *object { "{\"a\":" } else { "[" }).collect();
        let closing: String = kinds[..levels].iter().rev().map(|object| if *object { '}' } else { ']' }).collect();
        let outcome = Json::parse(&format!("{opening}1{closing}"));
        prop_assert_eq!(outcome.err(), (levels > MAX_DEPTH).then_some(Unreadable::TooDeep));
        Ok(())
    });
}

// Metadata.

#[test]
fn metadata_that_is_accepted_keeps_its_promises() {
    let member = sample::select(vec![
        "issuer",
        "authorization_endpoint",
        "token_endpoint",
        "jwks_uri",
        "userinfo_endpoint",
        "end_session_endpoint",
        "revocation_endpoint",
        "pushed_authorization_request_endpoint",
        "code_challenge_methods_supported",
        "id_token_signing_alg_values_supported",
        "authorization_response_iss_parameter_supported",
        "require_pushed_authorization_requests",
        "__proto__",
    ]);
    let value = prop_oneof![
        3 => urls().prop_map(Value::from),
        1 => soup(CALLBACK, 8).prop_map(|query| json!(format!("https://as.example/x?{query}"))),
        1 => vec(sample::select(vec!["S256", "plain", "none", "HS256", "RS256", "ES256", "EdDSA"]), 0..4).prop_map(Value::from),
        1 => values(),
    ];
    let issuer = Issuer::parse(ISSUER).unwrap();
    always((vec((member, value), 0..3), any::<bool>()), |(changes, plain)| {
        let mut document = json!({
            "issuer": ISSUER,
            "authorization_endpoint": "https://as.example/authorize",
            "token_endpoint": "https://as.example/token",
            "jwks_uri": "https://as.example/keys",
        });
        for (member, value) in changes {
            document[member] = value;
        }
        let discovery = if plain { Discovery::OAuth } else { Discovery::OpenId };
        let Ok(metadata) = Metadata::read(&issuer, discovery, &json_response(200, &document)) else { return Ok(()) };
        prop_assert_eq!(&document["issuer"], &json!(ISSUER));
        let endpoints = [&metadata.jwks_uri, &metadata.userinfo_endpoint, &metadata.end_session_endpoint];
        let endpoints = endpoints.into_iter().flatten().chain([&metadata.authorization_endpoint, &metadata.token_endpoint]);
        for endpoint in endpoints {
            prop_assert!(endpoint.is_secure());
        }
        let url = Url::parse(metadata.authorization_endpoint.as_str()).unwrap();
        let ours =
            ["state", "redirect_uri", "nonce", "code_challenge", "client_id", "response_type", "request_uri", "response_mode", "scope"];
        prop_assert!(url.query_pairs().all(|(name, _)| !ours.contains(&&*name)));
        let methods = &document["code_challenge_methods_supported"];
        prop_assert!(methods.is_null() || methods.as_array().unwrap().contains(&json!("S256")));
        prop_assert!(plain || metadata.jwks_uri.is_some());
        prop_assert!(document["require_pushed_authorization_requests"] != json!(true));
        Ok(())
    });
}

#[test]
fn any_answer_is_judged_without_a_panic() {
    let issuer = Issuer::parse(ISSUER).unwrap();
    let content_type = sample::select(vec!["application/json", "application/jwk-set+json", "text/html", ""]);
    let body = prop_oneof![
        vec(any::<u8>(), 0..64),
        json_texts().prop_map(String::into_bytes),
        vec(values(), 0..4).prop_map(|keys| json!({"keys": keys}).to_string().into_bytes()),
        vec(jwks(), 0..4).prop_map(|keys| json!({"keys": keys}).to_string().into_bytes()),
    ];
    always((any::<u16>(), content_type, body), |(status, content_type, body)| {
        for status in [200, status] {
            let headers = vec![("content-type".to_owned(), content_type.to_owned())];
            let response = Response { status, headers, body: body.clone() };
            prop_assert!(matches!(
                Metadata::read(&issuer, Discovery::OpenId, &response),
                Err(Error::Misbehaved(_) | Error::Interrupted(_))
            ));
            let keys = Jwks::read(&response);
            prop_assert!(keys.is_err() || (status == 200 && response.json().is_ok()));
        }
        Ok(())
    });
}

// Refresh tokens.

/// What a token endpoint may answer: status, content type, `Retry-After`, body.
type Answer = (u16, &'static str, Option<&'static str>, Vec<u8>);

fn token_answers() -> impl Strategy<Value = Answer> {
    let status = prop_oneof![
        4 => Just(200),
        4 => Just(400),
        4 => sample::select(vec![201, 204, 206, 401, 403, 404, 408, 429, 500, 502, 503, 504, 524]),
        1 => 400..600u16,
    ];
    let content_type =
        sample::select(vec!["application/json", "application/json", "Application/JSON;charset=utf-8", "text/html", "text/plain", ""]);
    let retry_after = sample::select(vec![None, None, Some("1"), Some("9".repeat(20).leak()), Some("-1"), Some("soon")]);
    let text = sample::select(vec!["access-x", "refresh-x", "Bearer", "bearer", "DPoP", "openid", "", "a b", "ä"]);
    let value = prop_oneof![6 => text.prop_map(Value::from), 1 => Just(Value::Null), 1 => values()];
    let name = sample::select(vec!["access_token", "token_type", "refresh_token", "scope", "id_token", "error", "error_description"]);
    let error = sample::select(vec!["invalid_grant", "invalid_client", "server_error"]).prop_map(Value::from);
    let member = prop_oneof![5 => (name, value), 1 => (Just("error"), error)];
    let lifetime = sample::select(vec![Value::Null, json!(300), json!("3600"), json!(1e18), json!(-1), json!("soon"), json!([])]);
    let object = (vec(member, 0..4), any::<bool>(), lifetime).prop_map(|(members, right, lifetime)| {
        let mut body =
            if right { json!({"access_token": "access-y", "token_type": "Bearer", "refresh_token": "refresh-y"}) } else { json!({}) };
        body["expires_in"] = lifetime;
        for (name, value) in members {
            body[name] = value;
        }
        body.to_string().into_bytes()
    });
    let refusal = sample::select(vec![
        r#"{"error":"invalid_grant"}"#,
        r#"{"error":"invalid_grant","error":"invalid_grant"}"#,
        r#"{"error":["invalid_grant"]}"#,
        r#"[{"error":"invalid_grant"}]"#,
        r#"{"error":"invalid_grant"#,
        "invalid_grant",
    ]);
    let body = prop_oneof![
        6 => object,
        2 => refusal.prop_map(|text| text.as_bytes().to_vec()),
        1 => json_texts().prop_map(String::into_bytes),
        1 => vec(any::<u8>(), 0..64),
    ];
    (status, content_type, retry_after, body)
}

#[test]
fn no_answer_ends_a_session_but_a_well_formed_refusal() {
    always((vec(token_answers(), 1..4), prop::bool::weighted(0.9)), |(answers, plain)| {
        let world = World::new();
        let config = World::config().renew_by_frame(false);
        let mut tab = world.tab_with(&if plain { config.scopes("orders:read").oauth_only() } else { config }).unwrap();
        tab.sign_in().unwrap();
        world.later(Duration::from_secs(10));
        // What was presented, and what was answered.
        let log: Rc<RefCell<Vec<(String, Response)>>> = Rc::default();
        let (noted, left) = (log.clone(), RefCell::new(answers.clone()));
        world.provider.answer(Endpoint::Token, move |sent, right| {
            let next = if left.borrow().is_empty() { None } else { Some(left.borrow_mut().remove(0)) };
            let response = next.map_or(right, |(status, content_type, retry_after, body)| {
                let headers = [("content-type", Some(content_type)), ("retry-after", retry_after)];
                let headers = headers.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())));
                Response { status, headers: headers.collect(), body }
            });
            noted.borrow_mut().push((sent.field("refresh_token").unwrap(), response.clone()));
            Ok(response)
        });
        for _ in &answers {
            let _ = run(tab.client.renew());
            world.later(Duration::from_secs(30));
        }

        let log = log.borrow();
        let is_json =
            |response: &Response| response.header("content-type").is_some_and(|kind| kind.to_lowercase().starts_with("application/json"));
        let object = |response: &Response| -> Option<Value> { serde_json::from_slice(&response.body).ok().filter(Value::is_object) };
        let rejects = |(_, response): &&(String, Response)| {
            response.status == 400 && is_json(response) && object(response).is_some_and(|body| body["error"] == "invalid_grant")
        };
        let ends: Vec<_> = tab.news().into_iter().filter(|event| matches!(event, Event::Ended(_))).collect();
        match &ends[..] {
            [] => {
                // What a sloppy reader takes for a refusal repeats a member.
                let twice =
                    |(_, response): &(String, Response)| response.body.windows(7).filter(|window| window == b"\"error\"").count() > 1;
                prop_assert!(log.iter().filter(rejects).all(twice));
                prop_assert!(tab.session().is_some());
            }
            [Event::Ended(Ended::Rejected)] => prop_assert!(log.last().as_ref().is_some_and(rejects) && tab.session().is_none()),
            other => prop_assert!(false, "{:?}", other),
        }
        // Whoever may have taken a token does not see it again.
        for (index, (token, response)) in log.iter().enumerate() {
            let page = response.header("content-type").is_some_and(|kind| kind.starts_with("text/html"));
            let error = object(response).is_some_and(|body| is_json(response) && body["error"].is_string());
            // RFC 6749 §6: without another one, this one is used again.
            let same = |body: &Value| body["refresh_token"].is_null() || body["refresh_token"] == **token;
            let stays = object(response).is_some_and(|body| body["access_token"].is_string() && same(&body));
            let taken = match response.status {
                200 => !page && !error && !stays,
                201..=299 | 502 | 504 => true,
                _ => false,
            };
            prop_assert!(!taken || log[index + 1..].iter().all(|(other, _)| other != token), "{} {:?}", token, response);
        }
        Ok(())
    });
}

// Signed tokens.

fn jwks() -> impl Strategy<Value = Value> {
    let text = || prop_oneof![Just("AQAB".to_owned()), soup(&["A", "-", "_", "=", "+", "/", "Zg"], 6), vec(any::<u8>(), 300).prop_map(b64)];
    let purpose = prop_oneof![Just(json!("sig")), Just(json!("enc")), Just(json!(null)), Just(json!(1))];
    (sample::select(vec!["EC", "RSA", "OKP", "oct", ""]), sample::select(vec!["P-256", "Ed25519", "x"]), text(), text(), purpose).prop_map(
        |(kty, crv, one, two, purpose)| json!({"kty": kty, "crv": crv, "x": one, "y": two, "n": one, "e": two, "use": purpose, "kid": "k"}),
    )
}

#[test]
fn a_token_is_taken_apart_strictly_or_not_at_all() {
    let header = prop_oneof![
        3 => (sample::select(vec!["ES256", "RS256", "EdDSA", "none", "None", "HS256", ""]), values())
            .prop_map(|(alg, kid)| b64(json!({"alg": alg, "kid": kid}).to_string())),
        2 => sample::select(vec!["ES256", "RS256", "EdDSA"]).prop_map(|alg| b64(json!({"alg": alg, "kid": "k"}).to_string())),
        1 => json_texts().prop_map(b64),
        1 => any::<String>(),
    ];
    let segment =
        || prop_oneof![4 => vec(any::<u8>(), 0..80).prop_map(b64), 1 => soup(&["A", "=", "+", "/", "-", ".", "\n", "%2E", "Zh"], 8)];
    let token = prop_oneof![
        6 => (header, segment(), segment()).prop_map(|(header, payload, signature)| format!("{header}.{payload}.{signature}")),
        1 => soup(&[".", "e30", "eyJhbGciOiJFUzI1NiJ9", "="], 12),
        1 => any::<String>(),
    ];
    let strict = |segment: &str| {
        let alphabet = segment.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
        alphabet && segment.len() % 4 != 1
    };
    always((token, vec(jwks(), 0..12)), |(token, keys)| {
        let accepted = [Algorithm::Es256, Algorithm::Rs256];
        let Ok(unverified) = Unverified::read(&token, &accepted) else { return Ok(()) };
        let segments: Vec<_> = token.split('.').collect();
        prop_assert!(segments.len() == 3 && segments.iter().all(|segment| strict(segment)));
        let keys = json_response(200, &json!({"keys": if keys.is_empty() { vec![json!({})] } else { keys }}));
        let keys = Jwks::read(&keys).unwrap();
        let checks = unverified.checks(&keys);
        prop_assert!(checks.len() <= 8);
        let signed = [segments[0], segments[1]].join(".");
        for check in &checks {
            prop_assert!(accepted.contains(&check.algorithm));
            prop_assert_eq!(check.signed, signed.as_bytes());
            prop_assert_eq!(b64(check.signature), segments[2]);
        }
        // No key, no signature; no valid signature, no claims.
        let outcomes = vec![false; checks.len()];
        let expected = if checks.is_empty() { Misbehaved::KeyUnknown } else { Misbehaved::SignatureInvalid };
        prop_assert_eq!(unverified.signed_by(&outcomes).unwrap_err(), expected);
        Ok(())
    });
}

// Challenges.

#[test]
fn a_challenge_is_found_wherever_it_stands() {
    let other = || {
        sample::select(vec![
            "Basic realm=\"a, Bearer error=\\\"x\\\"\"",
            "Negotiate abc==",
            "DPoP algs=\"ES256\", error=\"use_dpop_nonce\"",
            "Digest a=b,c=\"\\\\\"",
        ])
    };
    let scheme = sample::select(vec!["Bearer", "bearer", "BEARER"]);
    let error = sample::select(vec![None, Some("invalid_token"), Some("insufficient_scope"), Some("x")]);
    let realm = prop_oneof![Just(None), "[ -~]{0,12}".prop_map(Some)];
    let input = (vec(other(), 0..3), vec(other(), 0..3), scheme, realm, error, "[a-z:]{1,5}( [a-z:]{1,5}){0,2}", any::<bool>());
    always(input, |(before, after, scheme, realm, error, scope, spaced)| {
        let quoted = |text: &str| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
        let equals = if spaced { " = " } else { "=" };
        let mut parameters: Vec<String> = realm.iter().map(|realm| format!("realm{equals}{}", quoted(realm))).collect();
        parameters.extend(error.map(|error| format!("error{equals}{}", quoted(error))));
        parameters.push(format!("scope{equals}{}", quoted(&scope)));
        let ours = format!("{scheme} {}", parameters.join(if spaced { " , " } else { "," }));
        let field: Vec<&str> = before.iter().copied().chain([ours.as_str()]).chain(after).collect();
        let expected = match error {
            Some("invalid_token") => Challenge::InvalidToken,
            Some("insufficient_scope") => Challenge::InsufficientScope { scope: Some(scope) },
            _ => Challenge::Unspecified,
        };
        prop_assert_eq!(Challenge::read(&field.join(", ")), Some(expected), "{}", field.join(", "));
        Ok(())
    });
}

#[test]
fn any_challenge_is_read_without_a_panic() {
    let pieces =
        &["Bearer", "bearer ", "Basic", " ", ",", "=", "\"", "\\", "error", "scope", "invalid_token", "insufficient_scope", "\t", "é"];
    always(prop_oneof![soup(pieces, 16), any::<String>()], |field| {
        let read = Challenge::read(&field);
        prop_assert!(read.is_none() || field.to_ascii_lowercase().contains("bearer"));
        Ok(())
    });
}

#[test]
fn a_scope_that_is_read_is_written_the_same() {
    always(prop_oneof![any::<String>(), soup(&["a", "openid", " ", "\"", "\\", "ä", "\t"], 8)], |text| {
        let fits = text.is_empty()
            || text.split(' ').all(|word| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"\\".contains(&byte)));
        match Scope::parse(&text) {
            Ok(scope) => prop_assert!(fits && scope.to_string() == text),
            Err(_) => prop_assert!(!fits),
        }
        Ok(())
    });
}

// Length.

/// What it is, the text, and who reads it.
type Hostile = (&'static str, String, fn(&str));

/// Everything that reads text of an unbounded length, and a text of about this length that is bad for it.
fn hostile(length: usize) -> Vec<Hostile> {
    let repeat = |piece: &str| piece.repeat(length / piece.len());
    let json: fn(&str) = |text| drop(Json::parse(text));
    let challenge: fn(&str) = |text| drop(Challenge::read(text));
    let url: fn(&str) = |text| {
        let api = Destination::parse("https://api.example/v1/").unwrap();
        let _ = HttpUrl::parse(text).map(|url| (api.covers(&url), url.with_query("x=y")));
    };
    let callback: fn(&str) = |text| {
        let _ = Callback::scrub(text);
        if let Some(callback) = Callback::read(text, REDIRECT_URI) {
            let _ = callback.state();
        }
    };
    let floor: fn(&str) = |text| {
        let _ = Json::parse(text).map(|json| json.as_number().and_then(tokenkeep::protocol::Number::floor));
    };
    let metadata: fn(&str) = |text| {
        let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
        let response = Response { status: 200, headers, body: text.as_bytes().to_vec() };
        let _ = Metadata::read(&Issuer::parse(ISSUER).unwrap(), Discovery::OpenId, &response);
        let _ = Jwks::read(&response);
    };
    let token: fn(&str) = |text| drop(Unverified::read(text, &Algorithm::ALL));
    let names: String = (0..length / 12).map(|index| format!("\"n{index:06}\":1,")).collect();
    let endpoint = |query: &str| {
        json!({"issuer": ISSUER, "authorization_endpoint": format!("https://as.example/?{query}"), "token_endpoint": "https://as.example/t", "jwks_uri": "https://as.example/k", "keys": [1]}).to_string()
    };
    vec![
        ("members", format!("{{{names}\"end\":1}}"), json),
        (
            "members of long names",
            format!("{{{}}}", (0..60).map(|index| format!("\"{}{index}\":1", "x".repeat(length / 60))).collect::<Vec<_>>().join(",")),
            json,
        ),
        ("elements", format!("[{}1]", repeat("1,")), json),
        ("brackets", repeat("["), json),
        ("arrays", format!("[{}[]]", repeat("[],")), json),
        ("escapes", format!("\"{}\"", repeat("\\u0041")), json),
        ("surrogates", format!("\"{}\"", repeat("\\ud83d\\ude00")), json),
        ("an open string", format!("\"{}", repeat("\\n")), json),
        ("space", repeat(" \n"), json),
        ("digits", repeat("7"), floor),
        ("zeros", format!("0.{}1e99999999999999999999", repeat("0")), floor),
        ("an exponent", format!("1e{}", repeat("9")), floor),
        ("a negative exponent", format!("1.{}e-{}", repeat("1"), repeat("9")), floor),
        ("keys", format!("{{\"keys\":[{}{{}}]}}", repeat("{\"kty\":\"EC\"},")), metadata),
        ("a query", endpoint(&repeat("a=b&")), metadata),
        ("an encoded query", endpoint(&repeat("%61&")), metadata),
        ("commas", format!("Bearer {}", repeat(",")), challenge),
        ("schemes", repeat("Bearer a=b,"), challenge),
        ("back slashes", format!("Bearer a=\"{}", repeat("\\")), challenge),
        ("an open quote", format!("Bearer {}", repeat("error=\"")), challenge),
        ("dots", format!("https://api.example/v1/{}", repeat("./")), url),
        ("encoded dots", format!("https://api.example/v1/{}", repeat("%2e%2f")), url),
        ("a host", format!("https://{}", repeat("a.")), url),
        ("colons", format!("https://[{}]/", repeat(":")), url),
        ("questions", format!("https://api.example/{}", repeat("?")), url),
        ("a response", format!("{REDIRECT_URI}&code=x&{}", repeat("state=x&")), callback),
        ("names", format!("{REDIRECT_URI}&code=x&{}", repeat("%63&")), callback),
        ("hashes", format!("{REDIRECT_URI}{}", repeat("#")), callback),
        ("segments", repeat("."), token),
        ("a header", format!("{}.e30.e30", repeat("eyJh")), token),
    ]
}

#[test]
fn a_mebibyte_of_anything_is_read_to_its_end() {
    for (_, text, read) in hostile(1 << 20) {
        read(&text);
    }
    // A callback, which is read pair by pair, is bounded long before that.
    let address = |length: usize| format!("{REDIRECT_URI}&code=x&state={}", "x".repeat(length - REDIRECT_URI.len() - 14));
    let state = |length| Callback::read(&address(length), REDIRECT_URI).unwrap().state();
    assert!(state(MAX_CALLBACK).is_ok());
    assert_eq!(state(MAX_CALLBACK + 1), Err(Misbehaved::ResponseTooLarge));
}

/// Eight times the input takes about eight times the time. A square would take sixty-four times.
#[cfg(not(target_family = "wasm"))]
#[test]
fn nothing_takes_the_square_of_the_length() {
    use std::time::{Duration, Instant};
    let time = |text: &str, read: fn(&str)| {
        // The best of nine is what the machine can do when nothing else runs.
        let once = || {
            let start = Instant::now();
            read(text);
            start.elapsed()
        };
        (0..9).map(|_| once()).min().unwrap()
    };
    let (short, long) = (hostile(1 << 14), hostile(1 << 17));
    for ((what, short, read), (_, long, _)) in short.into_iter().zip(long) {
        let (small, large) = (time(&short, read), time(&long, read));
        assert!(large < small * 32 + Duration::from_millis(50), "{what}: {small:?}, then {large:?}");
    }
}

#[test]
fn the_names_of_a_response_are_written_down_once_each() {
    assert_eq!(RESPONSE.iter().collect::<BTreeSet<_>>().len(), RESPONSE.len());
    for name in RESPONSE {
        assert_eq!(Callback::scrub(&format!("https://app.example/?{name}=x")), "https://app.example/");
    }
}
