//! The pages, one file each.

mod api;
mod callback;
mod doctor;
mod flows;
mod home;
pub mod idle;
mod initiate;
mod monitor;
mod not_found;
mod orders;
mod popup;
mod profile;
mod provider_sign_out;
mod session;
mod step_up;

use leptos::{html::H1, prelude::*};

pub use api::ApiPage;
pub use callback::Callback;
pub use doctor::Doctor;
pub use flows::Flows;
pub use home::Home;
pub use idle::{Idle, IdleSoon};
pub use initiate::Initiate;
pub use monitor::Monitor;
pub use not_found::NotFound;
pub use orders::Orders;
pub use popup::Popup;
pub use profile::Profile;
pub use provider_sign_out::ProviderSignOut;
pub use session::AroundTheSession;
pub use step_up::StepUp;

/// Whether a page was shown before this one.
#[derive(Clone, Copy, Default)]
pub struct Visited(StoredValue<bool>);

/// A page with its title. Whoever comes from another page and cannot see it is told by the focus.
#[component]
fn Page(title: &'static str, children: Children) -> impl IntoView {
    let heading = NodeRef::<H1>::new();
    let visited = use_context::<Visited>().unwrap_or_default();
    Effect::new(move |_| {
        document().set_title(&[title, " · tokenkeep demo"].concat());
        if let Some(heading) = heading.get()
            && visited.0.get_value()
        {
            let _ = heading.focus();
        }
        visited.0.set_value(true);
    });
    view! {
        <h1 tabindex="-1" node_ref=heading>{title}</h1>
        {children()}
    }
}
