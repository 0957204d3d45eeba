//! Examples of the specifications, verified by the same crates as everything else here.
//!
//! PKCE (RFC 7636 Appendix B), thumbprints (RFC 7638 §3.1, RFC 8037 A.3), `at_hash` (OpenID Connect Core A.3) and what is in a proof (RFC 9449
//! §4, §6.1, §7.1) are beside the code.

use serde_json::{Value, json};
use tokenkeep::protocol::{Algorithm, Jwks, Misbehaved, Signed, Unverified};

use crate::{
    test,
    world::{Proof, json_response, verify},
};

/// The claims of RFC 7515 A.1 to A.3 and A.5.
const CLAIMS: &str = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";

fn verified(token: &str, key: &Value) -> Result<Signed, Misbehaved> {
    let keys = Jwks::read(&json_response(200, &json!({"keys": [key]}))).unwrap();
    let unverified = Unverified::read(token, &Algorithm::ALL)?;
    let outcomes: Vec<bool> = unverified.checks(&keys).iter().map(verify).collect();
    unverified.signed_by(&outcomes)
}

/// What comes of a token, and of the same with one character of its payload changed.
fn verify_and_spoil(header: &str, payload: &str, signature: &str, key: &Value) -> (Result<Signed, Misbehaved>, Misbehaved) {
    let (first, rest) = payload.split_at(1);
    let spoilt = if first == "e" { "f" } else { "e" };
    let whole = verified(&format!("{header}.{payload}.{signature}"), key);
    (whole, verified(&format!("{header}.{spoilt}{rest}.{signature}"), key).unwrap_err())
}

#[test]
fn rfc7515_a_2_rs256() {
    let key = json!({
        "kty": "RSA",
        "n": "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ",
        "e": "AQAB",
    });
    let signature = "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";
    let (signed, spoilt) = verify_and_spoil("eyJhbGciOiJSUzI1NiJ9", CLAIMS, signature, &key);
    assert!(signed.is_ok());
    assert_eq!(spoilt, Misbehaved::SignatureInvalid);
}

#[test]
fn rfc7515_a_3_es256() {
    let key = json!({
        "kty": "EC",
        "crv": "P-256",
        "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
    });
    let signature = "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
    let (signed, spoilt) = verify_and_spoil("eyJhbGciOiJFUzI1NiJ9", CLAIMS, signature, &key);
    assert!(signed.is_ok());
    assert_eq!(spoilt, Misbehaved::SignatureInvalid);
}

#[test]
fn rfc7515_a_4_es512() {
    let key = json!({
        "kty": "EC",
        "crv": "P-521",
        "x": "AekpBQ8ST8a8VcfVOTNl353vSrDCLLJXmPk06wTjxrrjcBpXp5EOnYG_NjFZ6OvLFV1jSfS9tsz4qUxcWceqwQGk",
        "y": "ADSmRA43Z1DSNx_RvcLI87cdL07l6jQyyBXMoxVg_l2Th-x3S1WDhjDly79ajL4Kkd0AZMaZmh9ubmf63e3kyMj2",
    });
    let signature = "AdwMgeerwtHoh-l192l60hp9wAHZFVJbLfD_UxMi70cwnZOYaRI1bKPWROc-mZZqwqT2SI-KGDKB34XO0aw_7XdtAG8GaSwFKdCAPZgoXD2YBJZCPEX3xKpRwcdOO8KpEHwJjyqOgzDO7iKvU8vcnwNrmxYbSW9ERBXukOXolLzeO_Jn";
    let (signed, spoilt) = verify_and_spoil("eyJhbGciOiJFUzUxMiJ9", "UGF5bG9hZA", signature, &key);
    // The signature is good, and what it signs is the word "Payload": no claims.
    assert_eq!(signed.unwrap_err(), Misbehaved::IdTokenMalformed);
    assert_eq!(spoilt, Misbehaved::SignatureInvalid);
}

#[test]
fn rfc8037_a_4_ed25519() {
    let key = json!({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"});
    let signature = "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
    let (signed, spoilt) = verify_and_spoil("eyJhbGciOiJFZERTQSJ9", "RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc", signature, &key);
    // The signature is good, and what it signs is a sentence: no claims.
    assert_eq!(signed.unwrap_err(), Misbehaved::IdTokenMalformed);
    assert_eq!(spoilt, Misbehaved::SignatureInvalid);
}

#[test]
fn rfc7515_a_1_hs256_is_refused() {
    let token = format!("eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.{CLAIMS}.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
    assert_eq!(Unverified::read(&token, &Algorithm::ALL).unwrap_err(), Misbehaved::AlgorithmRefused);
}

#[test]
fn rfc7515_a_5_none_is_refused() {
    let token = format!("eyJhbGciOiJub25lIn0.{CLAIMS}.");
    assert_eq!(Unverified::read(&token, &Algorithm::ALL).unwrap_err(), Misbehaved::AlgorithmRefused);
}

#[test]
fn rfc7515_a_7_the_json_serialization_is_refused() {
    let token = format!(
        r#"{{"payload":"{CLAIMS}","protected":"eyJhbGciOiJFUzI1NiJ9","header":{{"kid":"e9bc097a-ce51-4036-9562-d2ade882db0d"}},"signature":"DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"}}"#
    );
    assert_eq!(Unverified::read(&token, &Algorithm::ALL).unwrap_err(), Misbehaved::IdTokenMalformed);
}

#[test]
fn rfc7515_appendix_e_a_critical_extension_is_refused() {
    let token = "eyJhbGciOiJub25lIiwNCiAiY3JpdCI6WyJodHRwOi8vZXhhbXBsZS5jb20vVU5ERUZJTkVEIl0sDQogImh0dHA6Ly9leGFtcGxlLmNvbS9VTkRFRklORUQiOnRydWUNCn0.RkFJTA.";
    // Twice over: nobody signed it either, and that is seen first.
    assert_eq!(Unverified::read(token, &Algorithm::ALL).unwrap_err(), Misbehaved::AlgorithmRefused);
}

/// What the servers of these tests read, they read of the specification's own example too.
#[test]
fn rfc9449_4_1_a_proof() {
    let proof = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF0IjoxNTYyMjYyNjE2fQ.2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg";
    let read = Proof::read(proof).unwrap();
    assert_eq!((read.thumbprint.as_str(), read.claim("jti")), ("0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I", Some("-BwC3ESc6acc2lTc")));
    // A second later.
    let spoilt = proof.replace("NjE2fQ.", "NjE3fQ.");
    assert!(spoilt != proof && Proof::read(&spoilt).is_none());
}
