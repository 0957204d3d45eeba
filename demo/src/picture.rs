//! A sequence as a picture: a lane for each who takes part, and an arrow for each step.
//!
//! Places are in percent of the width and rows in pixels, so that text is as large on a telephone as elsewhere.

use leptos::prelude::*;

/// Who takes part, in the order of the lanes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lane {
    You,
    App,
    Server,
    Provider,
    Api,
}

impl Lane {
    const ALL: [Lane; 5] = [Lane::You, Lane::App, Lane::Server, Lane::Provider, Lane::Api];

    pub fn name(self) -> &'static str {
        match self {
            Lane::You => "You",
            Lane::App => "App",
            Lane::Server => "Server",
            Lane::Provider => "Provider",
            Lane::Api => "API",
        }
    }
}

/// How a step is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// The browser goes there, with what is in the address.
    Address,
    /// It failed.
    Failure,
    /// A person does it, or sees it.
    Person,
    /// A request, or the answer to one.
    Request,
}

impl By {
    fn class(self) -> &'static str {
        match self {
            By::Address => "step address",
            By::Failure => "step failure",
            By::Person => "step person",
            By::Request => "step request",
        }
    }
}

/// One arrow. From a lane to itself it is something that happens there.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    pub from: Lane,
    pub to: Lane,
    pub says: String,
    pub by: By,
}

impl Step {
    pub fn new(from: Lane, to: Lane, says: impl Into<String>, by: By) -> Step {
        Step { from, to, says: says.into(), by }
    }

    fn in_words(&self) -> String {
        let Step { from, to, says, .. } = self;
        if from == to { format!("{}: {says}", from.name()) } else { format!("{} to {}: {says}", from.name(), to.name()) }
    }
}

/// Where the first arrow is, and how far it is to the next one.
const FIRST: u32 = 66;
const ROW: u32 = 36;

/// `id` is unique in the page.
#[component]
pub fn Picture(id: String, title: String, steps: Vec<Step>) -> impl IntoView {
    let lanes: Vec<Lane> = Lane::ALL.into_iter().filter(|lane| steps.iter().any(|step| step.from == *lane || step.to == *lane)).collect();
    let at = |lane: Lane| middle(lanes.iter().position(|other| *other == lane).unwrap_or_default(), lanes.len());
    let rows = u32::try_from(steps.len()).unwrap_or_default();
    let height = FIRST.saturating_add(ROW.saturating_mul(rows)).saturating_sub(8);
    let words = steps.iter().map(Step::in_words).collect::<Vec<_>>().join(". ");
    let (title_id, words_id) = ([&id, "-title"].concat(), [&id, "-words"].concat());
    let has = |by: By| steps.iter().any(|step| step.by == by);
    let legend = (has(By::Address) && has(By::Request)).then(|| {
        view! {
            <p class="legend" aria-hidden="true">
                <span class="address">"your browser goes there"</span>
                <span class="request">"a request, which no address shows"</span>
            </p>
        }
    });
    let heads = lanes
        .iter()
        .map(|lane| {
            let x = percent(at(*lane));
            let wide = 84.0 / lanes.len().max(1) as f64;
            view! {
                <line class="life" x1=x.clone() y1="32" x2=x.clone() y2=height.to_string() />
                <rect class="head" x=percent(at(*lane) - wide / 2.0) y="1" width=percent(wide) height="31" rx="5" />
                <text class="who" x=x y="22">{lane.name()}</text>
            }
        })
        .collect_view();
    let arrows = steps
        .iter()
        .zip(0_u32..)
        .map(|(step, row)| {
            let y = FIRST.saturating_add(ROW.saturating_mul(row));
            arrow(step, at(step.from), at(step.to), y)
        })
        .collect_view();
    view! {
        <figure class="picture">
            <svg role="img" aria-labelledby=[&title_id, " ", &words_id].concat() width="100%" height=height.to_string()>
                <title id=title_id.clone()>{title}</title>
                <desc id=words_id.clone()>{words}"."</desc>
                {heads}
                {arrows}
            </svg>
            {legend}
        </figure>
    }
}

fn arrow(step: &Step, from: f64, to: f64, y: u32) -> AnyView {
    let Step { says, by, .. } = step;
    if step.from == step.to {
        // It stands on its lane, in the way of no arrow.
        return view! {
            <g class=by.class()>
                <svg x=percent(from) y=y.saturating_sub(8).to_string() overflow="visible">
                    <circle r="4" />
                    <text class="note" y="-9">{says.clone()}</text>
                </svg>
            </g>
        }
        .into_any();
    }
    let tip = if to > from { "M0 0l-9 -4.5v9z" } else { "M0 0l9 -4.5v9z" };
    let y = y.to_string();
    view! {
        <g class=by.class()>
            <line x1=percent(from) y1=y.clone() x2=percent(to) y2=y.clone() />
            <svg x=percent(to) y=y.clone() overflow="visible"><path d=tip /></svg>
            <svg x=percent(f64::midpoint(from, to)) y=y overflow="visible"><text y="-7">{says.clone()}</text></svg>
        </g>
    }
    .into_any()
}

/// Of so many lanes.
fn middle(index: usize, lanes: usize) -> f64 {
    (index as f64 + 0.5) * 100.0 / lanes.max(1) as f64
}

fn percent(value: f64) -> String {
    format!("{value:.2}%")
}
