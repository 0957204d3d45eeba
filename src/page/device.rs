//! A sign-in on another device, as the page shows it.

use std::{cell::RefCell, rc::Rc};

use qrcodegen::{QrCode, QrCodeEcc};

use super::{Client, Inner, Link, State};
use crate::{
    keep::{
        Session,
        device::Attempt,
        flight::Flight,
        signal::{Signal, unless},
    },
    page::ports::FramedBy,
    protocol::{Error, Interrupted, Misconfigured, UnixTime, device::Verification},
};

/// A longer URL is no QR code that a telephone reads from a screen, in bytes.
const MAX_QR: usize = 1000;

/// The light modules around a QR code (ISO/IEC 18004).
const QUIET: usize = 4;

/// A sign-in on another device that is under way: show [`user_code`](DeviceSignIn::user_code) and
/// [`verification_uri`](DeviceSignIn::verification_uri), or the QR code, and await [`finished`](DeviceSignIn::finished).
///
/// It goes on as long as somebody awaits that; when this is dropped, and all that `finished` gave, it is given up.
pub struct DeviceSignIn {
    verification: Verification,
    expires: UnixTime,
    outcome: RefCell<Option<Flight<Result<Session, Error>>>>,
    share: Rc<Share>,
}

/// What this one has of the attempt in the keep. Nobody joins one that all have given up.
struct Share {
    attempt: RefCell<Option<Rc<Attempt>>>,
    given_up: Signal,
}

impl Client {
    /// Begins a sign-in on another device ([RFC 8628](https://www.rfc-editor.org/rfc/rfc8628)), for a screen without a keyboard. Only with
    /// [`Config::dangerous_device_authorization`](crate::Config::dangerous_device_authorization), which says what that costs.
    ///
    /// Asked again while it is under way it is the same one, with the same code. Who signs in otherwise meanwhile ends it too.
    ///
    /// ```no_run
    /// # use tokenkeep::{Client, Config, Error};
    /// # async fn television(open: fn(&Config) -> Result<Client, Error>, show: fn(&str)) -> Result<(), Error> {
    /// let config = Config::new("https://login.example.com", "my-tv")
    ///     .scopes("openid profile offline_access")
    ///     .api("https://api.example.com/")
    ///     .dangerous_device_authorization();
    /// let client = open(&config)?; // tokenkeep::browser
    ///
    /// let sign_in = client.sign_in_by_device().await?;
    /// show(&format!("Go to {} and enter {}", sign_in.verification_uri(), sign_in.user_code()));
    /// show(&sign_in.qr_svg().unwrap_or_default());
    /// let session = sign_in.finished().await?;
    /// show(&format!("Hello, {:?}", session.subject()));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Misconfigured::DeviceNotAllowed`] in an ordinary page; when the provider has no device flow, refuses this client, or cannot be asked.
    pub fn sign_in_by_device(&self) -> impl Future<Output = Result<DeviceSignIn, Error>> + use<> {
        self.0.clone().sign_in_by_device()
    }
}

impl DeviceSignIn {
    /// What the user enters on the other device: letters, digits, spaces, `-`, `.` and `_`.
    pub fn user_code(&self) -> &str {
        &self.verification.user_code
    }

    /// Where they enter it.
    pub fn verification_uri(&self) -> &str {
        self.verification.verification_uri.as_str()
    }

    /// The same with the code in it, if the provider has such a page.
    pub fn verification_uri_complete(&self) -> Option<&str> {
        self.verification.verification_uri_complete.as_ref().map(|uri| uri.as_str())
    }

    /// Until when the code is good, on this device's clock.
    pub fn expires(&self) -> UnixTime {
        self.expires
    }

    /// A QR code of [`verification_uri_complete`](DeviceSignIn::verification_uri_complete), or else of
    /// [`verification_uri`](DeviceSignIn::verification_uri), as SVG text: dark on light with its quiet zone, an image with a title for who
    /// listens to the page. `None` when the URL is longer than 1000 bytes.
    ///
    /// Show the user code beside it, so that the user can see that it is the same
    /// ([RFC 8628 §3.3.1](https://www.rfc-editor.org/rfc/rfc8628#section-3.3.1)).
    pub fn qr_svg(&self) -> Option<String> {
        qr_svg(self.verification_uri_complete().unwrap_or(self.verification_uri()))
    }

    /// Who signed in, once they have.
    ///
    /// # Errors
    /// [`Interrupted::DeviceCodeExpired`] when nobody entered the code in time: begin again. [`Interrupted::Cancelled`] after
    /// [`cancel`](DeviceSignIn::cancel). `access_denied` of the provider when the user said no, and whatever else the provider says.
    pub fn finished(&self) -> impl Future<Output = Result<Session, Error>> + use<> {
        let outcome = self.outcome.borrow().clone();
        async move {
            match outcome {
                Some(outcome) => outcome.await,
                None => Err(Interrupted::Cancelled.into()),
            }
        }
    }

    /// Gives it up: [`finished`](DeviceSignIn::finished) says so, and the provider is not asked any more, unless somebody else joined.
    pub fn cancel(&self) {
        self.outcome.take();
        self.share.attempt.take();
        self.share.given_up.raise();
    }
}

impl std::fmt::Debug for DeviceSignIn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DeviceSignIn").field("verification", &self.verification).field("expires", &self.expires).finish_non_exhaustive()
    }
}

/// Begins in a page whose keep is where it is itself.
pub(super) async fn begin(page: Rc<Inner>) -> Result<DeviceSignIn, Error> {
    if matches!(page.told().state.borrow().clone(), State::Failed(_)) {
        page.set(State::SignedOut);
    }
    let begun = match page.navigation.framed_by() {
        // Nobody reads a code in somebody else's page.
        FramedBy::AnotherOrigin => Err(Misconfigured::Framed.into()),
        FramedBy::Nobody | FramedBy::ThisOrigin => page.serving.keep.begin_by_device().await,
    };
    let attempt = begun.inspect_err(|error| page.fail(error))?;
    let (verification, expires) = (attempt.verification.clone(), attempt.expires);
    let outcome = attempt.outcome.clone();
    let share = Rc::new(Share { attempt: RefCell::new(Some(attempt)), given_up: Signal::default() });
    let shared = share.clone();
    let outcome = Flight::new(async move { finished(page, outcome, &shared).await });
    Ok(DeviceSignIn { verification, expires, outcome: RefCell::new(Some(outcome)), share })
}

async fn finished(page: Rc<Inner>, outcome: Flight<Result<Session, Error>>, share: &Share) -> Result<Session, Error> {
    let outcome = unless(share.given_up.changed_since(0), outcome).await.unwrap_or(Err(Interrupted::Cancelled.into()));
    share.attempt.take();
    match &outcome {
        Ok(session) => {
            page.estranged.set(false);
            page.shown(session);
        }
        // Nothing failed: that is what was wanted.
        Err(Error::Interrupted(Interrupted::Cancelled | Interrupted::SignInNeeded)) => page.settle(),
        Err(error) => page.fail(error),
    }
    outcome
}

fn qr_svg(url: &str) -> Option<String> {
    let code = Some(url).filter(|url| url.len() <= MAX_QR).and_then(|url| QrCode::encode_binary(url.as_bytes(), QrCodeEcc::Medium).ok())?;
    let size = code.size();
    let mut dark = String::new();
    for y in 0..size {
        let mut x = 0;
        while x < size {
            let length = (x..size).take_while(|x| code.get_module(*x, y)).count();
            if length > 0 {
                let [x, y] = [x, y].map(|at| usize::try_from(at).unwrap_or_default().saturating_add(QUIET).to_string());
                let length = length.to_string();
                dark.push_str(&["M", &x, " ", &y, "h", &length, "v1h-", &length, "z"].concat());
            }
            x = x.saturating_add(i32::try_from(length).unwrap_or(size)).saturating_add(1);
        }
    }
    let side = usize::try_from(size).unwrap_or_default().saturating_add(QUIET.saturating_mul(2)).to_string();
    // All that a URL of ours can have and XML cannot.
    let title = url.replace('&', "&amp;");
    Some(
        [
            r#"<svg xmlns="http://www.w3.org/2000/svg" role="img" shape-rendering="crispEdges" viewBox="0 0 "#,
            &side,
            " ",
            &side,
            r#""><title>QR code: "#,
            &title,
            r##"</title><path fill="#fff" d="M0 0h"##,
            &side,
            "v",
            &side,
            r#"H0z"/><path d=""#,
            &dark,
            r#""/></svg>"#,
        ]
        .concat(),
    )
}
