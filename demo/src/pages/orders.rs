use leptos::prelude::*;
use tokenkeep::leptos::RequireSignIn;
use tokenkeep::protocol::Json;
use tokenkeep::{Error, Response};

use super::Page;
use crate::api::Api;
use crate::header::SignInButton;
use crate::problem::Problem;

/// A guarded deep link: whoever opens it signed out is sent to sign in, and comes back here.
#[component]
pub fn Orders(api: Api) -> impl IntoView {
    view! {
        <Page title="Orders">
            <RequireSignIn
                waiting=|| view! { <p class="lead" role="status">"One moment: this page is for who is signed in…"</p> }
                failed=Callback::new(signed_out)
            >
                <OrderTable api />
            </RequireSignIn>
        </Page>
    }
}

#[component]
fn OrderTable(api: Api) -> impl IntoView {
    let answer = LocalResource::new(move || api.get("/orders"));
    move || match answer.get() {
        None => view! { <p class="lead" role="status">"Loading your orders…"</p> }.into_any(),
        Some(Ok(response)) if response.is_success() => table(&response),
        Some(Ok(response)) => view! { <p class="problem" role="alert">{format!("The API answered {}.", response.status)}</p> }.into_any(),
        Some(Err(error)) => view! { <Problem title="Your orders could not be loaded" error><SignInButton /></Problem> }.into_any(),
    }
}

fn table(response: &Response) -> AnyView {
    let document = response.json().unwrap_or(Json::Null);
    let orders = document.get("orders").and_then(Json::as_array).unwrap_or_default();
    view! {
        <p class="lead">"What you have ordered, as the API tells it to who holds "<code>"orders:read"</code>"."</p>
        <table id="orders">
            <thead>
                <tr><th scope="col">"Order"</th><th scope="col">"Item"</th><th scope="col">"Total"</th><th scope="col">"Status"</th></tr>
            </thead>
            <tbody>{orders.iter().map(row).collect_view()}</tbody>
        </table>
    }
    .into_any()
}

fn row(order: &Json) -> impl IntoView + use<> {
    let text = |name| order.get(name).map_or_else(String::new, |value| value.as_str().map_or_else(|| value.to_string(), str::to_owned));
    view! {
        <tr>
            <th scope="row">{text("id")}<small>{text("placed_on")}</small></th>
            <td>{text("item")}<small>"Quantity: "{text("quantity")}</small></td>
            <td>{text("total")}" "<small>{text("currency")}</small></td>
            <td>{text("status")}</td>
        </tr>
    }
}

/// The reason, if there is one, stands above the page.
fn signed_out(_: Option<Error>) -> AnyView {
    view! {
        <p class="lead">"You are signed out. Sign in to see your orders."</p>
        <SignInButton />
    }
    .into_any()
}
