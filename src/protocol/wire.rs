//! Values as JSON, and back: for a page whose keep is elsewhere. A value that was written is read as the same value.

use std::{cell::RefCell, time::Duration};

use super::{
    authorize::Scope,
    error::{Error, Interrupted, Misbehaved, Misconfigured, ProviderError, Source, Unreadable},
    id_token::Claims,
    jose::Algorithm,
    json::{Json, Number},
    provider::Issuer,
    time::{ClockSkew, UnixTime},
};

/// What may be sent as a message between a page and a keep elsewhere.
#[cfg_attr(not(all(feature = "worker", target_family = "wasm")), allow(dead_code))]
pub(crate) trait Wire: Sized {
    /// As JSON.
    fn write(&self) -> Json;

    /// The value, if this is one of this type.
    fn read(json: &Json) -> Option<Self>;

    /// The member of an object.
    fn member(json: &Json, name: &str) -> Option<Self> {
        Self::read(json.get(name)?)
    }
}

/// Enums without data: each variant is its name.
macro_rules! names {
    ($type:ty { $($(#[$cfg:meta])* $variant:ident = $name:literal,)+ }) => {
        impl $crate::protocol::wire::Wire for $type {
            fn write(&self) -> $crate::protocol::Json {
                match self { $($(#[$cfg])* Self::$variant => $name.into(),)+ }
            }

            fn read(json: &$crate::protocol::Json) -> Option<Self> {
                match json.as_str()? { $($(#[$cfg])* $name => Some(Self::$variant),)+ _ => None }
            }
        }
    };
}
pub(crate) use names;

names! {
    Source {
        Api = "api",
        Authorization = "authorization",
        #[cfg(feature = "device")]
        DeviceAuthorization = "device_authorization",
        EndSession = "end_session",
        Keys = "keys",
        Metadata = "metadata",
        PushedRequest = "pushed_request",
        Revocation = "revocation",
        Token = "token",
        UserInfo = "user_info",
    }
}

impl Wire for bool {
    fn write(&self) -> Json {
        Json::Bool(*self)
    }

    fn read(json: &Json) -> Option<bool> {
        json.as_bool()
    }
}

impl Wire for u64 {
    fn write(&self) -> Json {
        Json::from(*self)
    }

    fn read(json: &Json) -> Option<u64> {
        json.as_number().and_then(Number::floor)
    }
}

impl Wire for u16 {
    fn write(&self) -> Json {
        Json::from(u64::from(*self))
    }

    fn read(json: &Json) -> Option<u16> {
        u64::read(json)?.try_into().ok()
    }
}

impl Wire for String {
    fn write(&self) -> Json {
        self.as_str().into()
    }

    fn read(json: &Json) -> Option<String> {
        json.as_str().map(str::to_owned)
    }
}

/// The name of an option or a member. There are few of them, and each is kept once.
impl Wire for &'static str {
    fn write(&self) -> Json {
        (*self).into()
    }

    fn read(json: &Json) -> Option<&'static str> {
        thread_local!(static NAMES: RefCell<Vec<&'static str>> = RefCell::default());
        let name = json.as_str().filter(|name| name.len() <= 100)?;
        NAMES.with_borrow_mut(|names| {
            let known = names.iter().find(|known| **known == name).copied();
            Some(known.unwrap_or_else(|| {
                let kept = Box::leak(name.to_owned().into_boxed_str());
                names.push(kept);
                kept
            }))
        })
    }
}

impl<T: Wire> Wire for Vec<T> {
    fn write(&self) -> Json {
        Json::Array(self.iter().map(T::write).collect())
    }

    fn read(json: &Json) -> Option<Vec<T>> {
        json.as_array()?.iter().map(T::read).collect()
    }
}

/// In milliseconds.
impl Wire for Duration {
    fn write(&self) -> Json {
        Json::from(u64::try_from(self.as_millis()).unwrap_or(u64::MAX))
    }

    fn read(json: &Json) -> Option<Duration> {
        u64::read(json).map(Duration::from_millis)
    }
}

/// In milliseconds.
impl Wire for UnixTime {
    fn write(&self) -> Json {
        Json::from(self.as_millis())
    }

    fn read(json: &Json) -> Option<UnixTime> {
        u64::read(json).map(UnixTime::from_millis)
    }
}

/// Seconds by which the clock of this device is fast, or slow if there is a minus before them.
impl Wire for ClockSkew {
    fn write(&self) -> Json {
        match self {
            ClockSkew::Ahead(skew) => Json::from(skew.as_secs()),
            ClockSkew::Behind(skew) => Json::Number(Number::minus(skew.as_secs())),
        }
    }

    fn read(json: &Json) -> Option<ClockSkew> {
        let text = json.as_number()?.as_str();
        match text.strip_prefix('-') {
            Some(seconds) => seconds.parse().ok().map(|seconds| ClockSkew::Behind(Duration::from_secs(seconds))),
            None => text.parse().ok().map(|seconds| ClockSkew::Ahead(Duration::from_secs(seconds))),
        }
    }
}

impl Wire for Algorithm {
    fn write(&self) -> Json {
        self.name().into()
    }

    fn read(json: &Json) -> Option<Algorithm> {
        Algorithm::ALL.into_iter().find(|algorithm| json.as_str() == Some(algorithm.name()))
    }
}

/// They were verified where they came from, which is our own keep.
impl Wire for Claims {
    fn write(&self) -> Json {
        Json::Object(self.iter().map(|(name, value)| (name.to_owned(), value.clone())).collect())
    }

    fn read(json: &Json) -> Option<Claims> {
        matches!(json, Json::Object(_)).then(|| Claims::compared(json.clone()))
    }
}

impl Wire for Issuer {
    fn write(&self) -> Json {
        self.as_str().into()
    }

    fn read(json: &Json) -> Option<Issuer> {
        Issuer::parse(json.as_str()?).ok()
    }
}

impl Wire for Scope {
    fn write(&self) -> Json {
        (&self.to_string()).into()
    }

    fn read(json: &Json) -> Option<Scope> {
        Scope::parse(json.as_str()?).ok()
    }
}

impl Wire for Unreadable {
    fn write(&self) -> Json {
        match self {
            Unreadable::ContentType => "content_type".into(),
            Unreadable::DuplicateMember => "duplicate_member".into(),
            Unreadable::Member(name) => Json::object(vec![("member", Some((*name).into()))]),
            Unreadable::NotAnObject => "not_an_object".into(),
            Unreadable::NotJson => "not_json".into(),
            Unreadable::TooDeep => "too_deep".into(),
            Unreadable::TooLarge => "too_large".into(),
        }
    }

    fn read(json: &Json) -> Option<Unreadable> {
        Some(match json.as_str() {
            Some("content_type") => Unreadable::ContentType,
            Some("duplicate_member") => Unreadable::DuplicateMember,
            Some("not_an_object") => Unreadable::NotAnObject,
            Some("not_json") => Unreadable::NotJson,
            Some("too_deep") => Unreadable::TooDeep,
            Some("too_large") => Unreadable::TooLarge,
            Some(_) => return None,
            None => Unreadable::Member(Wire::member(json, "member")?),
        })
    }
}

impl Wire for ProviderError {
    fn write(&self) -> Json {
        Json::object(vec![
            ("error", Some(self.error().into())),
            ("description", self.description().map(Json::from)),
            ("uri", self.uri().map(|uri| uri.as_str().into())),
        ])
    }

    fn read(json: &Json) -> Option<ProviderError> {
        ProviderError::new(json.text("error")?, json.text("description"), json.text("uri"), &[])
    }
}

impl Wire for Error {
    fn write(&self) -> Json {
        let (kind, what) = match self {
            Error::Interrupted(error) => ("interrupted", error.write()),
            Error::Misbehaved(error) => ("misbehaved", error.write()),
            Error::Misconfigured(error) => ("misconfigured", error.write()),
            Error::Provider(error) => ("provider", error.write()),
        };
        let Json::Object(mut members) = what else { return what };
        members.push(("kind".to_owned(), kind.into()));
        Json::Object(members)
    }

    fn read(json: &Json) -> Option<Error> {
        Some(match json.text("kind")? {
            "interrupted" => Interrupted::read(json)?.into(),
            "misbehaved" => Misbehaved::read(json)?.into(),
            "misconfigured" => Misconfigured::read(json)?.into(),
            "provider" => ProviderError::read(json)?.into(),
            _ => return None,
        })
    }
}
