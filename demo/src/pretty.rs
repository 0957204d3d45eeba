//! JSON for people: one member a line.

use tokenkeep::protocol::Json;

pub fn pretty(value: &Json) -> String {
    let mut text = String::new();
    write(&mut text, value, 0);
    text
}

fn write(text: &mut String, value: &Json, depth: usize) {
    match value {
        Json::Array(elements) if !elements.is_empty() => {
            lines(text, ["[", "]"], elements, depth, write);
        }
        Json::Object(members) if !members.is_empty() => {
            lines(text, ["{", "}"], members, depth, |text, (name, value), depth| {
                text.push_str(&Json::from(name.as_str()).to_string());
                text.push_str(": ");
                write(text, value, depth);
            });
        }
        value => text.push_str(&value.to_string()),
    }
}

fn lines<T>(text: &mut String, [open, close]: [&str; 2], items: &[T], depth: usize, line: impl Fn(&mut String, &T, usize)) {
    let inner = depth.saturating_add(1);
    text.push_str(open);
    for (index, item) in items.iter().enumerate() {
        text.push_str(if index > 0 { ",\n" } else { "\n" });
        text.push_str(&"  ".repeat(inner));
        line(text, item, inner);
    }
    text.push('\n');
    text.push_str(&"  ".repeat(depth));
    text.push_str(close);
}
