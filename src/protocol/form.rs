//! `application/x-www-form-urlencoded`: what query strings, fragments and form bodies are written in.
//!
//! Text is decoded exactly once ([RFC 6749 Appendix B](https://www.rfc-editor.org/rfc/rfc6749#appendix-B)).

/// A text that is no form: a broken percent sign, or bytes that are not UTF-8.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

/// The pairs of a form as they were written: name, value and the whole, still encoded.
///
/// ```
/// use tokenkeep::protocol::form;
///
/// let names: Vec<&str> = form::pairs("code=x&state=y").map(|pair| pair.name).collect();
/// assert_eq!(names, ["code", "state"]);
/// ```
pub fn pairs(form: &str) -> impl Iterator<Item = Pair<'_>> {
    form.split('&').filter(|raw| !raw.is_empty()).map(|raw| {
        let (name, value) = raw.split_once('=').unwrap_or((raw, ""));
        Pair { name, value, raw }
    })
}

/// One pair of a form, still encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pair<'a> {
    /// Before the first `=`.
    pub name: &'a str,
    /// After the first `=`.
    pub value: &'a str,
    /// All of it.
    pub raw: &'a str,
}

impl Pair<'_> {
    /// Whether the decoded name is this one.
    pub fn is(&self, name: &str) -> bool {
        self.name == name || decode(self.name).is_ok_and(|decoded| decoded == name)
    }
}

/// Decodes one name or value.
///
/// # Errors
/// When a `%` is not followed by two hexadecimal digits, or the bytes are not UTF-8.
pub fn decode(text: &str) -> Result<String, Malformed> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut digit = || rest.next().and_then(|digit| char::from(digit).to_digit(16)).and_then(|digit| u8::try_from(digit).ok());
                let (high, low) = (digit().ok_or(Malformed)?, digit().ok_or(Malformed)?);
                high << 4 | low
            }
            byte => byte,
        });
    }
    String::from_utf8(bytes).map_err(|_| Malformed)
}

/// Appends `name=value` to a form, encoded, with a `&` between pairs.
pub fn append(form: &mut String, name: &str, value: &str) {
    if !form.is_empty() && !form.ends_with(['&', '?']) {
        form.push('&');
    }
    encode(form, name);
    form.push('=');
    encode(form, value);
}

/// Appends a text to a form, encoded.
pub(crate) fn encode(form: &mut String, text: &str) {
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => form.push(char::from(byte)),
            // `%20` and not `+`: right in a query, a fragment and a body alike.
            byte => {
                form.push('%');
                for digit in [byte >> 4, byte & 15] {
                    form.push(char::from_digit(digit.into(), 16).unwrap_or('0').to_ascii_uppercase());
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_decoded_exactly_once() {
        assert_eq!(decode("a+b%2Bc%20d"), Ok("a b+c d".into()));
        assert_eq!(decode("https%3A%2f%2Fas.example"), Ok("https://as.example".into()));
        assert_eq!(decode("%2541"), Ok("%41".into()));
    }

    #[test]
    fn broken_text_is_refused() {
        for text in ["%", "%1", "%zz", "%E0%A4%A", "%c0%af", "%ed%a0%80", "%ff"] {
            assert_eq!(decode(text), Err(Malformed), "{text}");
        }
    }

    #[test]
    fn what_is_appended_is_read_again() {
        let mut form = String::new();
        append(&mut form, "scope", "openid profile");
        append(&mut form, "request_uri", "urn:x&redirect_uri=https://evil");
        assert_eq!(form, "scope=openid%20profile&request_uri=urn%3Ax%26redirect_uri%3Dhttps%3A%2F%2Fevil");
        let values: Vec<_> = pairs(&form).map(|pair| decode(pair.value).unwrap()).collect();
        assert_eq!(values, ["openid profile", "urn:x&redirect_uri=https://evil"]);
    }
}
