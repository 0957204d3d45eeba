//! Text -> JSON value, strictly (RFC 8259): one reader for every platform.
//!
//! `JSON.parse` would be smaller still, but it keeps the last of two members with one name, and so does everything built
//! on it. A document that says two things is refused here. Numbers keep their text: nothing is lost on the way through,
//! and no floating-point code is linked in.

use std::{
    collections::BinaryHeap,
    fmt::{self, Write as _},
};

use super::error::Unreadable;

/// Deeper nesting than this is refused.
pub const MAX_DEPTH: usize = 64;

/// A JSON value.
///
/// ```
/// use tokenkeep::protocol::Json;
///
/// let value = Json::parse(r#"{"sub": "alice", "age": 30}"#)?;
/// assert_eq!(value.get("sub").and_then(Json::as_str), Some("alice"));
/// assert_eq!(value.to_string(), r#"{"sub":"alice","age":30}"#);
/// # Ok::<(), tokenkeep::protocol::Unreadable>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub enum Json {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number, as it was written.
    Number(Number),
    /// A string.
    String(String),
    /// An array.
    Array(Vec<Json>),
    /// An object. Names are unique and in the order in which they were written.
    Object(Vec<(String, Json)>),
}

impl Json {
    /// Reads a whole text.
    ///
    /// # Errors
    /// When the text is not JSON, repeats a member, or nests deeper than [`MAX_DEPTH`].
    pub fn parse(text: &str) -> Result<Json, Unreadable> {
        let mut reader = Reader { rest: text.strip_prefix('\u{feff}').unwrap_or(text) };
        let value = reader.value(MAX_DEPTH)?;
        reader.space();
        if reader.rest.is_empty() { Ok(value) } else { Err(Unreadable::NotJson) }
    }

    /// An object of those members that have a value.
    pub fn object(members: Vec<(&str, Option<Json>)>) -> Json {
        Json::Object(members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect())
    }

    /// The member of that name, if this is an object that has one. `null` counts as absent.
    pub fn get(&self, name: &str) -> Option<&Json> {
        let Json::Object(members) = self else { return None };
        members.iter().find(|(key, _)| key == name).map(|(_, value)| value).filter(|value| !matches!(value, Json::Null))
    }

    /// The same without the member of that name.
    pub(crate) fn without(mut self, name: &str) -> Json {
        if let Json::Object(members) = &mut self {
            members.retain(|(key, _)| key != name);
        }
        self
    }

    /// The texts, if this is one or an array of them.
    pub(crate) fn texts(&self) -> Option<Vec<String>> {
        match self {
            Json::String(one) => Some(vec![one.clone()]),
            Json::Array(many) => many.iter().map(|one| one.as_str().map(str::to_owned)).collect(),
            _ => None,
        }
    }

    /// The elements, if this is an array.
    pub fn as_array(&self) -> Option<&[Json]> {
        if let Json::Array(elements) = self { Some(elements) } else { None }
    }

    /// The truth value, if this is one.
    pub fn as_bool(&self) -> Option<bool> {
        if let Json::Bool(value) = self { Some(*value) } else { None }
    }

    /// The number, if this is one.
    pub fn as_number(&self) -> Option<&Number> {
        if let Json::Number(number) = self { Some(number) } else { None }
    }

    /// The text, if this is a string.
    pub fn as_str(&self) -> Option<&str> {
        if let Json::String(text) = self { Some(text) } else { None }
    }

    /// The text of the member of that name, if it is a string.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.get(name)?.as_str()
    }

    /// A string member: absent is `None`, another type is an error.
    pub(crate) fn string(&self, name: &'static str) -> Result<Option<&str>, Unreadable> {
        self.typed(name, Json::as_str)
    }

    /// A string member that must be there.
    pub(crate) fn required_string(&self, name: &'static str) -> Result<&str, Unreadable> {
        self.string(name)?.ok_or(Unreadable::Member(name))
    }

    /// A member that is true, false or absent.
    pub(crate) fn bool(&self, name: &'static str) -> Result<Option<bool>, Unreadable> {
        self.typed(name, Json::as_bool)
    }

    /// A member that is a list of strings, or absent.
    pub(crate) fn strings(&self, name: &'static str) -> Result<Option<Vec<String>>, Unreadable> {
        self.typed(name, |value| value.as_array().and_then(|_| value.texts()))
    }

    fn typed<'a, T>(&'a self, name: &'static str, read: impl Fn(&'a Json) -> Option<T>) -> Result<Option<T>, Unreadable> {
        match self.get(name) {
            None => Ok(None),
            Some(value) => read(value).map(Some).ok_or(Unreadable::Member(name)),
        }
    }
}

impl From<&str> for Json {
    fn from(text: &str) -> Json {
        Json::String(text.to_owned())
    }
}

impl From<&String> for Json {
    fn from(text: &String) -> Json {
        Json::String(text.clone())
    }
}

impl From<u64> for Json {
    fn from(number: u64) -> Json {
        Json::Number(number.into())
    }
}

impl From<&[String]> for Json {
    fn from(texts: &[String]) -> Json {
        Json::Array(texts.iter().map(Json::from).collect())
    }
}

/// Writes JSON text, without white space.
impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Json::Null => f.write_str("null"),
            Json::Bool(true) => f.write_str("true"),
            Json::Bool(false) => f.write_str("false"),
            Json::Number(number) => f.write_str(number.as_str()),
            Json::String(text) => write_string(f, text),
            Json::Array(elements) => {
                f.write_char('[')?;
                for (index, element) in elements.iter().enumerate() {
                    if index > 0 {
                        f.write_char(',')?;
                    }
                    element.fmt(f)?;
                }
                f.write_char(']')
            }
            Json::Object(members) => {
                f.write_char('{')?;
                for (index, (name, value)) in members.iter().enumerate() {
                    if index > 0 {
                        f.write_char(',')?;
                    }
                    write_string(f, name)?;
                    f.write_char(':')?;
                    value.fmt(f)?;
                }
                f.write_char('}')
            }
        }
    }
}

/// A JSON number as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Number(String);

impl Number {
    /// The text of the number.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The number rounded down, if it is not negative. What is too large for the type is its largest value.
    pub fn floor(&self) -> Option<u64> {
        let (mantissa, exponent) = match self.0.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent),
            None => (self.0.as_str(), "0"),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = [whole, fraction].concat();
        if digits.bytes().all(|digit| matches!(digit, b'0' | b'-')) {
            return Some(0);
        }
        if whole.starts_with('-') {
            return None;
        }
        // An exponent that does not fit moves the point beyond everything, to its side.
        let exponent = exponent.parse::<i64>().unwrap_or(if exponent.starts_with('-') { i64::MIN } else { i64::MAX });
        let places = i64::try_from(whole.len()).unwrap_or(i64::MAX).saturating_add(exponent);
        let places = usize::try_from(places).unwrap_or(if places < 0 { 0 } else { usize::MAX });
        let mut value = 0u64;
        for digit in digits.bytes().chain(std::iter::repeat(b'0')).take(places) {
            value = value.saturating_mul(10).saturating_add(u64::from(digit.saturating_sub(b'0')));
            if value == u64::MAX {
                break;
            }
        }
        Some(value)
    }
}

impl Number {
    pub(crate) fn minus(value: u64) -> Number {
        Number(format!("-{value}"))
    }
}

impl From<u64> for Number {
    fn from(value: u64) -> Number {
        Number(value.to_string())
    }
}

fn write_string(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    f.write_char('"')?;
    for char in text.chars() {
        match char {
            '"' => f.write_str("\\\"")?,
            '\\' => f.write_str("\\\\")?,
            // Also the two line separators and `<`, so that the text may stand in a script.
            '\0'..='\x1f' | '\x7f' | '<' | '\u{2028}' | '\u{2029}' => write!(f, "\\u{:04x}", u32::from(char))?,
            char => f.write_char(char)?,
        }
    }
    f.write_char('"')
}

struct Reader<'a> {
    rest: &'a str,
}

impl<'a> Reader<'a> {
    fn value(&mut self, depth: usize) -> Result<Json, Unreadable> {
        self.space();
        match self.peek() {
            Some(b'{') => self.object(depth.checked_sub(1).ok_or(Unreadable::TooDeep)?),
            Some(b'[') => self.array(depth.checked_sub(1).ok_or(Unreadable::TooDeep)?),
            Some(b'"') => self.string().map(Json::String),
            Some(b'-' | b'0'..=b'9') => self.number().map(Json::Number),
            _ if self.take("true") => Ok(Json::Bool(true)),
            _ if self.take("false") => Ok(Json::Bool(false)),
            _ if self.take("null") => Ok(Json::Null),
            _ => Err(Unreadable::NotJson),
        }
    }

    fn object(&mut self, depth: usize) -> Result<Json, Unreadable> {
        self.expect("{")?;
        let mut members: Vec<(String, Json)> = Vec::new();
        self.space();
        if !self.take("}") {
            loop {
                self.space();
                let name = self.string()?;
                self.space();
                self.expect(":")?;
                members.push((name, self.value(depth)?));
                self.space();
                if self.take("}") {
                    break;
                }
                self.expect(",")?;
            }
        }
        // Sorted, twins are neighbours: ten thousand members are no way to keep us busy. A heap sorts with little code.
        let names: BinaryHeap<&str> = members.iter().map(|(name, _)| name.as_str()).collect();
        if names.into_sorted_vec().windows(2).any(|pair| matches!(pair, [one, other] if one == other)) {
            return Err(Unreadable::DuplicateMember);
        }
        Ok(Json::Object(members))
    }

    fn array(&mut self, depth: usize) -> Result<Json, Unreadable> {
        self.expect("[")?;
        let mut elements = Vec::new();
        self.space();
        if !self.take("]") {
            loop {
                elements.push(self.value(depth)?);
                self.space();
                if self.take("]") {
                    break;
                }
                self.expect(",")?;
            }
        }
        Ok(Json::Array(elements))
    }

    fn string(&mut self) -> Result<String, Unreadable> {
        self.expect("\"")?;
        let mut text = String::new();
        loop {
            text.push_str(self.run(|byte| byte >= 0x20 && byte != b'"' && byte != b'\\'));
            if self.take("\"") {
                return Ok(text);
            }
            self.expect("\\")?;
            text.push(self.escape()?);
        }
    }

    fn escape(&mut self) -> Result<char, Unreadable> {
        let mut rest = self.rest.chars();
        let char = rest.next().ok_or(Unreadable::NotJson)?;
        self.rest = rest.as_str();
        Ok(match char {
            '"' | '\\' | '/' => char,
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => {
                let unit = self.hex()?;
                let code = if unit & 0xfc00 == 0xd800 {
                    // Half a character is none: the other half must follow.
                    self.expect("\\u")?;
                    let low = self.hex()?;
                    if low & 0xfc00 != 0xdc00 {
                        return Err(Unreadable::NotJson);
                    }
                    (((unit & 0x3ff) << 10) | (low & 0x3ff)).saturating_add(0x10000)
                } else {
                    unit
                };
                char::from_u32(code).ok_or(Unreadable::NotJson)?
            }
            _ => return Err(Unreadable::NotJson),
        })
    }

    fn hex(&mut self) -> Result<u32, Unreadable> {
        let (digits, rest) = self.rest.split_at_checked(4).ok_or(Unreadable::NotJson)?;
        self.rest = rest;
        digits.chars().try_fold(0, |unit, digit| Some(unit << 4 | digit.to_digit(16)?)).ok_or(Unreadable::NotJson)
    }

    fn number(&mut self) -> Result<Number, Unreadable> {
        let start = self.rest;
        self.take("-");
        if !self.take("0") {
            self.digits()?;
        }
        if self.take(".") {
            self.digits()?;
        }
        if self.take("e") || self.take("E") {
            let _ = self.take("+") || self.take("-");
            self.digits()?;
        }
        let length = start.len().saturating_sub(self.rest.len());
        Ok(Number(start.get(..length).unwrap_or_default().to_owned()))
    }

    fn digits(&mut self) -> Result<(), Unreadable> {
        if self.run(|byte| byte.is_ascii_digit()).is_empty() { Err(Unreadable::NotJson) } else { Ok(()) }
    }

    fn space(&mut self) {
        self.run(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r'));
    }

    /// Takes as many bytes as are of this kind. What ends a run is ASCII: no character is cut in two.
    fn run(&mut self, kind: fn(u8) -> bool) -> &'a str {
        let length = self.rest.bytes().take_while(|byte| kind(*byte)).count();
        let (run, rest) = self.rest.split_at_checked(length).unwrap_or((self.rest, ""));
        self.rest = rest;
        run
    }

    fn peek(&self) -> Option<u8> {
        self.rest.bytes().next()
    }

    fn take(&mut self, token: &str) -> bool {
        let rest = self.rest.strip_prefix(token);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn expect(&mut self, token: &str) -> Result<(), Unreadable> {
        if self.take(token) { Ok(()) } else { Err(Unreadable::NotJson) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let text = r#"{"a":[1,-2.5e3,"x\"\\\u0001"],"b":{"c":null,"d":true,"e":false},"":"\u003c\u2028é😀"}"#;
        assert_eq!(Json::parse(text).unwrap().to_string(), text);
    }

    #[test]
    fn escapes_are_resolved() {
        assert_eq!(Json::parse(r#""\ud83d\ude00\u00e9\n\/""#), Ok(Json::from("😀é\n/")));
        for half in [r#""\ud83d""#, r#""\ud83dx""#, r#""\ud83d\u0041""#, r#""\ude00""#, r#""\u12""#, r#""\u+123""#, r#""\x""#] {
            assert_eq!(Json::parse(half), Err(Unreadable::NotJson), "{half}");
        }
    }

    #[test]
    fn what_is_not_json_is_refused() {
        for text in [
            "",
            " ",
            "{",
            "[1,]",
            "{\"a\":1,}",
            "01",
            "1.",
            ".5",
            "+1",
            "1e",
            "tru",
            "nul",
            "'a'",
            "{a:1}",
            "[1] 2",
            "\"\n\"",
            "NaN",
            "\"open",
        ] {
            assert_eq!(Json::parse(text), Err(Unreadable::NotJson), "{text}");
        }
    }

    #[test]
    fn a_name_said_twice_is_refused() {
        assert_eq!(Json::parse(r#"{"a":1,"b":2,"\u0061":3}"#), Err(Unreadable::DuplicateMember));
    }

    #[test]
    fn depth_is_bounded() {
        let deep = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert!(Json::parse(&deep(MAX_DEPTH)).is_ok());
        assert_eq!(Json::parse(&deep(MAX_DEPTH + 1)), Err(Unreadable::TooDeep));
        assert_eq!(Json::parse(&"[".repeat(100_000)), Err(Unreadable::TooDeep));
    }

    #[test]
    fn numbers_round_down_without_overflow() {
        let floor = |text: &str| Json::parse(text).unwrap().as_number().unwrap().floor();
        for (text, expected) in [
            ("0", Some(0)),
            ("-0", Some(0)),
            ("-0.0e5", Some(0)),
            ("3599.9", Some(3599)),
            ("1795000000.5", Some(1_795_000_000)),
            ("1e3", Some(1000)),
            ("1.5E+3", Some(1500)),
            ("12345e-2", Some(123)),
            ("0.00012e6", Some(120)),
            ("9e-30", Some(0)),
            ("-1", None),
            ("-1e-9", None),
            ("1e20", Some(u64::MAX)),
            ("1e400", Some(u64::MAX)),
            ("1e99999999999999999999", Some(u64::MAX)),
            ("1e-99999999999999999999", Some(0)),
            ("18446744073709551615", Some(u64::MAX)),
            ("9007199254740993", Some(9_007_199_254_740_993)),
        ] {
            assert_eq!(floor(text), expected, "{text}");
        }
    }
}
