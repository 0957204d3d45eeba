//! A browser with an empty profile, and what a person does with it.

use std::{
    env, fs,
    path::PathBuf,
    sync::Mutex,
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tempfile::TempDir;
use thirtyfour::{By, Key, WebDriver, WebElement, WindowHandle};
use tokio::time::sleep;

use super::{
    engine::{Cookies, Engine},
    http::Request,
    process::Process,
    provider::User,
};

/// Nothing here takes longer, not even on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);
const LOOK_EVERY: Duration = Duration::from_millis(50);

#[derive(Debug)]
pub(crate) struct Browser {
    pub(crate) engine: Engine,
    driver: WebDriver,
    port: u16,
    app_origin: String,
    console: Mutex<Vec<Message>>,
    requests: Mutex<Vec<String>>,
    // In this order: the driver ends before the folder goes.
    process: Process,
    _folder: TempDir,
}

/// What stands in the console.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(crate) is_error: bool,
    pub(crate) text: String,
}

impl Browser {
    pub(crate) async fn start(app_origin: &str, cookies: Cookies) -> Self {
        let engine = Engine::chosen();
        let folder = tempfile::tempdir().expect("a folder");
        let (process, port, driver) = engine.start(folder.path(), cookies).await;
        Self {
            engine,
            driver,
            port,
            app_origin: app_origin.to_owned(),
            console: Mutex::default(),
            requests: Mutex::default(),
            process,
            _folder: folder,
        }
    }

    pub(crate) async fn end(&self) {
        let _ = self.driver.clone().quit().await;
    }

    /// Looks again and again until there is something. What goes wrong while looking is a page that changes.
    pub(crate) async fn until<T>(&self, what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
        let start = Instant::now();
        loop {
            if let Some(found) = look().await {
                return found;
            }
            assert!(start.elapsed() < PATIENCE, "waited in vain for {what}");
            sleep(LOOK_EVERY).await;
        }
    }

    // Addresses

    pub(crate) async fn open(&self, url: &str) {
        self.driver.goto(url).await.unwrap_or_else(|error| panic!("{url} does not open: {error}"));
    }

    pub(crate) async fn reload(&self) {
        self.driver.refresh().await.expect("a reload");
    }

    /// Goes back as its button does, and waits until the address is another one.
    pub(crate) async fn back(&self) -> String {
        let before = self.address().await;
        self.driver.back().await.expect("a way back");
        self.until("another address", async || Some(self.address().await).filter(|now| *now != before)).await
    }

    /// The same from within the page, so that it may find the way back alive: it is not what the drivers do.
    pub(crate) async fn back_from_within(&self) -> String {
        let before = self.address().await;
        self.script("setTimeout(() => history.back())").await;
        self.until("another address", async || Some(self.address().await).filter(|now| *now != before)).await
    }

    pub(crate) async fn forward(&self) -> String {
        let before = self.address().await;
        self.driver.forward().await.expect("a way forward");
        self.until("another address", async || Some(self.address().await).filter(|now| *now != before)).await
    }

    /// Whether it does not even know where it is.
    pub(crate) async fn is_dead(&self) -> bool {
        self.driver.current_url().await.is_err()
    }

    pub(crate) async fn address(&self) -> String {
        self.driver.current_url().await.map(|url| url.to_string()).unwrap_or_default()
    }

    pub(crate) async fn is_at(&self, address: &str) {
        self.until(&format!("the address {address}"), async || (self.address().await == address).then_some(())).await;
    }

    /// The addresses that back and forward lead to in this tab, and this one. WebKit does not tell.
    pub(crate) async fn history(&self) -> Option<Vec<String>> {
        let history = match self.engine {
            Engine::Chromium => {
                let history = self.driver.cdp().send_raw("Page.getNavigationHistory", json!({})).await.expect("the history");
                history["entries"].as_array().expect("entries").iter().map(|entry| entry["url"].clone()).collect()
            }
            Engine::Firefox => {
                let script = "const { sessionHistory } = gBrowser.selectedBrowser.browsingContext;
                    return Array.from({ length: sessionHistory.count }, (_, index) => sessionHistory.getEntryAtIndex(index).URI.spec)";
                self.script_as_firefox(script).await
            }
            Engine::WebKit => return None,
        };
        Some(serde_json::from_value(history).expect("addresses"))
    }

    /// The addresses on the way back to the first one, for an engine that does not tell. Whoever was there may be there again.
    pub(crate) async fn walk_back(&self) -> Vec<String> {
        let length = self.script("return history.length").await;
        let mut addresses = vec![self.address().await];
        for _ in 1..length.as_u64().expect("a length") {
            // The driver leaves out what was added without a click. Two places may have one address, and one document two places.
            let step = "window.isHere = true;
                addEventListener('popstate', () => window.isHere = false);
                setTimeout(() => history.back());
                return true";
            self.until("a page to go back from", async || (self.script(step).await == true).then_some(())).await;
            self.until("the place before", async || (self.script("return !window.isHere").await == true).then_some(())).await;
            addresses.push(self.address().await);
        }
        assert_eq!(self.script("return history.length").await, length, "a page that was passed went elsewhere: {addresses:?}");
        addresses.reverse();
        addresses
    }

    // Tabs

    pub(crate) async fn tab(&self) -> WindowHandle {
        self.driver.window().await.expect("a tab")
    }

    pub(crate) async fn open_tab(&self, url: &str) -> WindowHandle {
        let tab = self.driver.new_tab().await.expect("a new tab");
        self.switch_to(&tab).await;
        self.open(url).await;
        tab
    }

    /// Opens this many, one after the other.
    pub(crate) async fn open_tabs(&self, count: usize, url: &str) -> Vec<WindowHandle> {
        let mut tabs = Vec::new();
        while tabs.len() < count {
            tabs.push(self.open_tab(url).await);
        }
        tabs
    }

    /// Closes this tab, and goes to that.
    pub(crate) async fn close_tab(&self, next: &WindowHandle) {
        self.driver.close_window().await.expect("a tab that closes");
        self.switch_to(next).await;
    }

    pub(crate) async fn switch_to(&self, tab: &WindowHandle) {
        self.driver.switch_to_window(tab.clone()).await.expect("that tab");
    }

    // Reading

    /// What the script returns; null while there is no page that could.
    pub(crate) async fn script(&self, script: &str) -> Value {
        self.driver.execute(script, vec![]).await.map(|value| value.json().clone()).unwrap_or_default()
    }

    /// The same for one that returns a promise.
    pub(crate) async fn script_async(&self, promise: &str) -> Value {
        let script = format!("const done = arguments[arguments.length - 1]; ({promise}).then(done, error => done(String(error)))");
        self.driver.execute_async(script, vec![]).await.map(|value| value.json().clone()).unwrap_or_default()
    }

    /// What a script returns that may do everything with the window and what it keeps.
    async fn script_as_firefox(&self, script: &str) -> Value {
        self.switch_firefox("chrome").await;
        let value = self.driver.execute(script, vec![]).await;
        self.switch_firefox("content").await;
        value.expect("a script of Firefox").json().clone()
    }

    async fn switch_firefox(&self, context: &str) {
        let target = format!("/session/{}/moz/context", self.driver.session_id());
        let answer = Request::post(&target, self.port, &json!({"context": context})).send_to(self.port).await;
        assert!(answer.as_ref().is_ok_and(|answer| answer.status == 200), "no {context} in Firefox: {answer:?}");
    }

    pub(crate) async fn text(&self) -> String {
        self.script("return document.body?.innerText ?? ''").await.as_str().unwrap_or_default().to_owned()
    }

    pub(crate) async fn html(&self) -> String {
        self.script("return document.documentElement?.outerHTML ?? ''").await.as_str().unwrap_or_default().to_owned()
    }

    pub(crate) async fn sees(&self, text: &str) {
        self.until(&format!("the text {text:?}"), async || self.text().await.contains(text).then_some(())).await;
    }

    /// The text of the first element that has one.
    pub(crate) async fn text_of(&self, css: &str) -> String {
        let script = format!("return [...document.querySelectorAll({css:?})].map(e => e.innerText.trim()).find(t => t) ?? ''");
        self.until(&format!("a text in {css}"), async || {
            self.script(&script).await.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
        })
        .await
    }

    pub(crate) async fn alert(&self) -> String {
        self.text_of("[role=alert]").await
    }

    pub(crate) async fn has(&self, css: &str) -> bool {
        self.script(&format!("return document.querySelector({css:?}) !== null")).await == Value::Bool(true)
    }

    /// Leaves something on this page to know it by.
    pub(crate) async fn mark(&self) {
        self.script("document.documentElement.dataset.mark = ''").await;
    }

    /// Whether this is the marked page itself, kept alive, and not the same one loaded again.
    pub(crate) async fn is_marked(&self) -> bool {
        self.has("html[data-mark]").await
    }

    /// What the demo says happened since the page was loaded, oldest first.
    pub(crate) async fn events(&self) -> Vec<String> {
        let events = self.script("return [...document.querySelectorAll('#events li')].map(event => event.dataset.event)").await;
        serde_json::from_value(events).unwrap_or_default()
    }

    pub(crate) async fn happens(&self, event: &str) {
        self.until(&format!("the event {event}"), async || self.events().await.iter().any(|known| known == event).then_some(())).await;
    }

    // Doing

    /// Clicks a button that has this text.
    pub(crate) async fn click(&self, name: &str) {
        self.click_on(&format!("the button {name:?}"), By::XPath(format!("//button[normalize-space()='{name}']"))).await;
    }

    /// Clicks the first button there.
    pub(crate) async fn click_in(&self, css: &str) {
        self.click_on(&format!("a button in {css}"), By::Css(format!("{css} button"))).await;
    }

    /// The same from within the page. After a click of its driver, Firefox does not keep a page that is left.
    pub(crate) async fn click_from_within(&self, name: &str) {
        let script = format!(
            "const button = [...document.querySelectorAll('button')].find(button => button.innerText.trim() === {name:?} && !button.disabled);
             if (button) setTimeout(() => button.click());
             return button !== undefined"
        );
        self.until(&format!("the button {name:?}"), async || (self.script(&script).await == true).then_some(())).await;
    }

    /// Follows a link that has this text.
    pub(crate) async fn follow(&self, name: &str) {
        self.click_on(&format!("the link {name:?}"), By::XPath(format!("//a[normalize-space()='{name}']"))).await;
    }

    pub(crate) async fn double_click(&self, name: &str) {
        let button = self.find(By::XPath(format!("//button[normalize-space()='{name}']"))).await;
        let button = button.unwrap_or_else(|| panic!("no button {name:?}"));
        self.driver.action_chain().double_click_element(&button).perform().await.expect("a double click");
    }

    /// Presses a key on whatever has the focus.
    pub(crate) async fn press(&self, key: Key) {
        self.driver.action_chain().send_keys(key).perform().await.expect("a key press");
    }

    /// Moves the focus with the Tab key to a button that has this text.
    pub(crate) async fn press_until_at(&self, name: &str) {
        for _ in 0..30 {
            self.press(Key::Tab).await;
            if self.script("return document.activeElement?.matches('button') && document.activeElement.innerText.trim()").await == name {
                return;
            }
        }
        panic!("the Tab key does not lead to the button {name:?}");
    }

    async fn click_on(&self, what: &str, by: By) {
        self.until(what, async || self.find(by.clone()).await?.click().await.ok()).await;
    }

    async fn find(&self, by: By) -> Option<WebElement> {
        for element in self.driver.find_all(by).await.ok()? {
            if element.is_displayed().await.unwrap_or(false) && element.is_enabled().await.unwrap_or(false) {
                return Some(element);
            }
        }
        None
    }

    /// The window that this tab has opened. From now on it is looked at.
    pub(crate) async fn opened_window(&self, tab: &WindowHandle) -> WindowHandle {
        let look = async || self.driver.windows().await.ok()?.into_iter().find(|window| window != tab);
        let window = self.until("another window", look).await;
        self.switch_to(&window).await;
        window
    }

    pub(crate) async fn windows(&self) -> Vec<WindowHandle> {
        self.driver.windows().await.unwrap_or_default()
    }

    /// Whether there is only this tab.
    pub(crate) async fn has_only(&self, tab: &WindowHandle) -> bool {
        self.windows().await == [tab.clone()]
    }

    /// Answers the provider's questions in a window that the app has opened, until it is gone or says that it may be closed.
    pub(crate) async fn sign_in_in_window(&self, user: User, tab: &WindowHandle) {
        self.until("the window to be done", async || {
            if self.has_only(tab).await || self.text().await.contains("You can close this window") {
                return Some(());
            }
            if self.has("#password").await {
                self.give_password(user).await?;
            } else {
                self.find(By::Css("button[name=decision][value=allow]")).await?.click().await.ok()?;
            }
            None
        })
        .await;
    }

    /// Answers what the provider asks, until the browser is back at the app.
    pub(crate) async fn sign_in_at_provider(&self, user: User) {
        self.answer_provider(user, "allow").await;
    }

    /// Lets a device in that shows this code, at the address that it shows.
    pub(crate) async fn connect_device(&self, user: User, address: &str, code: &str) {
        self.open(address).await;
        self.sees(code).await;
        self.until("a device that is connected", async || {
            if self.text().await.contains("You may close this page") {
                return Some(());
            }
            if self.has("#password").await {
                self.give_password(user).await?;
            } else {
                self.find(By::Css("button.main")).await?.click().await.ok()?;
            }
            None
        })
        .await;
    }

    /// Gives the provider the code that it asks for, until the browser is back at the app.
    pub(crate) async fn take_second_step(&self) {
        self.until("the provider's second question", async || self.has("#code").await.then_some(())).await;
        self.until("the provider's second question to end", async || {
            if self.address().await.starts_with(&self.app_origin) {
                return Some(());
            }
            let code = self.find(By::Id("code")).await?;
            code.clear().await.ok()?;
            code.send_keys("246810").await.ok()?;
            self.find(By::Css("button.main")).await?.click().await.ok()?;
            None
        })
        .await;
    }

    /// The same, but does not let the app know anything.
    pub(crate) async fn deny_at_provider(&self, user: User) {
        self.answer_provider(user, "deny").await;
    }

    async fn answer_provider(&self, user: User, decision: &str) {
        let is_at_app = async || self.address().await.starts_with(&self.app_origin);
        self.until("the provider's questions", async || (!is_at_app().await).then_some(())).await;
        self.until("the provider's questions to end", async || {
            if is_at_app().await {
                return Some(());
            }
            if self.has("#password").await {
                self.give_password(user).await?;
            } else {
                self.find(By::Css(format!("button[name=decision][value={decision}]"))).await?.click().await.ok()?;
            }
            None
        })
        .await;
    }

    async fn give_password(&self, user: User) -> Option<()> {
        let login = self.find(By::Id("login")).await?;
        login.clear().await.ok()?;
        login.send_keys(user.login).await.ok()?;
        self.find(By::Id("password")).await?.send_keys(user.password).await.ok()?;
        self.find(By::XPath("//button[normalize-space()='Sign in']")).await?.click().await.ok()
    }

    /// Waits for the page where the provider asks who it is.
    pub(crate) async fn is_asked_for_password(&self) {
        self.until("the provider's sign-in page", async || self.has("#password").await.then_some(())).await;
    }

    pub(crate) async fn is_signed_in_as(&self, user: User) {
        self.sees(user.name).await;
        self.until("the button \"Sign out\"", async || self.find(By::XPath("//button[normalize-space()='Sign out']")).await).await;
    }

    pub(crate) async fn is_signed_out(&self) {
        self.until("the button \"Sign in\"", async || self.find(By::XPath("//button[normalize-space()='Sign in']")).await).await;
    }

    /// Waits until it is known whether somebody is signed in, and says so.
    pub(crate) async fn knows_somebody(&self) -> bool {
        let buttons = "//button[normalize-space()='Sign in' or normalize-space()='Sign out']";
        let button = self.until("a button to sign in or out", async || self.find(By::XPath(buttons)).await).await;
        button.text().await.expect("a text").trim() == "Sign out"
    }

    /// Makes the page of this tab as large as that of a small phone.
    pub(crate) async fn resize(&self, width: u32, height: u32) {
        match self.engine {
            Engine::Chromium => {
                let metrics = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
                self.driver.cdp().send_raw("Emulation.setDeviceMetricsOverride", metrics).await.expect("another size");
            }
            // Its window is never narrower than 500 pixels, but the page in it can be.
            Engine::Firefox => {
                let size = format!("min-width: {width}px; max-width: {width}px; min-height: {height}px; max-height: {height}px");
                self.script_as_firefox(&format!("gBrowser.selectedBrowser.style.cssText += {size:?}")).await;
            }
            Engine::WebKit => self.driver.set_window_rect(0, 0, width, height).await.expect("another size"),
        }
        self.until(&format!("a width of {width}"), async || (self.script("return innerWidth").await == width).then_some(())).await;
    }

    // What the engine wrote down

    /// All that was written to the console. WebKit's driver does not tell.
    pub(crate) async fn console(&self) -> Vec<Message> {
        match self.engine {
            Engine::Chromium => {
                let new = self.driver.browser_log().await.unwrap_or_default();
                let mut console = self.console.lock().unwrap();
                console.extend(new.into_iter().map(|entry| Message { is_error: entry.level == "SEVERE", text: entry.message }));
                console.clone()
            }
            // With what Firefox has to say about itself.
            Engine::Firefox => {
                let output = self.process.output();
                let message = |line: &str| Message { is_error: line.starts_with("JavaScript error: http"), text: line.to_owned() };
                output.lines().map(message).collect()
            }
            Engine::WebKit => Vec::new(),
        }
    }

    /// The URLs of all requests, whoever was asked. Only Chromium's driver tells.
    pub(crate) async fn requests(&self) -> Vec<String> {
        let new = if self.engine == Engine::Chromium { self.driver.get_log("performance").await.unwrap_or_default() } else { Vec::new() };
        let urls = new.iter().filter_map(|entry| {
            let entry: Value = serde_json::from_str(&entry.message).ok()?;
            let message = &entry["message"];
            (message["method"] == "Network.requestWillBeSent").then(|| message["params"]["request"]["url"].as_str().map(str::to_owned))?
        });
        let mut requests = self.requests.lock().unwrap();
        requests.extend(urls);
        requests.clone()
    }

    /// Keeps a picture of the page, and says where.
    pub(crate) async fn picture(&self) -> PathBuf {
        let thread = thread::current();
        let test = thread.name().unwrap_or("test").replace("::", "-");
        let target =
            env::var_os("CARGO_TARGET_DIR").map_or_else(|| [env!("CARGO_MANIFEST_DIR"), "../../target"].iter().collect(), PathBuf::from);
        let folder = target.join("e2e");
        let _ = fs::create_dir_all(&folder);
        let picture = folder.join(test).with_extension("png");
        let _ = self.driver.screenshot(&picture).await;
        picture
    }
}
