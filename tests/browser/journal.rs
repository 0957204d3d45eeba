//! indexedDB as it is, and as it may be.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use futures::{FutureExt, future::join_all};
use tokenkeep::{
    browser::IndexedDb,
    keep::ports::{Journal, StoreFailure},
};
use wasm_bindgen_test::wasm_bindgen_test as test;

use crate::{Replaced, js, js_async};

async fn put(key: &str, text: &str) -> Result<(), StoreFailure> {
    let text = text.to_owned();
    IndexedDb.update(key, Box::new(|_| Some(text))).await
}

async fn read(key: &str) -> Option<String> {
    let found: Rc<RefCell<Option<String>>> = Rc::default();
    let finding = found.clone();
    let reading = move |text| {
        *finding.borrow_mut() = text;
        None
    };
    IndexedDb.update(key, Box::new(reading)).await.unwrap();
    found.take()
}

/// Works on the store itself.
async fn raw(code: &str) -> Option<String> {
    let code = format!(
        "const opening = indexedDB.open('tokenkeep');
        const database = await new Promise((resolve, reject) => {{ opening.onsuccess = () => resolve(opening.result); opening.onerror = reject; }});
        try {{
            const store = database.transaction('journal', 'readwrite').objectStore('journal');
            const request = {code};
            await new Promise((resolve, reject) => {{ request.onsuccess = resolve; request.onerror = reject; }});
            return JSON.stringify(request.result);
        }} finally {{
            database.close();
        }}"
    );
    js_async(&code).await.as_string()
}

#[test]
async fn what_is_written_is_seen_by_whoever_is_next() {
    assert_eq!(read("test-1").await, None);
    put("test-1", "one").await.unwrap();
    assert_eq!(read("test-1").await, Some("one".into()));
    put("test-1", "").await.unwrap();
    assert_eq!(read("test-1").await, Some(String::new()));
    assert_eq!(read("test-1-other").await, None);
}

#[test]
async fn updates_from_everywhere_come_one_after_the_other() {
    let handles = [IndexedDb, IndexedDb];
    let updates = (0..20).map(|number| {
        let change = move |text: Option<String>| Some(text.unwrap_or_default() + &format!("{number} "));
        handles[number % 2].update("test-2", Box::new(change))
    });
    assert!(join_all(updates).await.iter().all(Result::is_ok));
    let text = read("test-2").await.unwrap();
    let mut numbers: Vec<u32> = text.split_whitespace().map(|number| number.parse().unwrap()).collect();
    numbers.sort();
    assert_eq!(numbers, Vec::from_iter(0..20));
}

#[test]
async fn what_is_not_changed_is_not_written() {
    assert_eq!(read("test-3").await, None);
    assert_eq!(raw("store.count('test-3')").await.unwrap(), "0");
}

#[test]
async fn what_is_no_text_is_absent() {
    put("test-4", "one").await.unwrap();
    for value in ["{ a: 1 }", "42", "null", "['text']", "new String('text')"] {
        raw(&format!("store.put({value}, 'test-4')")).await;
        assert_eq!(read("test-4").await, None, "{value}");
    }
    put("test-4", "two").await.unwrap();
    assert_eq!(read("test-4").await, Some("two".into()));
}

#[test]
async fn the_database_does_not_stay_open() {
    put("test-5", "one").await.unwrap();
    let delete = "return await new Promise((resolve, reject) => {
        const deleting = indexedDB.deleteDatabase('tokenkeep');
        deleting.onblocked = () => resolve('blocked');
        deleting.onsuccess = () => resolve('deleted');
        deleting.onerror = reject;
    })";
    assert_eq!(js_async(delete).await.as_string().unwrap(), "deleted");
    // And it is made again.
    assert_eq!(read("test-5").await, None);
    put("test-5", "two").await.unwrap();
    assert_eq!(read("test-5").await, Some("two".into()));
}

// env-deny
#[test]
async fn a_blocked_database_is_a_value() {
    for blocked in [
        "throw new DOMException('no', 'SecurityError')",
        "return undefined",
        "return null",
        "return {}",
        "return { open() { throw new DOMException('no', 'SecurityError') } }",
        "return { open() { throw 'a string' } }",
        "return { open() {} }",
        "return { open: () => ({ addEventListener(event, heard) { if (event === 'success') heard({ type: event, target: { result: {} } }) } }) }",
        "return { open() { const o = new EventTarget(); o.error = new DOMException('no', 'UnknownError'); queueMicrotask(() => o.dispatchEvent(new Event('error'))); return o } }",
    ] {
        let _blocked = Replaced::new("indexedDB", blocked);
        assert_eq!(put("test-6", "x").await, Err(StoreFailure::Blocked), "{blocked}");
    }
}

#[test]
async fn somebody_else_s_database_of_that_name_is_left_alone() {
    let _other =
        Replaced::new("indexedDB", "const real = __kept_indexedDB.get.call(globalThis); return { open: () => real.open('another') }");
    js_async(
        "const opening = __kept_indexedDB.get.call(globalThis).open('another');
        await new Promise((resolve) => { opening.onsuccess = resolve; });
        opening.result.close();",
    )
    .await;
    assert_eq!(put("test-7", "x").await, Err(StoreFailure::Blocked));
}

#[test]
async fn an_upgrade_that_others_block_is_not_waited_for() {
    js("globalThis.opened = 0");
    let _blocked = Replaced::new(
        "indexedDB",
        "return { open() { opened++; const o = new EventTarget(); queueMicrotask(() => o.dispatchEvent(new Event('blocked'))); return o } }",
    );
    assert_eq!(put("test-8", "x").await, Err(StoreFailure::Blocked));
    assert_eq!(js("opened").as_f64(), Some(1.0));
}

#[test]
async fn a_connection_that_was_lost_is_opened_once_more() {
    js("globalThis.opened = 0");
    let lossy = |losses: u32| {
        format!(
            "const real = __kept_indexedDB.get.call(globalThis);
            return {{ open(name) {{
                const opening = real.open(name);
                if (opened++ < {losses}) opening.addEventListener('success', () => opening.result.close());
                return opening;
            }} }}"
        )
    };
    {
        let _lossy = Replaced::new("indexedDB", &lossy(1));
        assert_eq!(put("test-9", "x").await, Ok(()));
        assert_eq!(js("opened").as_f64(), Some(2.0));
    }
    js("opened = 0");
    let _lossy = Replaced::new("indexedDB", &lossy(9));
    assert_eq!(put("test-9", "y").await, Err(StoreFailure::Blocked));
    assert_eq!(js("opened").as_f64(), Some(2.0));
}

// env-quota
#[test]
async fn a_change_that_could_not_be_written_is_not_asked_for_again() {
    put("test-10", "before").await.unwrap();
    for (broken, expected) in [
        ("throw new DOMException('no', 'QuotaExceededError')", StoreFailure::Full),
        ("throw 'a string'", StoreFailure::Blocked),
        ("kept.apply(this, arguments); this.transaction.abort()", StoreFailure::Blocked),
    ] {
        let asked: Rc<Cell<u32>> = Rc::default();
        let asking = asked.clone();
        let change = move |_| {
            asking.set(asking.get() + 1);
            Some("after".into())
        };
        js(&format!("globalThis.kept = IDBObjectStore.prototype.put; IDBObjectStore.prototype.put = function () {{ {broken} }}"));
        let outcome = IndexedDb.update("test-10", Box::new(change)).await;
        js("IDBObjectStore.prototype.put = kept");
        assert_eq!((outcome, asked.get()), (Err(expected), 1), "{broken}");
        assert_eq!(read("test-10").await, Some("before".into()), "{broken}");
    }
}

#[test]
async fn an_update_that_was_dropped_changes_nothing_and_closes_the_database() {
    let called: Rc<Cell<bool>> = Rc::default();
    let calling = called.clone();
    let change = move |_| {
        calling.set(true);
        Some("late".into())
    };
    let mut update = IndexedDb.update("test-11", Box::new(change));
    assert!(update.as_mut().now_or_never().is_none());
    drop(update);
    assert_eq!(Rc::strong_count(&called), 1, "the change is gone");
    assert_eq!(read("test-11").await, None);
    assert!(!called.get());
}

#[test]
async fn a_database_that_does_not_open_keeps_waiting_and_is_closed_if_it_opens_after_all() {
    js("globalThis.closings = 0; globalThis.opening = new EventTarget(); opening.result = { close() { closings++ } }");
    let _silent = Replaced::new("indexedDB", "return { open: () => opening }");
    let mut update = IndexedDb.update("test-12", Box::new(|_| Some("x".into())));
    for _ in 0..3 {
        js_async("await new Promise((done) => setTimeout(done))").await;
        assert!(update.as_mut().now_or_never().is_none());
    }
    drop(update);
    js("opening.dispatchEvent(new Event('success'))");
    assert_eq!(js("closings").as_f64(), Some(1.0));
}
