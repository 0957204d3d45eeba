//! Every row of the catalogue has a test, or a reason to have none.

use std::collections::BTreeSet;

use crate::test;

/// The rows that this version must hold.
#[rustfmt::skip]
const ROWS: &[&str] = &[
    "cfg-frag", "cfg-http", "cfg-reserved", "cfg-authq", "cfg-insecure", "cfg-nos256", "cfg-scope", "cfg-prompt", "cfg-secret",
    "cfg-returnto", "cfg-returnloop", "cfg-3pil", "cfg-framed", "cfg-burst", "cfg-dupissuer", "cfg-extraenum", "disc-iss", "disc-slash",
    "disc-norm", "disc-tmpl", "disc-type", "disc-html", "disc-ctok", "disc-ctbad", "disc-nonobj", "disc-huge", "disc-stall",
    "disc-redir", "disc-404", "disc-path", "disc-httpep", "disc-otherhost", "disc-malep", "disc-proto", "disc-cors", "disc-5xx",
    "disc-parreq", "cb-none", "cb-nostate", "cb-badstate", "cb-csrf", "cb-fix", "cb-inject", "cb-downgrade", "cb-expired", "cb-replay",
    "cb-double", "cb-dupcode", "cb-dupstate", "cb-dupiss", "cb-frag", "cb-both", "cb-emptycode", "cb-implicit", "cb-mixtok",
    "cb-issmiss", "cb-issbad", "cb-issnear", "cb-issenc", "cb-mixup", "cb-errok", "cb-errnostate", "cb-errtext", "cb-errunknown",
    "cb-tmp", "cb-unknownparam", "cb-longcode", "cb-hugeurl", "cb-badpct", "cb-plus", "cb-ownquery", "cb-otherpath", "cb-scrub",
    "cb-referer", "cb-hash", "cb-jarmunreq", "cb-twotabs", "cb-flood", "cb-wrongclient", "tok-html", "tok-ct", "tok-empty", "tok-noat",
    "tok-notype", "tok-case", "tok-type", "tok-dgrade", "tok-dpopunasked", "tok-expstr", "tok-expneg", "tok-expfloat", "tok-exphuge",
    "tok-expnone", "tok-scopeless", "tok-scopered", "tok-scopebig", "tok-rttype", "tok-noid", "tok-idunasked", "tok-extra", "tok-dup",
    "tok-200err", "tok-400", "tok-401", "tok-5xx", "tok-drop", "tok-late", "tok-307", "tok-cache", "tok-big", "tok-credentials",
    "tok-5xxref", "tok-retry", "tok-droprt", "tok-keeprt", "tok-newrt", "tok-storefail", "tok-igrant", "tok-iscope", "tok-scopegrow",
    "tok-rtexp", "tok-redirparam", "tok-clientauth", "tok-proto", "id-iss", "id-sub", "id-aud", "id-aud1", "id-aud2", "id-azp", "id-exp",
    "id-expfloat", "id-exphuge", "id-iat", "id-nbf", "id-nonce", "id-nonceunasked", "id-authtime", "id-acr", "id-none", "id-hs",
    "id-algmis", "id-algkty", "id-jwk", "id-jku", "id-kidunk", "id-kidstorm", "id-kid1", "id-kidn", "id-kiddup", "id-kidtype", "id-use",
    "id-privkey", "id-jwksbad", "id-jwksdown", "id-rot", "id-revkey", "id-sig", "id-b64", "id-parts", "id-hdrdup", "id-big", "id-athash",
    "id-chash", "id-hybridsub", "id-refsub", "id-refiss", "id-refnone", "id-otherclient", "id-unicode", "id-distrib", "id-clock",
    "ui-sub", "ui-nosub", "ui-noid", "ui-jwt", "ui-ct", "ui-401", "ui-query", "ui-null", "env-deny", "env-quota", "env-corrupt",
    "env-rollback", "env-idbhang", "env-evict", "env-bfback", "env-bfexp", "env-fwd", "env-timer", "env-trap", "env-csp", "env-ssr",
    "env-reinit", "env-log", "env-clean", "env-prec", "env-workerdie", "env-workerfail", "env-proto2",
    "tab-1", "tab-5", "tab-kill", "tab-frozen", "tab-nolocks", "tab-igrant", "tab-forge", "tab-logout", "tab-otheruser", "tab-schema",
    "tab-twoclients", "tab-unload", "tab-throttle", "tab-soon", "tab-shrink",
    "if-origin", "if-origintrick", "if-source", "if-state", "if-data", "if-login", "if-xfo", "if-ui", "if-3pc", "if-app404", "if-leak",
    "if-two", "if-user", "if-offline", "if-csp", "if-late", "if-targetstar", "if-parentforeign",
    "lo-noend", "lo-state", "lo-nostate", "lo-forge", "lo-noreturn", "lo-hint", "lo-loop", "lo-offline", "lo-fc", "lo-fcpart", "lo-two",
    "lo-revfirst", "opt-revoke", "lo-csmsg", "lo-cschanged", "lo-cserror", "lo-csspam", "lo-csstate",
    "env-sleep", "env-offline", "env-portal", "env-part", "env-sw",
    "dp-asnonce", "dp-asloop", "dp-rotnonce", "dp-nonceorigin", "dp-rsnonce", "dp-scheme", "dp-noncechars", "dp-htu", "dp-jti",
    "dp-storm", "dp-clock", "dp-keylost", "dp-twokeys", "dp-bearerdown", "dp-rsredir", "dp-wild", "dp-hdr", "dp-401", "dp-401nohdr",
    "opt-formpost", "opt-fpcsrf", "opt-fperr", "opt-jarm", "opt-parshape", "opt-parinj", "opt-parexp", "opt-rar",
    "dp-403", "dp-prm", "dp-alg", "dp-subst", "dp-bearerrt", "dp-ath", "dp-stepup",
    "dev-slow", "dev-int", "dev-noexp", "dev-expired", "dev-denied", "dev-net", "dev-uri", "dev-sleep", "dev-two", "dev-policy",
    "opt-xchg", "opt-cimd", "opt-dcr", "opt-fedobj", "opt-federr",
    "pop-block", "pop-close", "pop-chan", "pop-twice", "pop-source", "pop-star", "pop-name", "pop-nolistener",
    "pop-super", "pop-never", "pop-gesture",
];

/// Rows without a test here, and why.
const EXEMPT: &[(&str, &str)] = &[
    ("opt-dcr", "no client registers itself: `client_id` is what the app's developer was given"),
    ("opt-fedobj", "there is no sign-in by FedCM"),
    ("opt-federr", "there is no sign-in by FedCM"),
    ("cb-referer", "the page around the app sets its own referrer policy; ours is set on every fetch, in the browser's adapter"),
    ("dp-prm", "`resource_metadata` in a challenge is not read: nothing but what is configured is ever contacted"),
    ("dp-subst", "a page has no placeholder for a token: there is nothing to send one with but the header of a listed API"),
    ("env-trap", "in a Leptos app the library is a part of the app's own module: a trap ends both, and all that is in memory with them"),
];

/// Everything in which a row may be covered.
const SOURCES: &[&str] = &[
    include_str!("callback.rs"),
    include_str!("check_session.rs"),
    include_str!("config.rs"),
    include_str!("device.rs"),
    include_str!("discovery.rs"),
    include_str!("dpop.rs"),
    include_str!("environment.rs"),
    include_str!("frame.rs"),
    include_str!("id_token.rs"),
    include_str!("logout.rs"),
    include_str!("optional.rs"),
    include_str!("popup.rs"),
    include_str!("refresh.rs"),
    include_str!("step_up.rs"),
    include_str!("tabs.rs"),
    include_str!("token.rs"),
    include_str!("user_info.rs"),
    include_str!("../browser/crypto.rs"),
    include_str!("../browser/fetch.rs"),
    include_str!("../browser/main.rs"),
    include_str!("../browser/page.rs"),
    include_str!("../browser/storage.rs"),
    include_str!("../confidential.rs"),
    include_str!("../flows.rs"),
    include_str!("../fuzz.rs"),
    include_str!("../packaging/check-session.test.js"),
    include_str!("../idle.rs"),
    include_str!("../packaging/csp.test.js"),
    include_str!("../packaging/failures.test.js"),
    include_str!("../packaging/popup.test.js"),
    include_str!("../pages.rs"),
    include_str!("../secrets.rs"),
    include_str!("../vectors.rs"),
];

/// The keys in comments that hold nothing else, such as `// cb-dupcode, cb-dupiss`.
fn marked() -> BTreeSet<&'static str> {
    let groups: BTreeSet<&str> = ROWS.iter().map(|key| group(key)).collect();
    let is_key = |word: &str| {
        word.contains('-') && groups.contains(group(word)) && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    let comments = SOURCES.iter().flat_map(|source| source.lines()).filter_map(|line| line.trim().strip_prefix("// "));
    comments.filter(|comment| comment.split(", ").all(is_key)).flat_map(|comment| comment.split(", ")).collect()
}

fn group(key: &str) -> &str {
    key.split('-').next().unwrap_or_default()
}

#[test]
fn every_row_is_tested_or_exempt_and_not_both() {
    let (marked, rows) = (marked(), BTreeSet::from_iter(ROWS.iter().copied()));
    let exempt: BTreeSet<&str> = EXEMPT.iter().map(|(key, _)| *key).collect();
    let neither: Vec<_> = rows.iter().filter(|key| !marked.contains(*key) && !exempt.contains(*key)).collect();
    let both: Vec<_> = exempt.intersection(&marked).collect();
    let covered = rows.intersection(&marked).count();
    assert!(neither.is_empty(), "{covered} of {} rows are covered, {} exempt; neither: {neither:?}", rows.len(), exempt.len());
    assert!(both.is_empty(), "exempt, but covered all the same: {both:?}");
    assert!(exempt.is_subset(&rows), "exempt, but no row: {:?}", exempt.difference(&rows));
    assert!(EXEMPT.iter().all(|(_, reason)| !reason.is_empty()));
}

#[test]
fn no_row_is_misspelt() {
    let known: BTreeSet<&str> = ROWS.iter().copied().collect();
    let marked = marked();
    let unknown: Vec<_> = marked.difference(&known).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
    assert_eq!(known.len(), ROWS.len(), "a row is listed twice");
}
