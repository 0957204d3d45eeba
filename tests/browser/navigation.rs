//! The address bar, and the page around it.

use std::{cell::RefCell, rc::Rc};

use tokenkeep::{
    browser::AddressBar,
    page::ports::{FramedBy, Navigation, Wake},
};
use wasm_bindgen_test::wasm_bindgen_test as test;

use crate::{Replaced, at, js, js_async, until};

#[test]
fn the_address_is_replaced_without_an_entry_and_keeps_its_state() {
    let bar = AddressBar::new().unwrap();
    let before = at("/x?code=1#h");
    assert_eq!(bar.address(), before);
    let entries = js("history.length").as_f64();
    bar.replace(&before.replace("?code=1", ""));
    assert_eq!(bar.address(), format!("{}/x#h", bar.origin()));
    assert_eq!(js("history.length").as_f64(), entries);
    assert_eq!(js("history.state.router").as_f64(), Some(1.0));
    at("/");
}

// cfg-returnto
#[test]
fn urls_mean_what_the_browser_reads() {
    let bar = AddressBar::new().unwrap();
    at("/a/b");
    let origin = bar.origin();
    assert_eq!(bar.resolve("../c?d#e"), Some(format!("{origin}/c?d#e")));
    assert_eq!(bar.resolve("/\\evil.example"), Some("http://evil.example/".into()));
    assert_eq!(bar.resolve("http://[broken"), None);
    at("/");
}

#[test]
fn waking_up_is_told_until_nobody_listens() {
    let bar = AddressBar::new().unwrap();
    let wakes: Rc<RefCell<Vec<Wake>>> = Rc::default();
    let told = wakes.clone();
    bar.on_wake(Rc::new(|_| panic!("there is one listener, the last")));
    bar.on_wake(Rc::new(move |wake| told.borrow_mut().push(wake)));
    let everything = "
        dispatchEvent(new PageTransitionEvent('pageshow', { persisted: false }));
        dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }));
        dispatchEvent(new Event('pageshow'));
        for (const state of ['hidden', 'visible']) {
            Object.defineProperty(document, 'visibilityState', { configurable: true, value: state });
            document.dispatchEvent(new Event('visibilitychange'));
        }
        delete document.visibilityState;
        dispatchEvent(new Event('offline'));
        dispatchEvent(new Event('online'));";
    js(everything);
    assert_eq!(*wakes.borrow(), [Wake::Returned, Wake::Visible, Wake::Online]);
    drop(bar);
    js(everything);
    assert_eq!(wakes.borrow().len(), 3);
}

// out-hint
#[test]
async fn a_form_is_sent_as_a_post_of_this_window_and_leaves_nothing_behind() {
    let bar = AddressBar::new().unwrap();
    at("/");
    js("globalThis.keptSubmit = HTMLFormElement.prototype.submit;
        HTMLFormElement.prototype.submit = function () {
            globalThis.submitted = [this.isConnected, this.method, this.action, this.target, this.getBoundingClientRect().width,
                new URLSearchParams(new FormData(this))].join(' ');
        }");
    bar.submit("https://as.example/logout?x=1", &[("id_token_hint", "a.b.c"), ("state", "1&2"), ("logout_hint", "ü\"<")]);
    js("HTMLFormElement.prototype.submit = keptSubmit");
    assert_eq!(
        js("submitted").as_string().unwrap(),
        "true post https://as.example/logout?x=1 _self 0 id_token_hint=a.b.c&state=1%262&logout_hint=%C3%BC%22%3C"
    );
    assert_eq!(js("document.forms.length").as_f64(), Some(0.0));
}

/// Fields of these names hide the form's own methods and attributes.
#[test]
async fn a_form_really_arrives_whatever_its_fields_are_called() {
    let bar = AddressBar::new().unwrap();
    at("/");
    // The real submit, but into a frame: this page stays.
    js("globalThis.keptSubmit = HTMLFormElement.prototype.submit;
        globalThis.target = document.createElement('iframe');
        target.name = 'target';
        document.body.append(target);
        HTMLFormElement.prototype.submit = function () { this.setAttribute('target', 'target'); keptSubmit.call(this); }");
    let fields = ["submit", "append", "remove", "action", "method", "target", "parentNode"];
    bar.submit("/nobody-is-here", &fields.map(|field| (field, "x")));
    js("HTMLFormElement.prototype.submit = keptSubmit");
    until(|| js("target.contentWindow.location.pathname === '/nobody-is-here'").is_truthy()).await;
    assert_eq!(js("document.forms.length").as_f64(), Some(0.0));
    js("target.remove()");
}

#[test]
fn a_page_that_forbids_everything_cannot_break_us() {
    let bar = AddressBar::new().unwrap();
    let _document = Replaced::new("HTMLFormElement", "throw 'a string'");
    bar.submit("https://as.example/", &[("a", "b")]);
    assert_eq!(js("document.forms.length").as_f64(), Some(0.0));
}

#[test]
fn a_window_is_framed_by_nobody_and_tells_nobody() {
    let bar = AddressBar::new().unwrap();
    js("globalThis.told = 0; addEventListener('message', globalThis.count = () => told++)");
    let _tell = Replaced::new("postMessage", "return () => told++");
    assert_eq!(bar.framed_by(), FramedBy::Nobody);
    bar.tell_parent("hello");
    js("removeEventListener('message', count)");
    assert_eq!(js("told").as_f64(), Some(0.0));
}

#[test]
fn a_frame_in_pages_of_this_origin_is_framed_by_this_origin() {
    let bar = AddressBar::new().unwrap();
    let _parent = Replaced::new("parent", "const top = { location }; top.parent = top; return { location, parent: top }");
    assert_eq!(bar.framed_by(), FramedBy::ThisOrigin);
}

// env-frame
#[test]
fn frames_without_end_are_nobody_s_good_faith() {
    let bar = AddressBar::new().unwrap();
    let _parent = Replaced::new("parent", "const above = () => ({ location, get parent() { return above(); } }); return above()");
    assert_eq!(bar.framed_by(), FramedBy::AnotherOrigin);
}

// env-frame
#[test]
async fn a_parent_of_another_origin_is_known_and_told_nothing() {
    let bar = AddressBar::new().unwrap();
    js_async(
        "globalThis.told = 0; globalThis.count = () => told++;
        globalThis.other = document.createElement('iframe');
        other.setAttribute('sandbox', 'allow-scripts');
        other.srcdoc = `<script>onmessage = (event) => parent.postMessage(event.data === 'fence' ? 'fence' : 'told', '*')</script>`;
        await new Promise((loaded) => { other.onload = loaded; document.body.append(other); });",
    )
    .await;
    let parent = Replaced::new("parent", "return other.contentWindow");
    assert_eq!(bar.framed_by(), FramedBy::AnotherOrigin);
    bar.tell_parent("hello");
    drop(parent);
    let first = js_async(
        "const first = new Promise((heard) => addEventListener('message', (event) => heard(event.data), { once: true }));
        other.contentWindow.postMessage('fence', '*');
        return await first;",
    )
    .await;
    js("other.remove()");
    assert_eq!(first.as_string().unwrap(), "fence");
}

// env-frame
#[test]
fn a_parent_whose_origin_is_another_is_told_nothing_even_if_it_can_be_read() {
    let bar = AddressBar::new().unwrap();
    js("globalThis.told = 0");
    let _parent = Replaced::new("parent", "return { location: { origin: 'null', href: 'about:srcdoc' }, postMessage() { told++ } }");
    bar.tell_parent("hello");
    assert_eq!(js("told").as_f64(), Some(0.0));
}

#[test]
async fn a_parent_of_this_origin_is_told_and_nobody_else_could_hear_it() {
    let bar = AddressBar::new().unwrap();
    js_async(
        "globalThis.same = document.createElement('iframe');
        same.src = '/nobody-is-here';
        await new Promise((loaded) => { same.onload = loaded; document.body.append(same); });
        globalThis.targetOrigin = undefined;
        const original = same.contentWindow.postMessage;
        same.contentWindow.postMessage = (text, origin) => { targetOrigin = origin; original.call(same.contentWindow, text, origin); };
        same.contentWindow.onmessage = (event) => { globalThis.heard = event.data; };",
    )
    .await;
    let parent = Replaced::new("parent", "return same.contentWindow");
    bar.tell_parent("hello");
    drop(parent);
    until(|| js("globalThis.heard === 'hello'").is_truthy()).await;
    assert_eq!(js("targetOrigin").as_string(), Some(bar.origin()));
    js("same.remove()");
}

#[test]
fn the_address_before_counts_until_it_is_replaced_or_forgotten() {
    let shown = js("location.href").as_string().unwrap();
    let before = || AddressBar::new().unwrap().before(Some("https://app.example/?code=c&state=s".to_owned()));
    let bar = before();
    assert_eq!(bar.address(), "https://app.example/?code=c&state=s");
    bar.replace(&shown);
    assert_eq!((bar.address(), bar.forget_before()), (shown.clone(), false));
    let bar = before();
    assert_eq!((bar.forget_before(), bar.forget_before(), bar.address()), (true, false, shown.clone()));
    assert_eq!(AddressBar::new().unwrap().before(None).address(), shown);
}
